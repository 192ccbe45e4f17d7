"""The environment of a numerical experiment in 0.1 scripts: made to be subclassed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Set
from enum import Enum
from pathlib import PurePath
from typing import Any

from hera_k8s_utils.compat.argo_server import argo_server
from hera_k8s_utils.compat.kubernetes_cluster import k8s_cluster
from hera_k8s_utils.compat.servers import ScriptConnection, exiting_on_error
from hera_k8s_utils.output.streams import show


class Struct:
    """A free namespace: `Struct(claim_name="data")`, or attributes as they are set."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def toJSON(self) -> str:
        """All its attributes, and theirs in turn, as JSON; secrets are redacted."""
        return json.dumps(self._plain(), indent=4, sort_keys=True, ensure_ascii=False)

    def _plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = _as_plain(_public(self), (id(self),))
        return plain

    def __repr__(self) -> str:
        from hera_k8s_utils.redaction import redact

        fields = ", ".join(f"{name}={value!r}" for name, value in _public(self).items())
        return redact(f"{type(self).__name__}({fields})")


class ClusterStruct(Struct):
    """A free namespace for what the workflow needs of the cluster; what it does not have is looked up on `k8s`.

    `vars()` of it is what was put into it, as it was in 0.1.
    """

    __slots__ = ("_k8s",)

    def __init__(self, k8s: k8s_cluster | None = None) -> None:
        super().__init__()
        self._k8s = k8s

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or self._k8s is None:
            raise AttributeError(f"the environment's cluster has no {name}")
        return getattr(self._k8s, name)


class num_exp_environment(Struct):
    """The environment of execution; making one asserts that the Argo server and then the cluster can be used.

        class environment(num_exp_environment):
            def __init__(self, args, verbose=False):
                super().__init__(args, verbose)
                self.k8s.assert_volume_claim(args.k8s_volume_claim_name)
                self.persisted_volume = Struct(claim_name=args.k8s_volume_claim_name, mount_path="/within")

    args: what `parser().parse_args()` gave.
    verbose: print what was found.
    k8s: the `k8s_cluster`.
    cluster: a free namespace for what the workflow needs of the cluster.

    Hera's objects submit to the Argo server from then on. Every failure is a `ScriptExit`.
    """

    k8s: k8s_cluster
    cluster: Any
    _argo: argo_server | None = None

    def __init__(self, args: Any = None, verbose: bool = False) -> None:
        super().__init__()
        self.assert_k8s_and_argo_servers(args, verbose)
        self.cluster = ClusterStruct(getattr(self, "k8s", None))  # a subclass may assert otherwise, and have none

    def assert_k8s_and_argo_servers(self, args: Any, verbose: bool = False) -> None:
        """Assert that both servers can be used, point Hera at the first, and keep the second as `k8s`.

        verbose: print what was found.
        """
        with exiting_on_error():
            servers = ScriptConnection.of(args)
            servers.require(servers.access("argo"), servers.access("kubernetes"))
            self.k8s = k8s_cluster.over(servers)
            self._argo = argo_server.over(servers)
        if verbose:
            self._print_servers()

    def _print_servers(self) -> None:
        for server in (self._argo, getattr(self, "k8s", None)):
            if server is not None:
                server.print_config()

    def print_config(self) -> None:
        """Print the servers and all that a subclass put into the environment; no secret is printed."""
        with exiting_on_error():
            self._print_servers()
            own = {name: value for name, value in self._plain().items() if name not in ("argo", "k8s") and value}
            if own:
                show("Environment:")
                show(json.dumps(own, indent=2, sort_keys=True, ensure_ascii=False))

    def _plain(self) -> dict[str, Any]:
        return {"argo": _as_plain(self._argo, ()), **super()._plain()} if self._argo else super()._plain()


def _public(thing: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(thing).items() if not name.startswith("_")}


def _as_plain(value: Any, within: tuple[int, ...]) -> Any:
    """Plain data for any value; what holds itself is named once, secrets are redacted.

    within: ids of the holders.
    """
    from hera_k8s_utils.redaction import redact

    if isinstance(value, Enum):
        return _as_plain(value.value, within)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (str, PurePath)):
        return redact(str(value))
    if id(value) in within:
        return f"<{type(value).__name__}>"
    inside = (*within, id(value))
    if isinstance(value, (k8s_cluster, argo_server)):
        return value.to_json()
    if isinstance(value, BaseException):
        return redact(str(value))
    if isinstance(value, Mapping):
        return {redact(str(key)): _as_plain(each, inside) for key, each in value.items()}
    if isinstance(value, Set):
        return sorted((_as_plain(each, inside) for each in value), key=str)
    if isinstance(value, (list, tuple)):
        return [_as_plain(each, inside) for each in value]
    if isinstance(value, type) or callable(value) or not hasattr(value, "__dict__"):
        return redact(getattr(value, "__name__", "") or str(value))
    return _as_plain(_public(value), inside)
