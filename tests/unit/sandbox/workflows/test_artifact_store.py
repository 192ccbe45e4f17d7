"""The artifact repository on every supported Python: archives are unpacked where they belong, and nowhere else."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from hera_k8s_sandbox.artifacts.store import ArtifactStore


@pytest.fixture(params=["this Python", "a Python without filters"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArtifactStore:
    """Debian 12 has Python 3.11.2, whose tarfile has no filters yet."""
    if request.param != "this Python":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    return ArtifactStore(tmp_path / "artifacts")


def member(name: str, kind: bytes = tarfile.REGTYPE, leads_to: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mode = kind, leads_to, 0o755
    found.size = 3 if kind == tarfile.REGTYPE else 0
    return found


def pack(store: ArtifactStore, *members: tarfile.TarInfo) -> None:
    place = store.place("default", "packed.tgz")
    place.parent.mkdir(parents=True)
    with tarfile.open(place, "w:gz") as packed:
        for one in members:
            packed.addfile(one, io.BytesIO(b"new") if one.isfile() else None)


def test_a_directory_comes_back_as_it_was(store: ArtifactStore, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "x").write_text("x")
    (tree / "sub" / "x").chmod(0o750)
    (tree / "link").symlink_to("sub/x")
    store.save("default", "tree.tgz", tree, {})
    store.load("default", "tree.tgz", tmp_path / "back", {})
    assert (tmp_path / "back" / "link").readlink() == Path("sub/x")
    assert (tmp_path / "back" / "sub" / "x").read_text() == "x"
    assert (tmp_path / "back" / "sub" / "x").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("way", ["name", "link", "chain", "hard link"])
def test_nothing_is_unpacked_elsewhere(store: ArtifactStore, tmp_path: Path, way: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("old")
    members = {
        "name": [member("t/a"), member("../../../../../outside/kept"), member("../outside/kept")],
        "link": [member("t/l", tarfile.SYMTYPE, str(outside)), member("t/l/kept")],
        "chain": [
            member("t/a", tarfile.SYMTYPE, "."),
            member("t/a/b", tarfile.SYMTYPE, "../../../../outside"),
            member("t/b/kept"),
        ],
        "hard link": [member("t/h", tarfile.LNKTYPE, str(outside / "kept")), member("t/h")],
    }[way]
    pack(store, *members)
    with pytest.raises((tarfile.TarError, KeyError)):
        store.load("default", "packed.tgz", tmp_path / "back" / "target", {})
    assert (outside / "kept").read_text() == "old"
    assert [path.name for path in outside.iterdir()] == ["kept"]
