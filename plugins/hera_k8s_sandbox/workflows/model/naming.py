"""Names: the ids of nodes and the names of pods, as Argo's controller derives them."""

from __future__ import annotations

from typing import Final

_LONGEST_POD_NAME: Final = 253
_HASH_ROOM: Final = 10  # an unsigned 32 bit number in decimal


def fnv1a(text: str) -> int:
    """The 32 bit FNV-1a hash of a text's UTF-8."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def node_id(workflow: str, node_name: str) -> str:
    """The id under which a node is found in `status.nodes`; the root's is the workflow's name."""
    return workflow if node_name == workflow else f"{workflow}-{fnv1a(node_name)}"


def pod_name(workflow: str, node_name: str, template: str) -> str:
    """The name of a node's pod (Argo's POD_NAMES=v2)."""
    if node_name == workflow:
        return workflow
    prefix = f"{workflow}-{template}" if template else workflow
    return f"{prefix[: _LONGEST_POD_NAME - _HASH_ROOM - 1]}-{fnv1a(node_name)}"
