"""The executor's settings: from arguments, Covalent's configuration or defaults, in this order."""

from __future__ import annotations

from typing import Any, Final

from covalent_kubernetes_plugin.stores import open_store
from hera_k8s_utils import OptionsError, join_names, nearest, parse_quantity

KUBECONFIG: Final = "~/.kube/config"
"""As a value, it means what kubectl uses: `$KUBECONFIG`, this file, or in a pod its service account."""

DEFAULTS: Final[dict[str, Any]] = {
    "base_image": "python:3.8-slim-bullseye",
    "k8s_config_file": KUBECONFIG,
    "k8s_context": "",
    "image_repo": "covalent-eks-task",
    "registry": "localhost",
    "registry_credentials_file": "",
    "data_store": "",
    "region": "",
    "vcpu": "500m",
    "memory": "1G",
    "cache_dir": "~/.cache/covalent",
    "poll_freq": 10,
    "namespace": "",
    "service_account": "",
    "pending_limit": 900,
    "time_limit": -1,
    "log_stdout": "",
    "log_stderr": "",
    "retries": 0,
}
"""The keys of `[executors.k8s]`. The first twelve are those of covalent-kubernetes-plugin 0.1."""


def resolve_settings(given: dict[str, Any]) -> dict[str, Any]:
    """The value of every setting. An argument that is not None is used, even if empty.

    Raises `OptionsError` for an unknown name or an invalid value.
    """
    for name in given:
        if name not in DEFAULTS:
            near = nearest(name, DEFAULTS)
            raise OptionsError(
                f"the executor k8s has no setting {name}",
                found=f"available: {join_names(sorted(DEFAULTS), most=len(DEFAULTS))}",
                hint=f"{near} = ..." if near else "",
            )
    values = {name: _configured(name) if given.get(name) is None else given[name] for name in DEFAULTS}
    for name in ("vcpu", "memory"):
        values[name] = _quantity(name, values[name])
    for name in ("poll_freq", "pending_limit", "time_limit", "retries"):
        values[name] = _number(name, values[name])
    if not values["base_image"]:
        raise OptionsError("base_image is empty", hint='base_image = "python:3.11-slim"')
    open_store(values["data_store"])
    return values


def _configured(name: str) -> Any:
    from covalent._shared_files.config import get_config

    try:
        return get_config(f"executors.k8s.{name}")
    except KeyError:
        return DEFAULTS[name]


def _quantity(name: str, value: Any) -> str:
    """A quantity; empty: none is requested."""
    if value == "":
        return ""
    try:
        amount = parse_quantity(value)
    except (ValueError, TypeError) as error:
        raise OptionsError(f"{name} = {value!r}", found=str(error)) from None
    if amount <= 0:
        raise OptionsError(f"{name} = {value!r}", found="it must be above zero; '' requests none")
    return str(value)


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (ValueError, TypeError):
        raise OptionsError(f"{name} = {value!r}", found="it must be a number") from None
    if number != number or (number < 0 and name != "time_limit"):
        raise OptionsError(f"{name} = {value!r}", found="it must be 0 or more")
    return int(number) if number == int(number) else number
