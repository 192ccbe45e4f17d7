"""The API of images: clients ask whether containers could be started here, before they submit them."""

from __future__ import annotations

from aiohttp import web

from hera_k8s_sandbox.argo_server.handlers import answering, body_of, json_answer
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.files import IMAGES_PATH, MOST_CONTAINERS
from hera_k8s_sandbox.kubelet.images import Images
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_utils._types import Json


class ImagesApi:
    """Answers `POST /sandbox/images`.

    The body is `{"containers": [{"image": ..., "command": [...], "args": [...]}]}`: containers as Kubernetes describes
    them. All but the image may be missing; of the other fields `workingDir`, `volumeMounts` and names in `env` count.
    The response has an entry `{"image": ..., "known": true, "problem": ""}` for each: whether the table of images has
    it, and why it could not be started.
    """

    def __init__(self, state: SandboxState, images: Images) -> None:
        """images: those that pods run with."""
        self._state = state
        self._images = images

    def add_routes(self, app: web.Application) -> None:
        """Serve it."""
        app.router.add_route("POST", IMAGES_PATH, answering(self.assess, self._state))

    async def assess(self, request: web.Request) -> web.Response:
        """Say of each container whether it can be started."""
        if self._state.access.authenticate(request, bare=True).anonymous:
            raise ApiError(401, "Unauthorized", "images are assessed for users with a token")
        asked = (await body_of(request)).get("containers")
        if not isinstance(asked, list) or not all(map(_is_container, asked)) or len(asked) > MOST_CONTAINERS:
            raise ApiError(400, "BadRequest", f"containers is a list of up to {MOST_CONTAINERS} objects with an image")
        return json_answer({"containers": [self._assessed(one) for one in asked]})

    def _assessed(self, container: Json) -> Json:
        image = container["image"]
        problem = self._images.problem(
            image,
            container.get("command") or (),
            container.get("args") or (),
            mounts=[str(mount.get("mountPath") or "/") for mount in container.get("volumeMounts") or ()],
            directory=str(container.get("workingDir") or ""),
            sets_path=any(each.get("name") == "PATH" for each in container.get("env") or ()),
        )
        return {"image": image, "known": self._images.find(image) is not None, "problem": problem}


def _is_container(one: object) -> bool:
    return (
        isinstance(one, dict)
        and isinstance(one.get("image"), str)
        and all(_is_list_of(str, one.get(field)) for field in ("command", "args"))
        and all(_is_list_of(dict, one.get(field)) for field in ("env", "volumeMounts"))
    )


def _is_list_of(kind: type, value: object) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(each, kind) for each in value))
