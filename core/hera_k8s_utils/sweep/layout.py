"""Layout: the directory in which each point of a sweep keeps its results, and the check that no two share one."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unicodedata import normalize

from hera_k8s_utils._moved import renamed
from hera_k8s_utils.errors import BuildError, HeraK8sError
from hera_k8s_utils.offline.phase import ForeignCode, offline, offline_phase
from hera_k8s_utils.reading import LARGEST_DOCUMENT, parse_json, read_file
from hera_k8s_utils.sweep.inputs import Inputs, Point
from hera_k8s_utils.sweep.path_encoder import PathEncoder
from hera_k8s_utils.sweep.values import dns_name, label_value, short_repr, to_json_value

if TYPE_CHECKING:
    from hera_k8s_utils.offline.guards import RequestGuard
    from hera_k8s_utils.sweep.path_encoder import LayoutStrategy

PATH_LIMIT: Final = 4095
"""Bytes of a path: PATH_MAX of Linux is 4096, with the NUL at its end."""
READ_BACK: Final = 20_000
"""Points of which every path is read back; of a longer sweep, this many, evenly spread, and its ends."""
SIDECAR: Final = "point.json"
_AT_ONCE: Final = 1_000
"""Points that a strategy is asked for at once."""


@dataclass(frozen=True)
class LayoutVerification:
    """The result of `Layout.verify`: every point of the sweep has a path of its own.

    points: how many there are.
    paths: how many there are.
    detail: what was verified, in words.
    """

    points: int
    paths: int
    detail: str


@renamed(prove="verify", name="dns_name", label="label_value")
class Layout:
    """Where each point of a sweep keeps its results.

    inputs: the sweep.
    strategy: name of the layout strategy in use.
    sidecar: paths do not hold the whole point, so tasks should write `layout.sidecar_text(point)` into `point.json`
        beside their results.
    """

    def __init__(
        self,
        naming: PathEncoder,
        inputs: Inputs,
        root: str | None,
        *,
        strategy: str = "",
        sidecar: bool = False,
        guards: Sequence[RequestGuard] = (),
    ) -> None:
        self.inputs = inputs
        self.strategy = strategy or type(naming).__name__
        self.sidecar = sidecar
        self._naming = naming
        self._guards = guards
        self._names = inputs.names
        self._root = None if root is None else posixpath.normpath(root)
        if self._root is not None and not self._root.startswith("/"):
            raise BuildError(f"results cannot lie below {root!r}", found="not an absolute path in the pod")

    def __repr__(self) -> str:
        return f"<Layout {self.strategy} below {self._root or 'nothing that is mounted'}>"

    @property
    def root(self) -> str:
        """The directory of this run in the pod, absolute. Raises `BuildError` when no requirement is mounted."""
        if self._root is None:
            raise BuildError(
                "the layout has no root",
                found="nothing that the experiment requires is mounted",
                hint='requires=[PersistentVolumeClaim("results", mount_path="/results")]',
            )
        return self._root

    # --- from a point ------------------------------------------------------------------------------------------

    def path(self, point: Mapping[str, Any]) -> str:
        """The absolute path, in the pod, of a point's directory."""
        relative = self.relative(point)
        return f"{self.root}/{relative}" if relative else self.root

    def relative(self, point: Mapping[str, Any]) -> str:
        """The path of a point's directory below the root; empty for the one point of a sweep without parameters."""
        if type(point) is Point and point.names is self._names and offline_phase() is not None:
            return self._naming.encode(point)  # for each point of a sweep, in the builder
        own = self._own(point)
        with self._strategy_code():
            return self._naming.encode(own)

    def dns_name(self, point: Mapping[str, Any]) -> str:
        """A DNS label of at most 63 characters for a point, for containers and the like; one for each point."""
        return dns_name(self._own(point))

    def label_value(self, point: Mapping[str, Any]) -> str:
        """A valid value of a label, of at most 63 characters, for a point; one for each point."""
        return label_value(self._own(point))

    def sidecar_text(self, point: Mapping[str, Any]) -> str:
        """A point as JSON, for `point.json` beside its results."""
        return json.dumps({name: to_json_value(value) for name, value in self._own(point).items()}, ensure_ascii=False)

    def _own(self, point: Mapping[str, Any]) -> Point:
        return point if type(point) is Point and point.names is self._names else self.inputs.point(point)

    # --- and back ----------------------------------------------------------------------------------------------

    def point(self, path: str) -> Point:
        """The point whose directory this is; absolute in the pod, or relative to the root.

        Raises `BuildError` for a path that is not below the root, or not of this layout.
        """
        relative = self._relative(path)
        with self._strategy_code():
            found = self.inputs.point(self._naming.decode(relative))
            belongs = self._naming.encode(found)
        if belongs != relative and normalize("NFC", belongs) != normalize("NFC", relative):
            raise BuildError(
                f"{short_repr(path)} is no path of the layout {self.strategy}",
                found=f"its point, {found}, belongs to {short_repr(belongs)}",
            )
        return found

    def _relative(self, path: str) -> str:
        if not path.startswith("/"):
            return path.rstrip("/") if path != "." else ""
        if path.rstrip("/") == self.root:
            return ""
        if not path.startswith(f"{self.root}/"):
            raise BuildError(f"{short_repr(path)} is no path of this run", found=f"its root is {self.root}")
        return path[len(self.root) + 1 :].rstrip("/")

    def read_sidecar(self, directory: str | Path) -> Point:
        """The point that the `point.json` of a directory on this machine holds. Raises `BuildError` without one."""
        file = Path(directory, SIDECAR)
        try:
            found = parse_json(read_file(file, most=LARGEST_DOCUMENT))
        except (OSError, ValueError) as error:
            raise BuildError(f"cannot read the point of {directory}", found=f"{SIDECAR}: {error}") from None
        if not isinstance(found, dict):
            raise BuildError(f"cannot read the point of {directory}", found=f"{SIDECAR} holds no object")
        return self.inputs.point({name: self._unplain(name, value) for name, value in found.items()})

    def _unplain(self, name: str, value: Any) -> Any:
        column = self.inputs.columns.get(name)
        if not isinstance(value, str) or column is None:
            return value
        try:
            return column.parse(value)
        except ValueError:
            return value

    # --- verification ---------------------------------------------------------------------------------------------

    def verify(self) -> LayoutVerification:
        """Go through the sweep, in memory that does not grow with it beyond 4 bytes a point.

        Every path stays below the root, keeps to the limits of file systems, and belongs to one point alone; every one
        (of more than 20,000, as many of them) is read back to its point. Raises `BuildError` naming the point, or both.
        """
        from hera_k8s_utils.sweep.verification import check_collisions, check_readable

        count = len(self.inputs)
        room = PATH_LIMIT - len(self._root.encode()) - 1 if self._root is not None else PATH_LIMIT
        with self._strategy_code():
            check_collisions(self, room)
            read = check_readable(self, READ_BACK)
        below = f" below {self._root}" if self._root is not None else ""
        sample = "" if read == count else f"; {read} of them, evenly spread, read back"
        return LayoutVerification(
            count, count, f"{count} points, {count} paths{below}{sample}" if count != 1 else f"1 point{below}"
        )

    def paths(self) -> Iterator[str]:
        """The relative path of each point, in the order of the sweep."""
        points = iter(self.inputs)
        while some := list(islice(points, _AT_ONCE)):
            with self._strategy_code():  # not around a yield, which would hold back what the caller sends
                paths = [self._naming.encode(point) for point in some]
            yield from paths

    def _strategy_code(self) -> AbstractContextManager[None]:
        return _strategy_code(self.strategy, self._guards)


@contextmanager
def _strategy_code(strategy: str, guards: Sequence[RequestGuard]) -> Iterator[None]:
    """Report what a strategy raises, other than our own errors, as a fault of its code; hold its requests back."""
    try:
        with offline(ForeignCode(f"the layout {strategy}"), guards):
            yield
    except (HeraK8sError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise BuildError(f"the layout {strategy} failed", found=f"{type(error).__name__}: {error}") from error


def open_layout(
    declaration: LayoutStrategy,
    settings: Any,
    inputs: Inputs,
    argument: str,
    root: str | None,
    guards: Sequence[RequestGuard] = (),
) -> Layout:
    """The layout of one run.

    declaration: the strategy.
    settings: an instance of its settings class, or None.
    argument: what follows the colon in `template:{seed}`.
    root: the run's directory in the pod, None when nothing is mounted.
    guards: hold back what the strategy would send.
    """
    with _strategy_code(declaration.name, guards):
        naming = declaration.build(settings, inputs, argument)
    return Layout(naming, inputs, root, strategy=declaration.name, sidecar=declaration.sidecar, guards=guards)
