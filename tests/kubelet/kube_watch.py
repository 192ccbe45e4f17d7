"""A small asynchronous client of the Kubernetes API: requests, and reflections of what is there by list and watch."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import aiohttp

Json = dict[str, Any]
Key = tuple[str, str]  # namespace, name

_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
_WATCHING: Final = aiohttp.ClientTimeout(total=None, sock_connect=30)
_LONGEST_LINE: Final = 1 << 24  # bytes; an object may have 1.5 MiB
_PAUSE: Final = 0.2  # seconds before a watch that failed is begun again
_MERGE: Final = "application/merge-patch+json"


class Refused(Exception):
    """The API server's answer is none of success."""

    def __init__(self, status: int, told: Json) -> None:
        super().__init__(f"{status}: {told.get('message', '')}")
        self.status = status
        self.reason = str(told.get("reason", ""))


class KubeApi:
    """The API of a cluster, as the user of a kubeconfig file that is JSON and has a token."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text(encoding="utf-8"))
        cluster = config["clusters"][0]["cluster"]
        self.url: str = cluster["server"]
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._token: str = config["users"][0]["user"]["token"]
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> KubeApi:
        headers = {"Authorization": f"Bearer {self._token}"}
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        self._session = aiohttp.ClientSession(headers=headers, connector=connector, read_bufsize=_LONGEST_LINE)
        return self

    async def __aexit__(self, *exc: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._session.close()

    async def send(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/json", token: str = ""
    ) -> Json:
        """The answer to a request; token: of somebody else. Raises Refused."""
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": kind}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = self.url + path
        async with self._session.request(method, url, data=data, headers=headers, timeout=_TIMEOUT) as answer:
            text = await answer.text()
            told: Json = json.loads(text) if "json" in answer.content_type else {"message": text}
            if answer.status >= 300:
                raise Refused(answer.status, told)
            return told

    async def find(self, path: str) -> Json | None:
        """What a GET answers; None when there is nothing."""
        try:
            return await self.send("GET", path)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    async def create(self, path: str, body: Json) -> None:
        """A POST; what is there already is left as it is."""
        try:
            await self.send("POST", path, body)
        except Refused as refused:
            if refused.reason != "AlreadyExists":
                raise

    async def patch(self, path: str, change: Json) -> Json:
        """A merge patch. Raises Refused."""
        return await self.send("PATCH", path, change, kind=_MERGE)

    async def delete(self, path: str, options: Json | None = None) -> None:
        """A DELETE; what is gone, or is another by now, is left as it is."""
        try:
            await self.send("DELETE", path, options or {})
        except Refused as refused:
            if refused.status not in (404, 409):
                raise

    async def watch(self, path: str, version: str, seen: Callable[[str, Json], None]) -> str:
        """Hand on events until the stream ends; the version to go on from, or empty when one must list again."""
        url = f"{self.url}{path}?watch=1&allowWatchBookmarks=true&resourceVersion={version}"
        async with self._session.get(url, timeout=_WATCHING) as answer:
            if answer.status != 200:
                return ""
            async for line in answer.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return ""
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    seen(event["type"], event["object"])
        return version


class Reflection:
    """All objects of a kind as they are; `seen` is told of each change: ADDED, MODIFIED, DELETED."""

    def __init__(self, api: KubeApi, path: str, seen: Callable[[str, Json], None]) -> None:
        self.objects: dict[Key, Json] = {}
        self.synced = asyncio.Event()
        self._api = api
        self._path = path
        self._seen = seen

    async def run(self) -> None:
        """Keep up with the cluster until cancelled."""
        version = ""
        while True:
            with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError, Refused):
                version = version or await self._list()
                version = await self._api.watch(self._path, version, self._take)
                continue
            version = ""
            await asyncio.sleep(_PAUSE)

    async def _list(self) -> str:
        told = await self._api.send("GET", self._path)
        found = {key_of(obj): obj for obj in told["items"]}
        for key in self.objects.keys() - found.keys():
            self._take("DELETED", self.objects[key])
        for key, obj in found.items():
            self._take("MODIFIED" if key in self.objects else "ADDED", obj)
        self.synced.set()
        return str(told["metadata"]["resourceVersion"])

    def _take(self, kind: str, obj: Json) -> None:
        if kind == "DELETED":
            self.objects.pop(key_of(obj), None)
        else:
            self.objects[key_of(obj)] = obj
        self._seen(kind, obj)


def key_of(obj: Json) -> Key:
    """By what an object is known among those of its kind."""
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]
