"""`hera-k8s arkouda render`: templates, RBAC objects, workflows and schedules as YAML, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hera_k8s_arkouda.commands.context import account_of, namespace_option, offline_cluster_context, settings_of
from hera_k8s_arkouda.install import installation
from hera_k8s_arkouda.permissions import in_namespace
from hera_k8s_arkouda.templates import WORKFLOWS_ACCOUNT
from hera_k8s_arkouda.workflows import cron_workflow, workflow
from hera_k8s_utils import Manifest

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_utils import Session

Json = dict[str, Any]

PARTS = ("install", "templates", "rbac", "deploy", "delete", "exporter-deploy", "exporter-delete", "schedule")


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        default=["install"],
        choices=(*PARTS, ["install"]),
        help=f"one of {', '.join(PARTS)} (default: install = templates and rbac)",
    )


def run(session: Session) -> int:
    """Write the objects as one stream of YAML documents, or as a JSON list."""
    console = session.console()
    bodies = [body for part in session.arguments.parts for body in _bodies(part, session)]
    if console.json:
        console.document([dict(body) for body in bodies])
    else:
        console.write("---\n".join(Manifest.of(body).to_yaml() for body in bodies))
    return 0


def _bodies(part: str, session: Session) -> Iterator[Json]:
    settings, account = settings_of(session), account_of(session) or WORKFLOWS_ACCOUNT
    if part in ("install", "templates", "rbac"):
        namespace = namespace_option(session) if part == "templates" else offline_cluster_context(session).namespace
        templates: list[str] | None = [] if part == "rbac" else None
        for installed in installation(account, templates=templates, rbac=part != "templates"):
            body = dict(installed.body)
            yield in_namespace(body, namespace) if namespace else body
        return
    cluster = offline_cluster_context(session) if part in ("deploy", "schedule") else None
    url = cluster.url if cluster is not None else settings.kubernetes_url
    if part == "exporter-deploy":
        yield _body(workflow(settings.exporter(), account))
    elif part == "exporter-delete":
        yield _body(workflow(settings.exporter_deletion(), account))
    elif part == "delete":
        yield _body(workflow(settings.deletion(url or "https://kubernetes.default.svc"), account))
    elif cluster is not None and part == "deploy":
        yield _body(workflow(settings.deployment(cluster.namespace, cluster.url), account))
    elif cluster is not None:
        yield _body(cron_workflow(settings.deployment(cluster.namespace, cluster.url), service_account=account))
        yield _body(cron_workflow(settings.deletion(cluster.url), service_account=account))


def _body(made: Any) -> Json:
    return Manifest.of(made).body
