"""Sweeps: values, points, inputs, fan-out, and the layout of their results."""

from typing import TYPE_CHECKING

from hera_k8s_utils._public import names_of

if TYPE_CHECKING:
    from hera_k8s_utils.sweep.inputs import Inputs, Point
    from hera_k8s_utils.sweep.values import (
        SAFE,
        SEGMENT,
        TYPES,
        Value,
        dns_name,
        fingerprint,
        segment_of,
        short_repr,
        to_text,
    )

__getattr__ = names_of(
    __name__,
    {
        "inputs": ["Inputs", "Point"],
        "values": [
            "SAFE",
            "SEGMENT",
            "TYPES",
            "Value",
            "dns_name",
            "fingerprint",
            "segment_of",
            "short_repr",
            "to_text",
        ],
    },
)

__all__ = [
    "SAFE",
    "SEGMENT",
    "TYPES",
    "Inputs",
    "Point",
    "Value",
    "dns_name",
    "fingerprint",
    "segment_of",
    "short_repr",
    "to_text",
]
