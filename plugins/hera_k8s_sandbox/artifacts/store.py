"""The artifact repository: files below `artifacts/NAMESPACE/` of the state directory, by their keys."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hera_k8s_utils._types import Json

_WRITABLE: Final = 0o200


_KEPT_FREE: Final = 256 << 20  # bytes of the disk that no artifact takes


class ArtifactMissing(Exception):
    """There is nothing under a key, or nothing at a path."""


class ArtifactStore:
    """The artifacts of all namespaces.

    root: the directory that holds them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, namespace: str, key: str) -> Path:
        """Where the artifact of a key is. Raises ArtifactMissing for a key that leads elsewhere."""
        base = (self.root / namespace).resolve()
        found = (base / key).resolve()
        if not key or base not in found.parents:
            raise ArtifactMissing(f"the key {key!r} leads out of the repository")
        return found

    def save(self, namespace: str, key: str, source: Path, archive: Json) -> None:
        """Store a file or directory under a key, packed according to `archive`. Raises ArtifactMissing."""
        if not source.exists():
            raise ArtifactMissing(f"{source.name}: no such file or directory")
        name, source = source.name, source.resolve()
        if not source.is_file() and not source.is_dir():
            raise ArtifactMissing(f"{name}: neither a file nor a directory")
        target = self.place(namespace, key)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _draft(target) as draft:
            if archive.get("none") is not None:
                _copy(source, draft)
            elif archive.get("zip") is not None:
                _zip(source, name, draft)
            else:
                with tarfile.open(draft, "w:gz", compresslevel=6) as packed:
                    packed.add(source, arcname=name, filter=_nobody)

    def save_text(self, namespace: str, key: str, parts: list[Path]) -> None:
        """Keep files as one, one after the other."""
        target = self.place(namespace, key)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _draft(target) as draft, draft.open("wb") as joined:
            for part in parts:
                with contextlib.suppress(FileNotFoundError), part.open("rb") as file:
                    shutil.copyfileobj(file, joined)

    def load(self, namespace: str, key: str, target: Path, archive: Json) -> None:
        """Put what is under a key at a path, unpacked unless `archive` is none. Raises ArtifactMissing."""
        source = self.place(namespace, key)
        if not source.exists():
            raise ArtifactMissing(f"artifact key not found: {key}")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir() or archive.get("none") is not None:
            _copy(source, target)
        elif archive.get("zip") is not None:
            with tempfile.TemporaryDirectory(dir=target.parent) as name, zipfile.ZipFile(source) as packed:
                _Room(key, target.parent).take(sum(info.file_size for info in packed.infolist()))
                packed.extractall(name)  # noqa: S202  it keeps to the directory
                _settle(Path(name), target)
        elif tarfile.is_tarfile(source):
            with tempfile.TemporaryDirectory(dir=target.parent) as name, tarfile.open(source) as packed:
                _unpack(packed, name, _Room(key, target.parent))
                _settle(Path(name), target)
        else:
            _copy(source, target)

    def copy(self, source: Path, target: Path) -> None:
        """Put a file or directory at a path, in place of what is there; a link below it is replaced, not followed."""
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(source, target)

    def delete(self, namespace: str, key: str) -> None:
        """Remove what is under a key, and the directories that are left empty."""
        place = self.place(namespace, key)
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)
        for parent in place.parents:
            if parent == self.root.resolve() or self.root.resolve() not in parent.parents:
                return
            try:
                parent.rmdir()
            except OSError:
                return


class _Room:
    """The room that is left on a disk for what is unpacked: an archive of a few MB may hold any number of GB."""

    def __init__(self, key: str, directory: Path) -> None:
        self._key = key
        self._free = self._left = max(0, shutil.disk_usage(directory).free - _KEPT_FREE)

    def take(self, size: int) -> None:
        """Take so many bytes. Raises ArtifactMissing."""
        self._left -= size
        if self._left < 0:
            why = f"unpacked it has more than {self._free} bytes, and the disk has no room for it"
            raise ArtifactMissing(f"artifact {self._key}: {why}")

    def filter(self, member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        """Take the room that a member of an archive wants, and check it as tarfile's own filter does."""
        self.take(member.size)
        return tarfile.data_filter(member, path)


def set_mode(path: Path, mode: int, *, recursive: bool) -> None:
    """Give a file, or all files below a directory, their permissions."""
    paths = [path, *path.rglob("*")] if recursive and path.is_dir() else [path]
    for one in paths:
        if not one.is_symlink():
            one.chmod(mode)


@contextlib.contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """A path beside the target that takes its place when all went well."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".draft-") as name:
        draft = Path(name) / "draft"
        yield draft
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(draft, target)


def _copy(source: Path, target: Path) -> None:
    """Copy a file, or a directory with its files, directories and links; nothing is written through a link."""
    if target.is_symlink() or (target.exists() and not (target.is_dir() and source.is_dir())):
        _remove(target)
    if source.is_dir():
        target.mkdir(exist_ok=True)
        for one in sorted(source.iterdir()):
            _copy_entry(one, target / one.name)
        shutil.copystat(source, target)
    else:
        shutil.copy(source, target)
        target.chmod(stat.S_IMODE(target.stat().st_mode) | _WRITABLE)


def _copy_entry(source: Path, target: Path) -> None:
    """Copy what is in a directory; devices and pipes are left out."""
    if source.is_dir() and not source.is_symlink():
        _copy(source, target)
    elif source.is_file() or source.is_symlink():
        if target.is_symlink() or target.exists():
            _remove(target)
        shutil.copy2(source, target, follow_symlinks=False)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _nobody(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """A member without its owner; devices and pipes are left out."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member if member.isfile() or member.isdir() or member.issym() or member.islnk() else None


def _unpack(packed: tarfile.TarFile, directory: str, room: _Room) -> None:
    """Unpack what stays within a directory and has room. Raises tarfile.TarError for what leads out of it.

    Python has a filter for that since 3.10.12 and 3.11.4; Debian 12 has 3.11.2.
    """
    if hasattr(tarfile, "data_filter"):
        packed.extractall(directory, filter=room.filter)  # noqa: S202 (the filter checks each member)
        return
    root = os.path.realpath(directory)
    for member in packed:
        room.take(member.size)
        for path in _places_of(member, root):
            if os.path.commonpath([root, os.path.realpath(path)]) != root:
                raise tarfile.ExtractError(f"{member.name!r} leads out of the archive")
        member.mode = member.mode & 0o755 | (0o700 if member.isdir() else 0o600)
        packed.extract(member, root)


def _places_of(member: tarfile.TarInfo, root: str) -> Iterator[str]:
    """Where a member will be, and where it leads."""
    place = os.path.join(root, member.name)
    yield place
    if member.issym():
        yield os.path.join(os.path.dirname(place), member.linkname)
    elif member.islnk():
        yield os.path.join(root, member.linkname)


def _zip(source: Path, name: str, target: Path) -> None:
    """Pack files and directories; links are left out, for the archive would hold what they lead to."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as packed:
        if source.is_file():
            packed.write(source, name)
        for path in sorted(source.rglob("*")) if source.is_dir() else ():
            if not path.is_symlink() and (path.is_file() or path.is_dir()):
                packed.write(path, f"{name}/{path.relative_to(source)}")


def _settle(unpacked: Path, target: Path) -> None:
    """Put what was unpacked in its place: a single entry is the artifact itself, as Argo has it."""
    entries = list(unpacked.iterdir())
    source = entries[0] if len(entries) == 1 else unpacked
    if target.is_dir() and source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.move(source, target)
        if source == unpacked:
            unpacked.mkdir()  # the caller removes it
