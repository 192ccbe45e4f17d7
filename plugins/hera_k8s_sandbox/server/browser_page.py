"""What a browser is shown at the address that the sandbox prints: how to use it. No token is needed, no secret shown.

A cluster's API server answers such a request with 403 and JSON, which API clients still get, and Argo's server with its
user interface, which the sandbox has not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import hdrs, web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PAGES: Final = frozenset(
    {"", "workflows", "workflow-templates", "cluster-workflow-templates", "cron-workflows", "userinfo", "login"}
)
"""First segments of the addresses of pages: the root, and those of Argo's user interface, which `run` prints."""
_OF_PROGRAMS: Final = ("json", "yaml", "protobuf", "event-stream")
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sandbox of hera-k8s</title>
<link rel="icon" href="data:,">
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; }
pre { background: #eee; color: #111; padding: .75rem; overflow-x: auto; }
</style>
</head>
<body>
<h1>This is a sandbox of hera-k8s</h1>
<p>It implements the parts of the Kubernetes API and of the Argo server that experiments use, and runs workflows as
processes of this machine. It has no pages for browsers: use it from a terminal, in the directory where it was
started.</p>
<pre>
hera-k8s runs                   # the runs that were started there
hera-k8s follow --sandbox       # how the latest one is doing
hera-k8s logs --sandbox         # what its tasks printed
hera-k8s stop --sandbox         # end it
hera-k8s sandbox --status       # lines that connect kubectl and argo
hera-k8s sandbox --stop         # end the sandbox; its state stays
</pre>
<p>Result files of an experiment are ordinary files on this disk: the last lines of <code>hera-k8s run</code> say
where.</p>
</body>
</html>
"""


@web.middleware
async def show_browsers_a_page(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a browser that opens an address; every other request goes on."""
    if request.method in ("GET", "HEAD") and _is_page(request.path) and _is_browser(request):
        return web.Response(text=_PAGE, content_type="text/html", charset="utf-8", headers=_HEADERS)
    return await handler(request)


def _is_page(path: str) -> bool:
    return path.strip("/").partition("/")[0] in _PAGES


def _is_browser(request: web.Request) -> bool:
    """Whether HTML is asked for by name, nothing that programs read is, and no credential comes with it."""
    accept = request.headers.get(hdrs.ACCEPT, "").lower()
    kinds = [kind.partition(";")[0].strip() for kind in accept.split(",")]
    for_programs = any(kind.endswith(_OF_PROGRAMS) for kind in kinds)
    return "text/html" in kinds and not for_programs and hdrs.AUTHORIZATION not in request.headers
