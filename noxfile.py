"""Development sessions: `nox -s lint tests`; `nox -s bench` measures speed."""

import os
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
    """Install the locked development tools, and the project in editable mode."""
    session.install("-r", "requirements-dev.lock", silent=False)  # takes a minute or more: show what pip does
    session.install("--no-deps", "-e", ".")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and import boundaries."""
    install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")
    contrib = os.pathsep.join(map(str, sorted(Path("contrib").resolve().glob("*/src"))))
    session.run("lint-imports", "--config", "contrib/importlinter.toml", env={"PYTHONPATH": contrib})


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on this interpreter."""
    install(session)
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS, name="tests-all")
def tests_all(session: nox.Session) -> None:
    """Run the tests on every supported interpreter that is installed."""
    install(session)
    session.run("pytest", *session.posargs)


@nox.session
def conformance(session: nox.Session) -> None:
    """Run one suite on the sandbox and on a real Kubernetes control plane, which is built from Go modules once.

    `nox -s conformance -- --kubeconfig FILE` uses another cluster instead.
    """
    install(session)
    session.run("pytest", "tests/conformance", *(session.posargs or ["--real"]))


@nox.session
def e2e(session: nox.Session) -> None:
    """Type what users type, end to end: on the sandbox, and on the real control plane with a node that runs pods.

    `nox -s e2e -- --kubeconfig FILE --argo-server URL`, with its token in ARGO_TOKEN, uses another cluster instead.
    """
    install(session)
    session.run("pytest", "tests/e2e", *(session.posargs or ["--real"]))


@nox.session
def corpus(session: nox.Session) -> None:
    """Run Argo's own examples on a real Argo Workflows and on the sandbox, and print what differs."""
    install(session)
    session.run("pytest", "tests/argo_corpus", *(session.posargs or ["--real"]))


@nox.session(reuse_venv=False)
@nox.parametrize("name", CONTRIB, ids=CONTRIB)
def contrib(session: nox.Session, name: str) -> None:
    """Test one distribution of contrib/ separately, with a wheel of the project: `nox -s "contrib(covalent)"`.

    Its dependency group `test` lists what its tests need besides pytest; the development tools do not include these.
    """
    directory, wheels = Path("contrib", name), Path(session.create_tmp(), "wheels")
    shutil.rmtree(wheels, ignore_errors=True)
    session.run("python", "-m", "pip", "wheel", "--no-deps", "-w", str(wheels), ".", str(directory))
    groups = nox.project.load_toml(directory / "pyproject.toml").get("dependency-groups", {})
    session.install(*map(str, wheels.glob("*.whl")), *TEST_TOOLS, *groups.get("test", ()), silent=False)
    session.run("pytest", str(directory / "tests"), *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build a wheel and a source archive, and check that an index accepts their metadata."""
    install(session)
    out = session.create_tmp()
    session.run("python", "-m", "build", "--outdir", out)
    session.run("twine", "check", "--strict", f"{out}/*")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure ratios against a named baseline, both in the same run."""
    install(session)
    names = session.posargs or ["help", "checks", "manifest", "layout", "sandbox", "controlplane"]
    for name in names:
        session.run("python", f"tests/bench/bench_{name}.py")
