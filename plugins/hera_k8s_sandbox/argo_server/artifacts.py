"""Artifacts, served to users who may read the workflow."""

from __future__ import annotations

import html
import mimetypes
import posixpath
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from hera_k8s_sandbox.argo_server.handlers import ArgoHandlers, Routes
from hera_k8s_sandbox.artifacts.store import ArtifactMissing, ArtifactStore
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.resource_types import WORKFLOWS
from hera_k8s_utils._types import Json


class ArtifactHandlers(ArgoHandlers):
    """`/artifacts`, `/input-artifacts` and `/artifact-files`, as Argo 4.1 has them."""

    def routes(self) -> Routes:
        """Where they are served."""
        files = "/artifact-files/{namespace}/workflows/{name}/{node}/outputs/{artifact}"
        return [
            ("GET", "/artifacts/{namespace}/{name}/{node}/{artifact}", self.output),
            ("GET", "/input-artifacts/{namespace}/{name}/{node}/{artifact}", self.input),
            ("GET", "/artifacts-by-uid/{uid}/{node}/{artifact}", self.output),
            ("GET", "/input-artifacts-by-uid/{uid}/{node}/{artifact}", self.input),
            ("GET", files, self.file),
            ("GET", f"{files}/{{path:.*}}", self.file),
        ]

    async def output(self, request: web.Request) -> web.StreamResponse:
        """An artifact that a node has made."""
        return self._whole(request, "outputs")

    async def input(self, request: web.Request) -> web.StreamResponse:
        """An artifact that a node was given."""
        return self._whole(request, "inputs")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file within an artifact that was kept as a directory, or a list of them."""
        place, key = self._place(request, "outputs")
        path = request.match_info.get("path", "")
        wanted = (place / path).resolve()
        if (wanted != place and place not in wanted.parents) or not wanted.exists():
            raise _not_found(f"{key}/{path}")
        if wanted.is_dir():
            if not request.path.endswith("/"):
                raise web.HTTPTemporaryRedirect(f"{request.path}/")
            return _listing(wanted)
        return _file(wanted, posixpath.basename(path or key))

    def _whole(self, request: web.Request, side: str) -> web.StreamResponse:
        place, key = self._place(request, side)
        if place.is_dir():
            raise ApiError(400, "BadRequest", f"artifact {key} is a directory: see /artifact-files")
        return _file(place, posixpath.basename(key))

    def _place(self, request: web.Request, side: str) -> tuple[Path, str]:
        workflow = self._workflow(request)
        meta, wanted = workflow["metadata"], request.match_info["artifact"]
        node = ((workflow.get("status") or {}).get("nodes") or {}).get(request.match_info["node"]) or {}
        for one in (node.get(side) or {}).get("artifacts") or ():
            key = str((one.get("s3") or {}).get("key") or "")
            if one["name"] == wanted and key and not one.get("deleted"):
                store = ArtifactStore(self._state.directory / "artifacts")
                try:
                    place = store.place(meta["namespace"], key)
                except ArtifactMissing as error:
                    raise _not_found(str(error)) from None
                if place.exists():
                    return place, key
        raise _not_found(wanted)

    def _workflow(self, request: web.Request) -> Json:
        if "name" in request.match_info:
            namespace, name = request.match_info["namespace"], request.match_info["name"]
        else:
            self._identify(request)
            namespace, name = next(self._of_uid(request.match_info["uid"]), ("", ""))
            if not name:
                raise _not_found(request.match_info["uid"])
        self._require(request, "get", WORKFLOWS, namespace, name)
        return self._store.get(WORKFLOWS, namespace, name)

    def _of_uid(self, uid: str) -> Iterator[tuple[str, str]]:
        for entry in self._store.entries(WORKFLOWS, None):
            if entry.meta["uid"] == uid:
                yield entry.key


def _file(path: Path, name: str) -> web.FileResponse:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if name.endswith((".tgz", ".gz")):
        kind = "application/gzip"
    headers = {"Content-Disposition": f'filename="{quote(name)}"', "Content-Type": kind}
    # what a task wrote is shown, but runs nothing in the name of this server
    headers |= {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}
    return web.FileResponse(path, headers=headers)


def _listing(directory: Path) -> web.Response:
    names = sorted(f"{one.name}/" if one.is_dir() else one.name for one in directory.iterdir())
    lines = [f'<li><a href="./{quote(name)}">{html.escape(name)}</a></li>' for name in names]
    text = f"<html><body><ul>\n{chr(10).join(lines)}\n</ul></body></html>"
    return web.Response(text=text, content_type="text/html")


def _not_found(what: str) -> ApiError:
    return ApiError(404, "NotFound", f"artifact not found: {what}")
