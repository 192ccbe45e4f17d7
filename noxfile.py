"""Sessions of development: `nox -s lint tests`; `nox -s bench` measures."""

import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "tests"]

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]


CONTRIB = sorted(path.parent.name for path in Path("contrib").glob("*/pyproject.toml"))
TEST_TOOLS = ("pytest", "pytest-timeout", "hypothesis", "trustme", "hatchling", "pip")


def install(session: nox.Session) -> None:
    """The project in editable form and the development tools as they were locked."""
    session.install("-r", "requirements-dev.lock", silent=False)  # a minute or more, in which pip says what it does
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
    """One suite for the sandbox and for a real Kubernetes control plane, which is built from Go modules once.

    `nox -s conformance -- --kubeconfig FILE` takes another cluster in its place.
    """
    install(session)
    session.run("pytest", "tests/conformance", *(session.posargs or ["--real"]))


@nox.session
def e2e(session: nox.Session) -> None:
    """What users type, end to end: on the sandbox, and on the real control plane with a node that runs pods.

    `nox -s e2e -- --kubeconfig FILE --argo-server URL`, with its token in ARGO_TOKEN, takes another cluster instead.
    """
    install(session)
    session.run("pytest", "tests/e2e", *(session.posargs or ["--real"]))


@nox.session(reuse_venv=False)
@nox.parametrize("name", CONTRIB, ids=CONTRIB)
def contrib(session: nox.Session, name: str) -> None:
    """One distribution of contrib/ alone, beside a wheel of the project: `nox -s "contrib(covalent)"`; its tests.

    What its tests need beside pytest stands in its dependency group `test`; it is not among what development needs.
    """
    directory, wheels = Path("contrib", name), Path(session.create_tmp(), "wheels")
    shutil.rmtree(wheels, ignore_errors=True)
    session.run("python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), ".", str(directory))
    groups = nox.project.load_toml(directory / "pyproject.toml").get("dependency-groups", {})
    session.install(*map(str, wheels.glob("*.whl")), *TEST_TOOLS, *groups.get("test", ()))
    session.run("pytest", str(directory / "tests"), *session.posargs)


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
