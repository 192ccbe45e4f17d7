"""The store in a bucket: a pod gets no credentials, only two signed URLs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from covalent_kubernetes_plugin.errors import StoreUnreadable, TaskFailed
from covalent_kubernetes_plugin.stores import TaskBundle
from hera_k8s_utils import HeraK8sError, OptionsError

_MAX_LIFETIME: Final = 7 * 24 * 3600
"""Maximum lifetime of a signed URL in S3, in seconds."""
_MARGIN: Final = 900
"""Seconds added to a task's time limit, for transfers."""


class BucketStore:
    """Objects below `s3://bucket/prefix/`, through fsspec.

    address: `s3://bucket/prefix`.
    region: region of the bucket; empty: the default.
    lasting: seconds that a task may take from its submission; 0: unlimited.
    """

    def __init__(self, address: str, region: str, lasting: float) -> None:
        self._address = address.rstrip("/")
        self._region = region
        self._expires = min(_MAX_LIFETIME, int(lasting) + _MARGIN) if lasting else _MAX_LIFETIME

    def send(self, name: str, payload: bytes) -> TaskBundle:
        """Raises `TaskFailed` if the bucket rejects it."""
        try:
            files, task, outcome = self._open(name)
            files.pipe_file(task, payload)
            get_url = files.sign(task, expiration=self._expires, client_method="get_object")
            put_url = files.sign(outcome, expiration=self._expires, client_method="put_object")
        except HeraK8sError:
            raise
        except Exception as error:  # of many libraries
            raise self._refused("the task cannot be written to the data store", error) from error
        return TaskBundle({"url": get_url}, {"url": put_url})

    def fetch(self, name: str, nonce: str, log: Callable[[], Iterable[str]]) -> bytes | None:  # noqa: ARG002
        """The object that the pod wrote. Raises `StoreUnreadable` if the bucket cannot be read."""
        try:
            files, _, outcome = self._open(name)
            found: bytes = files.cat_file(outcome)
        except FileNotFoundError:
            return None
        except HeraK8sError:
            raise
        except Exception as error:
            raise StoreUnreadable(
                "the task's outcome cannot be read from the data store",
                found=f"{self._address}/{name}/outcome: {type(error).__name__}: {error}",
                hint="the server's AWS credentials must give access; what is stored stays there until it is removed",
            ) from error
        return found

    def remove(self, name: str) -> None:
        """Remove both objects."""
        files, task, outcome = self._open(name)
        files.rm([path for path in (task, outcome) if files.exists(path)])

    def _open(self, name: str) -> tuple[Any, str, str]:
        """The file system, and the paths of the task and of its outcome."""
        try:
            import fsspec
            import s3fs  # noqa: F401 - fsspec's own message names it less plainly
        except ImportError:
            raise OptionsError(
                f"data_store = {self._address!r} needs the package s3fs",
                found="it is not installed where the Covalent server runs",
                hint="pip install 'hera-k8s-covalent[s3]'",
            ) from None
        client = {"region_name": self._region} if self._region else {}
        # Regions created after 2013 only accept this signature version.
        files, root = fsspec.core.url_to_fs(
            self._address, client_kwargs=client, config_kwargs={"signature_version": "s3v4"}, use_listings_cache=False
        )
        return files, f"{root}/{name}/task", f"{root}/{name}/outcome"

    def _refused(self, wanted: str, error: Exception) -> TaskFailed:
        return TaskFailed(
            wanted,
            found=f"{self._address}: {type(error).__name__}: {error}",
            hint="bucket, prefix and region must exist, and the server's AWS credentials must give access",
        )
