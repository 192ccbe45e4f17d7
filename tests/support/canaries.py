"""Canaries: unique secrets at every place where one can enter, commands under faults, and a search for them afterwards.

    python tests/support/canaries.py                about 100 combinations, as tests/unit/cli/test_canaries.py runs them
    python tests/support/canaries.py --wide         every source with every fault and every command: two hours
    python tests/support/canaries.py --sample 500   so many of those, at random

A canary may be in no output, no log and no file below the working directory and HOME, besides those that it was put
into, and in no argument or variable of a child, in whatever encoding.
"""

from __future__ import annotations

import base64
import contextlib
import html
import json
import os
import random
import secrets
import shutil
import sys
import tempfile
import time
import urllib.parse
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from argo_peer import EVENTS, NAMESPACE, ArgoPeer
from command_line import SMALL, kubeconfig
from fault_server import Answer, Request, cut, refused_port, reply, sse, tls_context
from forked_commands import ForkedCommands, Worker

Json = dict[str, Any]

PATIENCE = 40.0
"""Seconds after which a command is killed."""
SIDE_BY_SIDE = 6
"""Combinations that run at a time: much of their time is waiting."""
OUR_FILES = ("kc", "tok", "hera.config", "plugin.py", "logins.json", "script.py", "experiment.py")
"""Files that the canary is put into."""
SCRIPT = """
from hera_k8s_utils import num_exp_environment, parser
args = parser().parse_args()
environment = num_exp_environment(args, verbose=True)
environment.print_config()
"""
EXPERIMENT = """
from hera.workflows import Container, Workflow
from hera_k8s_kube import Secret
from hera_k8s_utils import Experiment, Inputs


def build(inputs, layout, environment):
    with Workflow(entrypoint="main") as w:
        Container(name="main", image="busybox", command=["true"])
    return w


experiment = Experiment(name="hello", workflow=build, inputs=Inputs(), requires=[Secret("salt", keys=["SALT"])])
"""


# --- what a canary looks like afterwards -----------------------------------------------------------------------


def new_canary(*, marks: str = "") -> str:
    """A secret that nothing else holds; marks: characters that are quoted differently everywhere."""
    return f"CNRY{secrets.token_hex(6)}{marks}{secrets.token_hex(6)}Zq"


