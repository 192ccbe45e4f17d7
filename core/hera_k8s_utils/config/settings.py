"""The options of the framework itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hera_k8s_utils.config.options import option
from hera_k8s_utils.errors import OptionsError
from hera_k8s_utils.names import is_dns_label


@dataclass(frozen=True, kw_only=True)
class CoreSettings:
    """Options of the framework itself."""

    prefix: ClassVar[str] = ""

    namespace: str | None = option(
        None,
        help="namespace to run in (default: that of the credential)",
        env="ARGO_NAMESPACE",
        aliases=("argo_namespace",),
        short="n",
        metavar="NAME",
    )
    bind: tuple[str, ...] = option(
        (), help="map a role to a resource name on this cluster", metavar="ROLE=NAME", mapping=True
    )
    registry: str = option("", help="container registry for short image names", metavar="HOST[/PATH]")
    image: str = option("", help="default image of tasks; overrides the experiment's", metavar="IMAGE")
    service_account: str = option(
        "",
        help="service account of the workflow's pods",
        env="ARGO_SERVICE_ACCOUNT",
        aliases=("argo_service_account",),
        metavar="NAME",
    )
    layout: str = option("", help="layout strategy; overrides the experiment's", metavar="NAME[:PATTERN]")
    set: tuple[str, ...] = option(
        (),
        help="values of a parameter or constant; override the experiment's",
        metavar="NAME=V1[,V2...]",
        mapping=True,
    )
    points: Path | None = option(None, help="CSV, JSON or JSON lines file with one sweep point per row", metavar="FILE")
    credentials: tuple[str, ...] = option(
        (), help="credential provider to use for a platform", metavar="PLATFORM=PROVIDER", mapping=True
    )
    engine: str = option("", help="execution engine (default: the first for this kind of object)", metavar="NAME")
    run_id: str = option("", help="name of this run; submitting it again creates no second workflow", metavar="ID")
    confirm_timeout: float = option(
        60.0, help="how long to look for a submission whose response was lost, in seconds", metavar="SECONDS"
    )
    runs_dir: Path = option(Path("runs"), help="directory of run records", metavar="DIR")
    concurrency: int = option(32, help="maximum number of concurrent checks", metavar="N")
    check_timeout: float = option(10.0, help="timeout per check, in seconds", metavar="SECONDS")

    def __post_init__(self) -> None:
        """Raise `OptionsError` for values that no cluster accepts."""
        if self.namespace and not is_dns_label(self.namespace):
            found = "expected at most 63 lower-case letters, digits and dashes, no dash at either end"
            raise OptionsError("--namespace cannot be used", found=found)
        if self.confirm_timeout < 0:
            raise OptionsError("--confirm-timeout cannot be used", found="it must not be negative")
        if self.concurrency < 1:
            raise OptionsError("--concurrency cannot be used", found="it must be at least one")
        if self.check_timeout <= 0:
            raise OptionsError("--check-timeout cannot be used", found="it must be above 0", hint="in seconds")
