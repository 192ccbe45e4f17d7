"""The options that belong to no plugin: what to run, under which names, and how patiently."""

from __future__ import annotations

from dataclasses import dataclass
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
        help="namespace to run in; without it, the one that comes with the credential",
        env="ARGO_NAMESPACE",
        aliases=("argo_namespace",),
        short="n",
        metavar="NAME",
    )
    bind: tuple[str, ...] = option(
        (), help="what a role of the experiment is called on this cluster", metavar="ROLE=NAME", mapping=True
    )
    registry: str = option("", help="container registry that completes short image names", metavar="HOST[/PATH]")
    image: str = option("", help="image of tasks that name none, instead of the experiment's own", metavar="IMAGE")
    service_account: str = option(
        "",
        help="service account that the workflow's pods run as",
        env="ARGO_SERVICE_ACCOUNT",
        aliases=("argo_service_account",),
        metavar="NAME",
    )
    layout: str = option("", help="layout strategy, instead of the experiment's own", metavar="NAME[:PATTERN]")
    set: tuple[str, ...] = option(
        (),
        help="values of a parameter or a constant, instead of the experiment's own",
        metavar="NAME=V1[,V2...]",
        mapping=True,
    )
    points: str = option("", help="CSV or JSON file with one point of the sweep a row", metavar="FILE")
    credentials: tuple[str, ...] = option(
        (), help="use this provider for this platform", metavar="PLATFORM=PROVIDER", mapping=True
    )
    engine: str = option(
        "", help="execution engine; without it, the first that runs this kind of object", metavar="NAME"
    )
    run_id: str = option("", help="name of this run; submitting the same run twice makes one workflow", metavar="ID")
    confirm_timeout: float = option(
        60.0, help="seconds to look for what was submitted when the server's answer was lost", metavar="SECONDS"
    )
    runs_dir: str = option("runs", help="directory for the records of runs", metavar="DIR")
    concurrency: int = option(32, help="how many checks run at once", metavar="N")
    check_timeout: float = option(10.0, help="seconds after which a check is given up and named", metavar="SECONDS")

    def __post_init__(self) -> None:
        """Raise `OptionsError` for values that no cluster could take."""
        if self.namespace and not is_dns_label(self.namespace):
            found = "lower-case letters, digits and dashes are wanted, at most 63, no dash at either end"
            raise OptionsError("--namespace cannot be used", found=found)
        if self.confirm_timeout < 0:
            raise OptionsError("--confirm-timeout cannot be used", found="0 seconds is the least")
        if self.concurrency < 1:
            raise OptionsError("--concurrency cannot be used", found="at least one check must run at a time")
        if self.check_timeout <= 0:
            raise OptionsError("--check-timeout cannot be used", found="a check needs some time", hint="in seconds")