def encodings(canary: str) -> dict[str, str]:
    """How a server, a library or a program may write it."""
    return {
        "plain": canary,
        "bearer": f"Bearer {canary}",
        "bytes": repr(f"Bearer {canary}\n".encode()),
        "json": json.dumps(canary),
        "json in json": json.dumps(json.dumps(canary)),
        "quoted": urllib.parse.quote(canary, safe=""),
        "form": urllib.parse.quote_plus(canary),
        "html": html.escape(canary),
        "base64": base64.b64encode(canary.encode()).decode(),
        "basic": base64.b64encode(f"user:{canary}".encode()).decode(),
        "base64url": base64.urlsafe_b64encode(f"a:{canary}".encode()).decode(),
        "hex": canary.encode().hex(),
        "wrapped": "\n".join(canary[at : at + 9] for at in range(0, len(canary), 9)),
        "cut": canary[: len(canary) * 3 // 4],
    }


def needles(canary: str) -> list[str]:
    """Texts of which none may be found: the random parts of the canary, and the same encoded, at any offset."""
    found = [part for part in (canary[4:16], canary[-14:-2]) if part.isalnum()]
    for text in list(found):
        found += [text.encode().hex(), text.encode().hex().upper()]
        for before in range(3):
            found.append(base64.b64encode(bytes(before) + text.encode()).decode()[4:-4])
    return found


# --- places, faults, commands ----------------------------------------------------------------------------------


@dataclass
class Stage:
    """The directory of one combination, and what is prepared there. kept: needles that a child may be given."""

    root: Path
    canary: str
    server: str
    user: Json = field(default_factory=lambda: {"token": f"other-{secrets.token_hex(8)}"})
    cluster: Json = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    config: dict[str, str] = field(default_factory=dict)
    broken: str = ""
    children_may: bool = False

    @property
    def work(self) -> Path:
        """The working directory."""
        return self.root / "work"

    @property
    def home(self) -> Path:
        """HOME."""
        return self.root / "home"

    def argo(self, server: str = "", token: str = "") -> None:
        """Name an Argo server besides the cluster."""
        self.environ["ARGO_SERVER"] = server or self.server
        if token:
            self.environ["ARGO_TOKEN"] = token

    def plugin(self, program: str, **entry: Any) -> None:
        """An exec plugin in the kubeconfig."""
        (self.work / "plugin.py").write_text(program)
        spec = {"apiVersion": "client.authentication.k8s.io/v1", "command": "python", "interactiveMode": "Never"}
        self.user = {"exec": {**spec, "args": ["plugin.py"], **entry}}


Source = Callable[[Stage], None]


def _answer(token: str) -> str:
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
    return json.dumps(answer)


def _token(stage: Stage) -> None:
    stage.user = {"token": stage.canary}


def _token_file(stage: Stage) -> None:
    (stage.work / "tok").write_text(stage.canary + "\n")
    stage.user = {"tokenFile": "tok"}


def _broken_token_file(stage: Stage) -> None:
    (stage.work / "tok").write_text(f"{stage.canary}\nsecond\n")
    stage.user = {"tokenFile": "tok"}


def _password(stage: Stage) -> None:
    stage.user = {"username": "jane", "password": stage.canary}


def _key(stage: Stage) -> None:
    pem = f"-----BEGIN PRIVATE KEY-----\n{stage.canary}\n{stage.canary}\n-----END PRIVATE KEY-----\n"
    encoded = base64.b64encode(pem.encode()).decode()
    stage.user = {"client-certificate-data": encoded, "client-key-data": encoded}
    stage.server = stage.server.replace("http:", "https:")


def _provider(stage: Stage) -> None:
    config = {"id-token": f"x.{stage.canary}.y", "refresh-token": stage.canary, "idp-issuer-url": stage.server}
    stage.user = {
        "auth-provider": {"name": "oidc", "config": {**config, "client-id": "a", "client-secret": stage.canary}}
    }


def _plugin(stage: Stage) -> None:
    stage.plugin(f"print({_answer(stage.canary)!r})")


def _plugin_fails(stage: Stage) -> None:
    stage.plugin(f"import sys; print({_answer(stage.canary)!r}); print({stage.canary!r}, file=sys.stderr); sys.exit(3)")


def _plugin_says_token(stage: Stage) -> None:
    stage.plugin(f"import sys; sys.exit('refused: token={stage.canary} apikey={stage.canary}')")


def _plugin_says_json(stage: Stage) -> None:
    stage.plugin(f"import sys; sys.exit({_answer(stage.canary)!r} + ' ' * 300 + 'no JSON')")


def _plugin_says_word(stage: Stage) -> None:
    stage.plugin(f"import sys; sys.exit('x' * 390 + ' {stage.canary} is not valid')")


def _plugin_prints_no_json(stage: Stage) -> None:
    stage.plugin(f"print({stage.canary!r})")


def _plugin_variable(stage: Stage) -> None:
    program = "import os, sys; sys.exit('refused ' + os.environ['MY_SECRET'])"
    stage.plugin(program, env=[{"name": "MY_SECRET", "value": stage.canary}])
    stage.children_may = True


def _plugin_argument(stage: Stage) -> None:
    stage.plugin("import sys; sys.exit('usage: ' + ' '.join(sys.argv))", args=["plugin.py", "--token", stage.canary])
    stage.children_may = True


def _path(stage: Stage) -> None:
    stage.server += f"/bearer/{stage.canary}"


def _query(stage: Stage) -> None:
    stage.server += f"/x?apikey={stage.canary}"


def _userinfo(stage: Stage) -> None:
    stage.server = stage.server.replace("://", f"://jane:{urllib.parse.quote(stage.canary, safe='')}@")


def _proxy(stage: Stage) -> None:
    stage.cluster["proxy-url"] = f"http://jane:{stage.canary}@127.0.0.1:{refused_port()}"


def _malformed(stage: Stage) -> None:
    stage.broken = f"users:\n- name: x\n  user: {{token: {stage.canary}\n   : :\n"


def _malformed_server(stage: Stage) -> None:
    stage.server = f"ftp://jane:{stage.canary}@[bad/bearer/{stage.canary}?token={stage.canary}"


def _server_is_token(stage: Stage) -> None:
    stage.server = stage.canary


def _impersonation(stage: Stage) -> None:
    stage.user = {"token": stage.canary, "as": "jane\ndoe"}


def _argo_token(stage: Stage) -> None:
    stage.argo(token=stage.canary)


def _argo_broken_token(stage: Stage) -> None:
    stage.argo(token=f"{stage.canary} and\nmore")


def _argo_file(stage: Stage) -> None:
    (stage.work / "tok").write_text(f'"Bearer {stage.canary}"\n')
    stage.argo()
    stage.environ["HERA_K8S_ARGO_TOKEN_FILE"] = str(stage.work / "tok")


def _argo_login(stage: Stage) -> None:
    stage.argo()
    store = stage.home / ".config" / "hera-k8s" / "logins.json"
    store.parent.mkdir(parents=True)
    store.write_text(json.dumps({stage.server: {"token": stage.canary, "saved": "2026-11-01T00:00:00+00:00"}}))


def _argo_config(stage: Stage) -> None:
    stage.argo()
    stage.config["argo_token"] = stage.canary


def _argo_misspelt(stage: Stage) -> None:
    stage.config["argo_tokne"] = stage.canary


def _argo_flag(stage: Stage) -> None:
    stage.argo()
    stage.words += ["--argo_token", stage.canary]


def _argo_path(stage: Stage) -> None:
    stage.argo(f"{stage.server}/bearer/{stage.canary}", "abc-123456")


def _argo_bare_path(stage: Stage) -> None:
    stage.argo(f"{stage.server.partition('://')[2]}/{stage.canary}", "abc-123456")
    stage.environ["ARGO_SECURE"] = "false"


def _argo_query(stage: Stage) -> None:
    stage.argo(f"{stage.server}/x?token={stage.canary}", "abc-123456")


def _argo_userinfo(stage: Stage) -> None:
    stage.argo(stage.server.replace("://", f"://jane:{stage.canary}@"), "abc-123456")


def _argo_proxy(stage: Stage) -> None:
    stage.argo("http://argo.invalid", "abc-123456")
    stage.environ["HTTP_PROXY"] = f"http://jane:{stage.canary}@127.0.0.1:{refused_port()}"


def _secret(stage: Stage) -> None:
    """The value of a Secret that the experiment requires; every server answers with it."""
    stage.argo(token="abc-123456")


SOURCES: dict[str, Source] = {
    name.strip("_").replace("_", " "): each
    for name, each in list(globals().items())
    if name.startswith("_") and callable(each) and getattr(each, "__annotations__", {}).get("stage") == "Stage"
}
UNKNOWN: frozenset[str] = frozenset(
    {"malformed", "argo misspelt", "plugin prints no json", "plugin says json", "plugin says token", "plugin says word"}
)
"""Sources that make no secret known, since what holds it cannot be read: no server can have it either."""


def _echo(status: int, canary: str, forms: Sequence[str] | None = None) -> Answer:
    """An answer that repeats the canary in every encoding, in its body and its headers."""
    written = encodings(canary)
    said = " | ".join(written[name] for name in forms or written)
    header = " ".join(said.split())
    headers = {"X-Echo": header, "WWW-Authenticate": f'Bearer token="{header}"', "Set-Cookie": f"s={canary}"}
    return reply(status, {"message": f"refused: {said}", "reason": "Refused", "error": canary}, headers=headers)


def _secret_object(canary: str) -> Answer:
    data = {"SALT": base64.b64encode(canary.encode()).decode()}
    return reply(200, {"metadata": {"name": "salt"}, "data": data, "type": "Opaque"})


def _objects(canary: str) -> Answer:
    item = {"metadata": {"name": canary, "namespace": canary}, "status": {"phase": canary, "message": canary}}
    return reply(
        200, {**item, "gitVersion": canary, "version": canary, "kind": canary, "items": [item], "status": item}
    )


def _raw(status: int, canary: str) -> Answer:
    return reply(status, "\n".join(["x" * 290 + canary, *encodings(canary).values()]))


def _redirect(status: int, canary: str) -> Answer:
    return reply(status, "", headers={"Location": f"https://jane:{canary}@elsewhere.example/{canary}?token={canary}"})


FAULTS: dict[str, Callable[[str], Answer]] = {
    "echo 401": lambda canary: _echo(401, canary),
    "echo 403": lambda canary: _echo(403, canary),
    "echo 404": lambda canary: _echo(404, canary),
    "echo 500": lambda canary: _echo(500, canary),
    "raw 400": lambda canary: _raw(400, canary),
    "raw 200": lambda canary: _raw(200, canary),
    "redirect": lambda canary: _redirect(302, canary),
    "page": lambda canary: reply(200, f"<html><title>{canary}</title>{html.escape(canary)}</html>"),
    "cut": lambda canary: cut(),
    "objects": _objects,
    "refused": lambda canary: cut(),
    "untrusted": lambda canary: _echo(401, canary),
    "not tls": lambda canary: _echo(400, canary),
    "accepts": lambda canary: _echo(403, canary),
}

COMMANDS: dict[str, list[str]] = {
    "check": ["check"],
    "check json": ["check", "--output", "json"],
    "check debug": ["check", "-vv", "--debug"],
    "run": ["run"],
    "run json debug": ["run", "-vv", "--debug", "--output", "json"],
    "run detached": ["run", "--detach", "-v"],
    "config": ["config"],
    "config json": ["config", "--output", "json"],
    "plugins": ["plugins", "-vv"],
    "runs": ["runs", "--server", "--debug"],
    "logs": ["logs", "hello-x1y2", "--debug"],
    "follow": ["follow", "hello-x1y2"],
    "stop": ["stop", "hello-x1y2", "-vv", "--debug"],
    "provision": ["provision", "--dry-run", "-vv"],
    "render": ["render"],
    "dry run": ["run", "--dry-run", "--output", "json"],
    "script": [],
}


@dataclass(frozen=True)
class Combination:
    """One thing to try."""

    source: str
    fault: str
    command: str

    def __str__(self) -> str:
        return f"{self.source} / {self.fault} / {self.command}"


def every() -> list[Combination]:
    """The wide form: all that there is."""
    return [Combination(*each) for each in product(SOURCES, FAULTS, COMMANDS)]


def some() -> list[Combination]:
    """The quick form: every source with three faults, every fault and every command with many sources."""
    faults, commands = list(FAULTS), list(COMMANDS)
    chosen = []
    for row, source in enumerate(SOURCES):
        for turn in range(3):
            number = row * 3 + turn
            chosen.append(
                Combination(source, faults[(number * 5 + turn) % len(faults)], commands[number % len(commands)])
            )
    return chosen


# --- running them ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exposure:
    """A canary that got out. where: a stream, a file, or a child's argument or variable."""

    combination: Combination
    where: str
    excerpt: str

    def __str__(self) -> str:
        return f"{self.combination}: {self.where}: ...{self.excerpt}..."


class Peer(ArgoPeer):
    """A server that answers everything with one fault, also below `/bearer/...`; `accepts` takes workflows.

    secret: the value of each Secret that is asked for; empty: Secrets are answered as everything else.
    """

    def __init__(self, fault: str, canary: str, secret: str = "", **options: Any) -> None:
        super().__init__(**options)
        self._secret = _secret_object(secret) if secret else None
        self._fault = FAULTS[fault](canary)
        self._accepts = fault == "accepts"
        self._canary = canary

    def answer(self, request: Request) -> Answer:
        """What the fault says, or else what an Argo server would."""
        path = request.path.partition("/api/v1/")[2]
        if self._secret and "/secrets/" in path:
            return self._secret
        if not self._accepts or ("workflow" not in path and not path.startswith(("version", "info", "userinfo"))):
            return self._fault
        if f"/api/v1/{path}" == EVENTS:
            return self._events()
        return super().answer(Request(request.method, f"/api/v1/{path}", request.query, request.headers, request.body))

    def _events(self) -> Answer:
        """A workflow that fails and says the canary in each encoding."""
        name = next(iter(self.workflows), "hello-x1y2")
        said = " | ".join(encodings(self._canary).values())
        node = {
            "id": name,
            "name": name,
            "displayName": name,
            "type": "Pod",
            "phase": "Failed",
            "message": f"token={said}",
        }
        status = {"phase": "Failed", "message": said, "nodes": {name: node}, "finishedAt": "2026-11-30T10:00:00Z"}
        metadata = {"name": name, "namespace": NAMESPACE, "uid": "1"}
        return sse([{"result": {"type": "MODIFIED", "object": {"metadata": metadata, "status": status}}}])


class Campaign:
    """Runs combinations below a directory, several side by side. children: how many children were seen in all."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.children = 0
        self._programs = directory / "bin"
        self._programs.mkdir(parents=True)
        self._record_calls()

    def run(self, combinations: Sequence[Combination]) -> Iterator[Exposure]:
        """Run combinations and search what they left."""
        with ForkedCommands() as forked, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            one = partial(self._one, forked)
            for children, exposures in pool.map(one, range(len(combinations)), combinations):
                self.children += children
                yield from exposures

    def _one(self, forked: ForkedCommands, number: int, combination: Combination) -> tuple[int, list[Exposure]]:
        directory = self._directory / f"{number:04}"
        for name in ("work", "home"):
            (directory / name).mkdir(parents=True)
        canary = _canary_for(combination)
        with _peer(combination, canary) as server, forked.worker() as worker:
            stage = Stage(directory, canary, server)
            seen = _run(worker, _prepare(stage, combination, self._programs), stage)
        exposures = [*_searched(stage, combination), *_in_children(stage, combination, seen)]
        if not exposures:
            shutil.rmtree(directory)
        return len(seen), exposures

    def _record_calls(self) -> None:
        """Programs in front of the real ones that keep what they are given: sampling may miss a short life."""
        for name in ("git", "kubectl", "bwrap", "unshare", "python"):
            real = sys.executable if name == "python" else shutil.which(name)
            last = f'exec {real} "$@"' if real else "exit 1"
            script = self._programs / name
            script.write_text(f'#!/bin/sh\n{{ echo "$0 $*"; env; }} >> "$CALLS"\n{last}\n')
            script.chmod(0o755)


def _run(worker: Worker, told: Json, stage: Stage) -> dict[str, str]:
    """What its children were given: arguments and variables, by the process's id."""
    leader = worker.start(told)
    seen: dict[str, str] = {}
    ended = time.monotonic() + PATIENCE
    while _alive(leader):
        seen |= _children_of(leader)
        if time.monotonic() > ended:
            os.killpg(leader, 9)
        time.sleep(0.05)
    worker.exit_code()
    log = stage.root / "calls"
    if log.exists():
        seen["calls"] = log.read_text()
    return seen


def _canary_for(combination: Combination) -> str:
    marks = "'\"<&" if combination.source == "secret" else "/+=" if combination.source == "argo token" else ""
    return new_canary(marks=marks)


def _is_known(combination: Combination) -> bool:
    """Whether the server has the canary to repeat: a Secret's value comes up in a run's messages, after it was read."""
    if combination.source == "secret":
        return combination.fault == "accepts"
    return combination.source not in UNKNOWN


@contextlib.contextmanager
def _peer(combination: Combination, canary: str) -> Iterator[str]:
    known = canary if _is_known(combination) else new_canary()
    secret = canary if combination.source == "secret" else ""
    if combination.fault == "refused":
        yield f"http://127.0.0.1:{refused_port()}"
        return
    tls = None
    if combination.fault == "untrusted":
        import trustme

        tls = tls_context(trustme.CA())
    with Peer(combination.fault, known, secret, tls=tls) as peer:
        yield peer.url.replace("http:", "https:") if combination.fault == "not tls" else peer.url


def _prepare(stage: Stage, combination: Combination, programs: Path) -> Json:
    """Write the files of a combination; what its process is to do."""
    SOURCES[combination.source](stage)
    script = combination.command == "script"
    (stage.work / "experiment.py").write_text(EXPERIMENT if combination.source == "secret" else SMALL)
    (stage.work / "script.py").write_text(SCRIPT)
    if combination.fault == "accepts" and "ARGO_SERVER" not in stage.environ:
        stage.argo(stage.server, "abc-123456")
    body = kubeconfig(stage.server, stage.user, namespace=NAMESPACE)
    body["clusters"][0]["cluster"] |= stage.cluster
    (stage.work / "kc").write_text(stage.broken or json.dumps(body))
    if stage.config:
        lines = "".join(f"{key} = {value}\n" for key, value in stage.config.items())
        (stage.work / "hera.config").write_text(lines)
    environ = {
        "PATH": f"{programs}:{os.environ.get('PATH', '')}",
        "HOME": str(stage.home),
        "CALLS": str(stage.root / "calls"),
        "KUBECONFIG": "kc",
        "ARGO_NAMESPACE": NAMESPACE,
        "HERA_K8S_HTTP_RETRIES": "0",
        "HERA_K8S_HTTP_TIMEOUT": "3",
        "HERA_K8S_CHECK_TIMEOUT": "6",
        "PYTHONWARNINGS": "always",
        **stage.environ,
    }
    words = [*COMMANDS[combination.command], *stage.words]
    return {"words": words, "directory": str(stage.work), "environ": environ, "script": "script.py" if script else ""}


def _searched(stage: Stage, combination: Combination) -> Iterator[Exposure]:
    files = [path for path in stage.root.rglob("*") if path.is_file() and path.name not in (*OUR_FILES, "calls")]
    for path in files:
        text = path.read_bytes().decode("utf-8", "replace")
        found = _found(stage.canary, text)
        if found:
            yield Exposure(combination, str(path.relative_to(stage.root)), found)


def _in_children(stage: Stage, combination: Combination, seen: Mapping[str, str]) -> Iterator[Exposure]:
    if stage.children_may:  # the kubeconfig says to give it to them
        return
    for process, given in seen.items():
        allowed = given.replace(stage.environ.get("HTTP_PROXY", "\0"), "")  # an exec plugin needs the proxy
        found = _found(stage.canary, allowed)
        if found:
            yield Exposure(combination, f"child {process}", found)


def _found(canary: str, text: str) -> str:
    """Where a canary is in a text, also across line breaks; empty where it is not."""
    for candidate in (text, "".join(text.split()), text.replace("\\n", "")):
        for needle in needles(canary):
            at = candidate.find(needle)
            if at >= 0:
                return candidate[max(0, at - 60) : at + 60].replace("\n", " ")
    return ""


def _alive(leader: int) -> bool:
    try:
        return Path(f"/proc/{leader}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _children_of(leader: int) -> dict[str, str]:
    """Arguments and variables of the other processes of a session."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) != leader or int(directory.name) == leader:
                continue
            given = (directory / "cmdline").read_bytes() + b"\0" + (directory / "environ").read_bytes()
            if int(fields[1]) == leader and given == _given_to(leader):
                continue  # a fork that has not become the program yet
            found[directory.name] = given.decode("utf-8", "replace").replace("\0", "\n")
    return found


def _given_to(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes() + b"\0" + Path(f"/proc/{process}/environ").read_bytes()


def campaign(combinations: Sequence[Combination], directory: Path) -> tuple[list[Exposure], int]:
    """Run them all; what got out, each printed at once, and how many children were looked at."""
    exposures = []
    running = Campaign(directory)
    for exposure in running.run(combinations):
        print(exposure, flush=True)
        exposures.append(exposure)
    return exposures, running.children


def main() -> int:
    """Run a campaign by hand; what was exposed stays on the disk to be looked at."""
    parser = ArgumentParser(description="Look for secrets that get out.")
    parser.add_argument("words", nargs="*", help="only combinations whose name holds each of these")
    parser.add_argument("--wide", action="store_true", help="every source with every fault and every command")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="so many of them, chosen at random")
    arguments = parser.parse_args()
    combinations = every() if arguments.wide or arguments.sample else some()
    combinations = [each for each in combinations if all(word in str(each) for word in arguments.words)]
    if arguments.sample:
        combinations = random.sample(combinations, min(arguments.sample, len(combinations)))
    return _told(combinations)


def _told(combinations: Sequence[Combination]) -> int:
    directory = Path(tempfile.mkdtemp(prefix="canaries-"))
    began = time.monotonic()
    exposures, children = campaign(combinations, directory)
    seconds = time.monotonic() - began
    print(f"{len(combinations)} combinations, {children} children in {seconds:.0f} s: {len(exposures)} exposed")
    if not exposures:
        shutil.rmtree(directory)
    return 1 if exposures else 0


if __name__ == "__main__":
    sys.exit(main())
