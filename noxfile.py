"""Sessions of development: `nox -s lint tests`; `nox -s bench` measures."""

import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "tests"]

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]


def install(session: nox.Session) -> None:
    """The project in editable form and the development tools as they were locked."""
    session.install("-r", "requirements-dev.lock")
    session.install("--no-deps", "-e", ".")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types, and who may import whom."""
    install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite on this interpreter."""
    install(session)
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS, name="tests-all")
def tests_all(session: nox.Session) -> None:
    """The test suite on every supported interpreter that is installed."""
    install(session)
    session.run("pytest", *session.posargs)


@nox.session
def conformance(session: nox.Session) -> None:
    """One suite for the sandbox and for a real Kubernetes control plane, which is built from Go modules once."""
    install(session)
    session.run("pytest", "tests/conformance", *(session.posargs or ["--real"]))


@nox.session(reuse_venv=False)
def covalent(session: nox.Session) -> None:
    """contrib/covalent alone, beside a wheel of the project: Covalent is not among what development needs."""
    wheels = Path(session.create_tmp(), "wheels")
    shutil.rmtree(wheels, ignore_errors=True)
    session.run("python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), ".", "contrib/covalent")
    project, executor = (next(wheels.glob(f"{name}-*.whl")) for name in ("hera_k8s_utils", "hera_k8s_covalent"))
    session.install(str(project), f"{executor}[aws]", "pytest", "pytest-timeout", "cryptography", "moto[ecr,server]")
    session.run("pytest", "contrib/covalent/tests", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """One wheel and one source archive, with metadata that an index accepts."""
    install(session)
    out = session.create_tmp()
    session.run("python", "-m", "build", "--outdir", out)
    session.run("twine", "check", "--strict", f"{out}/*")


@nox.session
def bench(session: nox.Session) -> None:
    """Ratios against a named baseline, both measured in this run."""
    install(session)
    names = session.posargs or ["help", "checks", "manifest", "layout", "sandbox", "controlplane"]
    for name in names:
        session.run("python", f"tests/bench/bench_{name}.py")
