"""Places for outputs, as far as a server without root's rights meets them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hera_k8s_sandbox.kubelet.output_capture import plan


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A directory that may not be looked into."""
    made = tmp_path / "closed"
    made.mkdir()
    (made / "x").write_text("secret")
    made.chmod(0)
    yield made
    made.chmod(0o700)


def as_nobody(directory: Path, path: Path) -> int:
    """The exit code of a process without root's rights that plans an output and lists what is shown."""
    for parent in (directory, *directory.parents):
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            planned = plan([str(path)], directory / "outputs", {})
            os._exit(0 if not planned.found[str(path)].exists() and planned.arguments(lambda _: []) else 1)
        except BaseException:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_what_may_not_be_looked_into_is_as_good_as_not_there(closed: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(0o777)
    assert as_nobody(place, closed / "x") == 0
