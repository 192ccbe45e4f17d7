"""The API of images: clients ask whether containers could be started here, before they submit them."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from hera_k8s_sandbox.argo_server.handlers import answering, body_of, json_answer
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.files import IMAGES_PATH
from hera_k8s_sandbox.kubelet.images import Images
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_utils._types import Json

_MOST: Final = 10_000  # containers of one request


class ImagesApi:
    """Answers `POST /sandbox/images`.

    The body is `{"containers": [{"image": ..., "command": [...], "args": [...]}]}`, where the last two may be missing.
    The response has an entry `{"image": ..., "known": true, "problem": ""}` for each: whether the table of images has
    it, and why it could not be started.
    """

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._images = Images(state.images)

    def add_routes(self, app: web.Application) -> None:
        """Serve it."""
        app.router.add_route("POST", IMAGES_PATH, answering(self.assess, self._state))

    async def assess(self, request: web.Request) -> web.Response:
        """Say of each container whether it can be started."""
        if self._state.access.authenticate(request, bare=True).anonymous:
            raise ApiError(401, "Unauthorized", "images are assessed for users with a token")
        asked = (await body_of(request)).get("containers")
        if not isinstance(asked, list) or not all(map(_is_container, asked)) or len(asked) > _MOST:
            raise ApiError(400, "BadRequest", f"containers is a list of up to {_MOST} objects with an image")
        return json_answer({"containers": [self._assessed(one) for one in asked]})

    def _assessed(self, container: Json) -> Json:
        image = container["image"]
        problem = self._images.problem(image, container.get("command") or (), container.get("args") or ())
        return {"image": image, "known": self._images.find(image) is not None, "problem": problem}


def _is_container(one: object) -> bool:
    return (
        isinstance(one, dict)
        and isinstance(one.get("image"), str)
        and all(_is_list_of_text(one.get(field)) for field in ("command", "args"))
    )


def _is_list_of_text(words: object) -> bool:
    return words is None or (isinstance(words, list) and all(isinstance(each, str) for each in words))
