"""Bodies of objects as plain data: copies with other metadata or with further fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hera_k8s_utils._types import Json


def metadata_of(body: Mapping[str, Any]) -> Json:
    """Names, labels and annotations; empty where the body has none."""
    return body.get("metadata") or {}


def with_metadata(body: Json, metadata: Json) -> Json:
    """A copy with this metadata."""
    return {**body, "metadata": metadata}


def with_name(body: Json, name: str) -> Json:
    """A copy under this name, which takes the place of `generateName` too."""
    metadata = {key: value for key, value in metadata_of(body).items() if key != "generateName"}
    return with_metadata(body, {**metadata, "name": name})


def with_labels(body: Json, labels: Mapping[str, str]) -> Json:
    """A copy with further labels, which replace those of the same key."""
    metadata = metadata_of(body)
    return with_metadata(body, {**metadata, "labels": {**(metadata.get("labels") or {}), **labels}})


def with_annotations(body: Json, annotations: Mapping[str, str]) -> Json:
    """A copy with further annotations, which replace those of the same key."""
    metadata = metadata_of(body)
    return with_metadata(body, {**metadata, "annotations": {**(metadata.get("annotations") or {}), **annotations}})


def merge_fields(stated: Json, added: Json) -> Json:
    """`stated` completed with `added`: lists are joined without repetition, maps are merged, scalars stay as stated."""
    merged = dict(stated)
    for key, value in added.items():
        present = merged.get(key)
        if present is None:
            merged[key] = value
        elif isinstance(present, list) and isinstance(value, list):
            merged[key] = [*present, *(item for item in value if item not in present)]
        elif isinstance(present, dict) and isinstance(value, dict):
            merged[key] = merge_fields(present, value)
    return merged
