"""One suite for two servers: the sandbox, and with `--real` a real control plane.

What each test's requests are answered with is compared with a recording of the real one (`golden/`), so that a machine
without Go can check the sandbox. `--real` compares both; `--record` writes the recordings anew, from the real one.
`--kubeconfig FILE` compares another cluster in its place; there the administrator impersonates the users, and a test
marked `alone` is skipped: others at work there would change what it compares.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_access import access_of
from conformance_limits import LIMITS
from dialogue import Cluster, Dialogue, differences, golden_path, until

import controlplane
from clusters import is_sandbox, require_controlplane, wants_real

Json = dict[str, Any]
GOLDEN = Path(__file__).resolve().parent / "golden"
USERS = {"admin": ("system:masters",), "alice": ("researchers",), "bob": ()}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption("--record", action="store_true", help="record what the real control plane answers")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone(reason): needs a control plane that nobody else works on")


def pytest_report_header(config: pytest.Config) -> str:
    return f"conformance: {' and '.join(_servers(config))}" + ("" if _wants_real(config) else " (--real adds another)")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cluster" in metafunc.fixturenames:
        metafunc.parametrize("cluster", _servers(metafunc.config), indirect=True, scope="session")


def _servers(config: pytest.Config) -> list[str]:
    if config.getoption("--record"):
        return ["real"]
    return ["sandbox", "real"] if _wants_real(config) else ["sandbox"]


def _wants_real(config: pytest.Config) -> bool:
    return wants_real(config) or bool(config.getoption("--record"))


@pytest.fixture(scope="session")
def users(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The token file of both servers, and the token of each user."""
    tokens = {name: secrets.token_urlsafe(24) for name in USERS}
    path = tmp_path_factory.mktemp("users") / "tokens.csv"
    path.touch(mode=0o600)
    lines = [",".join([tokens[name], name, f"{name}-uid", *groups]) for name, groups in USERS.items()]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path, tokens


@pytest.fixture(scope="session")
def cluster(
    request: pytest.FixtureRequest, users: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """The server that a test is about. The test does not know which one it is."""
    path, tokens = users
    if request.param == "sandbox":
        from hera_k8s_sandbox.server.launch import running

        with running(tmp_path_factory.mktemp("sandbox"), users=path) as address:
            yield Cluster("sandbox", address.url, tokens, sign=_signer_of_sandbox(address.directory))
        return
    if given := request.config.getoption("--kubeconfig"):
        access = access_of(given, request.config.getoption("--context"))
        yield Cluster("real", access.url, verify=access.verify, admin=access, groups=USERS)
        return
    require_controlplane(request.config)
    with controlplane.running(path) as real:
        yield Cluster("real", real.url, tokens, str(real.ca), sign=_signer(real.ca.with_name("accounts-key.pem")))


def _signer_of_sandbox(directory: Path) -> Callable[[Json], str]:
    from hera_k8s_sandbox.foundation import files
    from hera_k8s_sandbox.foundation import jwt as tokens

    key = (directory / files.SIGNING_KEY).read_text(encoding="ascii").strip().encode()
    return lambda claims: tokens.sign(claims, key)


def _signer(path: Path) -> Callable[[Json], str]:
    """Signs as an API server does whose key this file holds."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)

    def sign(claims: Json) -> str:
        text = ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256"}, claims))
        return f"{text}.{_encoded(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    return sign


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture
def talk(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Dialogue]:
    """A dialogue in a namespace of its own, compared at the end with what is recorded of it."""
    dialogue = Dialogue(cluster, f"conf-{secrets.token_hex(4)}")
    made = dialogue.send("POST", "/api/v1/namespaces", {"metadata": {"name": dialogue.namespace}}, remember=False)
    assert made.code == 201, made.body
    account = "{ns}/serviceaccounts/default"
    until(lambda: dialogue.get(account, remember=False).code == 200, "the default account")
    yield dialogue
    dialogue.send("DELETE", f"/api/v1/namespaces/{dialogue.namespace}", remember=False)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[object]:
    """After a test's own assertions, hold its dialogue against the recording."""
    result = yield
    dialogue = pyfuncitem.funcargs.get("talk")
    if isinstance(dialogue, Dialogue):
        _compare(pyfuncitem, dialogue)
    return result


def _compare(item: pytest.Function, dialogue: Dialogue) -> None:
    path = _golden(item)
    if item.config.getoption("--record"):
        _record(path, dialogue)
    if not path.exists():
        pytest.fail(f"nothing is recorded for {path.relative_to(GOLDEN)}: run with --record", pytrace=False)
    told = list(differences(json.loads(path.read_text(encoding="utf-8")), dialogue.lines))
    if told:
        pytest.fail(f"{path.relative_to(GOLDEN)} differs\n" + "\n".join(told), pytrace=False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is known to differ in the sandbox must differ: once it agrees, it is no limit any more."""
    given = config.getoption("--kubeconfig")
    sandboxes = {"sandbox"}
    if given and is_sandbox(access_of(given, config.getoption("--context"))):
        sandboxes.add("real")
    for item in items:
        callspec = getattr(item, "callspec", None)
        if not isinstance(item, pytest.Function) or callspec is None:
            continue
        server = callspec.params.get("cluster")
        alone = item.get_closest_marker("alone")
        if given and server == "real" and alone is not None:
            item.add_marker(pytest.mark.skip(reason=f"needs a control plane of its own: {alone.args[0]}"))
        name = _golden(item).relative_to(GOLDEN).with_suffix("").as_posix()
        if server in sandboxes and name in LIMITS:
            item.add_marker(pytest.mark.xfail(reason=LIMITS[name], strict=True))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much was compared, for each server."""
    for server in ("sandbox", "real"):
        counts = {
            word: sum(f"[{server}" in report.nodeid for report in terminalreporter.stats.get(outcome, ()))
            for outcome, word in (("passed", "agree"), ("failed", "differ"), ("xfailed", "known limits"))
        }
        if any(counts.values()):
            told = ", ".join(f"{count} {word}" for word, count in counts.items())
            terminalreporter.write_line(f"conformance of the {server} with the recordings: {told}")


def _golden(item: pytest.Function) -> Path:
    parameters = {name: value for name, value in item.callspec.params.items() if name != "cluster"}
    told = [value for value in parameters.values() if isinstance(value, str)]
    file = item.path.stem.removeprefix("test_conformance_")
    return golden_path(GOLDEN, file, "-".join([item.originalname.removeprefix("test_"), *told[:1]]))


def _record(path: Path, dialogue: Dialogue) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(dialogue.lines, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    unfinished.replace(path)
