"""Resource templates: an action, a manifest, conditions and flags that make sense together."""

from __future__ import annotations

from typing import Final

from hera_k8s_sandbox.foundation.reading import read_yaml
from hera_k8s_sandbox.workflows.executor.kubectl.actions import ACTIONS
from hera_k8s_sandbox.workflows.executor.kubectl.conditions import parse_condition
from hera_k8s_sandbox.workflows.executor.kubectl.flags import read_flags
from hera_k8s_sandbox.workflows.language.substitution import tags
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid, unsupported
from hera_k8s_utils._types import Json

_NEEDS_MANIFEST: Final = ("create", "apply", "replace")
_STRATEGIES: Final = ("strategic", "merge", "json")


def check_resource(where: str, resource: Json) -> None:
    """Check what a resource template does. Raises WorkflowInvalid and Unsupported."""
    action = resource.get("action") or ""
    if action not in ACTIONS and "{{" not in action:
        raise WorkflowInvalid(f"{where}.resource.action must be one of: get, create, apply, delete, replace, patch")
    if resource.get("manifestFrom"):
        raise unsupported(f"{where}.resource.manifestFrom: write the manifest into the template")
    if action in _NEEDS_MANIFEST and not resource.get("manifest"):
        raise WorkflowInvalid(f"{where}.resource.manifest must be specified for {action}")
    strategy = resource.get("mergeStrategy") or "strategic"
    if strategy not in _STRATEGIES and "{{" not in strategy:
        raise WorkflowInvalid(f"{where}.resource.mergeStrategy must be one of: strategic, merge, json")
    _check_manifest(where, resource)
    for kind, field in (("success", "successCondition"), ("fail", "failureCondition")):
        text = str(resource.get(field) or "")
        if "{{" not in text:
            try:
                parse_condition(kind, text)
            except ValueError as error:
                raise WorkflowInvalid(f"{where}.resource.{field}: {error}") from None
    if not any(True for _ in tags(resource.get("flags") or [])):
        try:
            read_flags(resource.get("flags") or ())
        except ValueError as error:
            raise unsupported(f"{where}.resource.flags ({error})") from None


def _check_manifest(where: str, resource: Json) -> None:
    import yaml

    manifest = resource.get("manifest") or ""
    if "{{" in manifest:  # as in Argo, what has tags is only read when they are replaced
        return
    try:
        read_yaml(manifest)
    except (ValueError, yaml.YAMLError) as error:
        raise WorkflowInvalid(f"{where}.resource.manifest must be a valid yaml: {error}") from None
