"""Every command on a real terminal, with the words of hostile servers, files and variables: nothing in them acts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from argo_peer import EVENTS, NAMESPACE, WORKFLOWS, ArgoPeer, hello, node, state
from command_line import SMALL, kubeconfig, write_kubeconfig
from fault_server import Answer, FaultServer, Request, reply, sse

pytest.importorskip("pty", reason="pseudo-terminals are for POSIX systems")
from terminals import (
    EVIL,
    EVIL_LINES,
    HARMLESS,
    SEQUENCES,
    on_terminal,
    program_on_terminal,
    refuse_what_acts,
    seen,
)

from hera_k8s_cli.main import main

Json = dict[str, Any]

SWEEP = """
from hera.workflows import DAG, Workflow, script
from hera_k8s_kube import PersistentVolumeClaim
from hera_k8s_utils import Experiment, Inputs

@script(image="python:3.12")
def work(x):
    print(x)

def workflow(environment, inputs, layout):
    with Workflow(name="sweep", entrypoint="main") as w:
        with DAG(name="main"):
            work(**inputs.fan_out())
    return w

experiment = Experiment(
    name="sweep", inputs=Inputs(parameters={"x": ["a", "b"]}), workflow=workflow,
    requires=[PersistentVolumeClaim("data", mount_path="/data")], layout="hive",
)
"""
WAYS = ([], ["-vv", "--debug"], ["--output", "json"])
"""Each command is typed in these ways."""


@pytest.fixture
def place(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with an experiment, and a terminal that can do everything."""
    (work / "experiment.py").write_text(SMALL)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("HERA_K8S_HTTP_RETRIES", "0")
    monkeypatch.setenv("HERA_K8S_HTTP_TIMEOUT", "5")
    live_display()  # once, before a test fills the directory with what makes commands fail
    return work


@cache
def live_display() -> frozenset[str]:
    """What rich tells a terminal for a live display, where every word of others is harmless."""
    with ArgoPeer() as peer:
        hostile_run(peer, HARMLESS, HARMLESS)
        server = ("--argo-server", peer.url, "--argo-token", "token", "--namespace", NAMESPACE)
        found = seen(on_terminal("follow", "hello-1", *server)[1])
    assert {"erase_in_line", "set_mode"} <= found.events, "it was live"
    return found.events


def walk(*words: str) -> str:
    """Type a command in every way on a terminal; all that was seen."""
    return "".join(refuse_what_acts(on_terminal(*words, *way)[1], live_display()).text for way in WAYS)


# --- servers ---------------------------------------------------------------------------------------------------

COMMANDS = [
    ["check"],
    ["check", "--strict"],
    ["run"],
    ["run", "--detach", "--provision"],
    ["provision", "--yes"],
    ["runs"],
    ["runs", "--server"],
    ["follow", "hello-1"],
    ["logs", "hello-1"],
    ["logs", "hello-1", "main", "--colour"],
    ["logs", "hello-1", "--failed"],
    ["stop", "hello-1"],
    ["stop", "hello-1", "--terminate"],
]
"""Commands that ask a server."""


GRPC_CODES = {401: 16, 403: 7, 404: 5, 409: 6, 422: 3}
"""The code in the body of an Argo server's own refusal, by its HTTP status."""


def status(code: int) -> Json:
    """An error as Kubernetes writes it, and Argo but for the code, made of hostile text."""
    details = {
        "name": EVIL_LINES,
        "kind": EVIL_LINES,
        "causes": [{"reason": EVIL, "message": EVIL_LINES, "field": EVIL}],
    }
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": EVIL_LINES, "reason": EVIL_LINES,
            "code": code, "error": EVIL_LINES, "details": details}  # fmt: skip


def thing() -> Json:
    """An answer whose every string is hostile, whatever was asked for."""
    conditions = [{"type": EVIL, "status": EVIL, "reason": EVIL_LINES, "message": EVIL_LINES}]
    metadata = {"name": EVIL, "namespace": EVIL, "uid": EVIL, "resourceVersion": EVIL, "creationTimestamp": EVIL_LINES,
                "labels": {EVIL: EVIL, "hera-k8s-utils/run": EVIL}, "annotations": {EVIL: EVIL_LINES}}  # fmt: skip
    a_node = {"name": EVIL, "displayName": EVIL_LINES, "templateName": EVIL, "type": "Pod", "phase": "Failed",
              "message": EVIL_LINES, "startedAt": EVIL, "finishedAt": EVIL}  # fmt: skip
    about = {"phase": EVIL_LINES, "message": EVIL_LINES, "reason": EVIL, "progress": EVIL_LINES, "startedAt": EVIL,
             "finishedAt": EVIL, "conditions": conditions, "nodes": {"n": a_node}, "token": EVIL, "allowed": False,
             "userInfo": {"username": EVIL_LINES, "groups": [EVIL]}, "capacity": {"storage": EVIL}}  # fmt: skip
    single = {"metadata": metadata, "spec": {"accessModes": [EVIL], "volumeName": EVIL}, "status": about,
              "data": {EVIL: EVIL_LINES}, "type": EVIL}  # fmt: skip
    versions = {"version": EVIL_LINES, "gitVersion": EVIL_LINES, "major": EVIL, "minor": EVIL, "platform": EVIL}
    who = {"subject": EVIL_LINES, "name": EVIL, "email": EVIL, "serviceAccountName": EVIL_LINES, "issuer": EVIL}
    return {**versions, **who, **single, "items": [single], "managedNamespace": EVIL, "result": {"content": EVIL_LINES}}


ANSWERS = {
    "401": reply(401, status(401)),
    "403": reply(403, status(403)),
    "404": reply(404, status(404)),
    "409": reply(409, status(409)),
    "422": reply(422, status(422)),
    "500": reply(500, status(500)),
    "text": reply(502, EVIL_LINES),
    "page": reply(200, f"<html><title>{EVIL}</title></html>", headers={"Content-Type": "text/html"}),
    "sent elsewhere": reply(302, "", headers={"Location": "http://evil.example/\x9b2J"}),
    "200": reply(200, thing()),
}


TRIED_AGAIN = ("500", "text", "page", "sent elsewhere", "200")
"""Answers for which streams are taken up again for minutes."""


def use_kubernetes(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", write_kubeconfig(Path("config"), kubeconfig(url, context=EVIL)))


def use_argo(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGO_SERVER", url)
    monkeypatch.setenv("ARGO_TOKEN", "token")
    monkeypatch.setenv("ARGO_NAMESPACE", NAMESPACE)


def answer_of(name: str, use: Any) -> Answer:
    """An answer as this kind of server gives it: a refusal that is its own is not tried again."""
    code = int(name) if name.isdigit() else 0
    own = use is use_argo and code in GRPC_CODES
    return reply(code, {**status(code), "code": GRPC_CODES[code]}) if own else ANSWERS[name]


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("use", [use_kubernetes, use_argo], ids=["kubernetes", "argo"])
def test_whatever_a_server_answers_acts_on_no_terminal(
    place: Path, name: str, use: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = [words for words in COMMANDS if name not in TRIED_AGAIN or words[0] not in ("follow", "logs")]
    with FaultServer() as server:
        server.otherwise = answer_of(name, use)
        use(server.url, monkeypatch)
        said = "".join(walk(*words) for words in commands)
        assert server.requests
    assert "unexpected: " not in said
    assert r"\x1b" in said or not name.isdigit(), "a server's own words are shown"


def hostile_run(peer: ArgoPeer, text: str, lines: str) -> None:
    """A run of the peer's whose nodes, phases, messages and logs hold a text."""
    failed = node("Failed", f"hello.{text}", message=lines, templateName=f"of {text}", boundaryID=text)
    running = node("Running", f"hello.b{text}", message=lines, templateName=f"of {text}")
    suspended = {**node("Running", f"hello.c{text}", message=lines, templateName=f"gate {text}"), "type": "Suspend"}
    waiting = node("Pending", f"hello.d{text}", message=f"Unschedulable: {lines}", templateName=f"of {text}")
    nodes = {"1": running, "2": suspended, "3": waiting}
    ended = state("Failed", {"1": failed, "2": failed}, name="hello-1")
    ended["metadata"]["labels"] = {"hera-k8s-utils/run": text, "hera-k8s-utils/experiment": lines}
    ended["status"] |= {"message": lines, "startedAt": lines, "finishedAt": lines}
    begun = state("Running", nodes, name="hello-1")
    events = [{"result": {"type": "MODIFIED", "object": each}} for each in (begun, ended)]
    content = {"result": {"content": f"2026-11-20T12:00:00Z {text}\r\x1b[31mred", "podName": f"hello-{text}"}}
    peer.workflows["hello-1"] = {**hello("hello-1"), **ended}
    peer.on("GET", EVENTS, lambda *asked: sse(events)(*asked))  # a stream is made for each request
    peer.on("GET", WORKFLOWS, reply(200, {"metadata": {}, "items": [peer.workflows["hello-1"]]}))
    peer.on("GET", f"{WORKFLOWS}/hello-1/log", lambda *asked: sse([content, content])(*asked))


@pytest.fixture
def peer(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArgoPeer]:
    with ArgoPeer() as peer:
        use_argo(peer.url, monkeypatch)
        yield peer


FOLLOWED = [["follow", "hello-1"], ["logs", "hello-1"], ["logs", "hello-1", "--failed"], ["runs", "--server"],
            ["stop", "hello-1"]]  # fmt: skip


@pytest.mark.parametrize("words", FOLLOWED, ids=" ".join)
def test_a_run_with_hostile_names_messages_and_logs_acts_on_no_terminal(peer: ArgoPeer, words: list[str]) -> None:
    hostile_run(peer, EVIL, EVIL_LINES)
    said = walk(*words)
    assert words[0] == "stop" or r"\x1b" in said, "it was shown"


# --- logs ------------------------------------------------------------------------------------------------------


def test_colours_of_logs_are_kept_when_they_are_asked_for(peer: ArgoPeer) -> None:
    hostile_run(peer, EVIL, EVIL_LINES)
    plain = on_terminal("logs", "hello-1")[1]
    coloured = on_terminal("logs", "hello-1", "--colour")[1]
    assert rb"\x1b[31mred" in plain
    assert rb"\x1b[31mred" not in coloured
    assert b"\x1b[31mred" in coloured
    for output in (plain, coloured):
        assert rb"\x1b]52;c;ZXZpbA==\x07" in refuse_what_acts(output).text.encode()


@pytest.mark.parametrize("colours", [[], ["--colour"]], ids=["plain", "coloured"])
def test_a_token_in_a_log_is_not_shown(peer: ArgoPeer, monkeypatch: pytest.MonkeyPatch, colours: list[str]) -> None:
    monkeypatch.setenv("ARGO_TOKEN", "very-secret-t0ken")
    hostile_run(peer, "it is very-secret-t0ken", HARMLESS)
    output = on_terminal("logs", "hello-1", *colours)[1]
    assert b"it is <redacted>" in output
    assert b"very-secret-t0ken" not in output


def test_logs_in_a_pipe_are_as_they_were_printed(peer: ArgoPeer, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    hostile_run(peer, EVIL, EVIL_LINES)
    assert main(["logs", "hello-1"]) == 0
    out = capfdbinary.readouterr().out
    assert out.count(f"{EVIL}\r\x1b[31mred\n".encode()) == 2


def test_json_of_hostile_logs_is_ascii_and_whole(peer: ArgoPeer, capsys: pytest.CaptureFixture[str]) -> None:
    hostile_run(peer, EVIL, EVIL_LINES)
    assert main(["logs", "hello-1", "--output", "json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert {json.loads(line)["text"] for line in lines} == {f"{EVIL}\r\x1b[31mred"}


def test_bytes_of_a_pod_that_are_no_text_reach_a_file_unchanged(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    printed = b"caf\xe9 \xff\x00 \xc3\xa9\r"

    def answer(request: Request, handler: Any) -> None:
        path = request.path
        if path.endswith("/log"):
            reply(200, printed + b"\n")(request, handler)
        elif "/pods" in path:
            pod = {"metadata": {"name": "hello-pod", "creationTimestamp": "2026-11-20T12:00:00Z"}}
            reply(200, {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [pod]})(request, handler)
        else:
            found = {**hello("hello-1"), **state("Succeeded", name="hello-1")}
            reply(200, found)(request, handler)

    with FaultServer() as server:
        server.otherwise = answer
        monkeypatch.setenv("KUBECONFIG", write_kubeconfig(Path("config"), kubeconfig(server.url)))
        assert main(["logs", "hello-1", "--engine", "kubernetes"]) == 0
        assert printed in capfdbinary.readouterr().out
        terminal = refuse_what_acts(on_terminal("logs", "hello-1", "--engine", "kubernetes")[1])
        assert r"\x00" in terminal.text


# --- files, flags and variables --------------------------------------------------------------------------------

KEYS = ("argo_server", "argo_token", "argo_namespace", "k8s_config_file", "registry", "bind", "credentials", "engine",
        "runs_dir", "run_id", "points", "layout", "set", "image", "ca_file", "http_timeout", "sandbox_dir",
        "k8s_volume_claim_name", "context", "unheard_of")  # fmt: skip
PAIRS = ("bind", "credentials", "image", "points", "registry", "set")
"""Keys whose value may have a name and an equals sign first."""
OFFLINE = [["config"], ["check"], ["run", "--dry-run"], ["render"], ["layout"], ["layout", "--all"], ["runs"],
           ["follow"], ["logs"], ["stop", "x"], ["login"], ["sandbox", "--status"]]  # fmt: skip
ONE_LINE = EVIL.replace("\x00", "").replace("\x0b", "").replace("\x0c", "").replace("\x85", "").replace("\u2028", "")
"""What fits into a line of a file and into a variable."""


def test_the_experiment_of_these_tests_is_one(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "experiment.py").write_text(SWEEP)
    assert main(["layout"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("key", KEYS)
def test_values_of_a_configuration_file_act_on_no_terminal(place: Path, key: str) -> None:
    (place / "experiment.py").write_text(SWEEP)
    (place / "hera.config").write_text(f"{key} = {ONE_LINE}\n{key}{ONE_LINE} = 1\n", encoding="utf-8")
    for words in OFFLINE:
        walk(*words)
    if key in PAIRS:
        (place / "hera.config").write_text(f"{key} = a={ONE_LINE}\n", encoding="utf-8")
        for words in OFFLINE:
            walk(*words)


URL, PAIR = f"https://a:1/{ONE_LINE}", f"data={ONE_LINE}\n{ONE_LINE}"
VARIABLES = {
    "ARGO_SERVER": URL,
    "ARGO_TOKEN": PAIR,
    "ARGO_NAMESPACE": PAIR,
    "KUBECONFIG": PAIR,
    "HERA_K8S_BIND": PAIR,
    "HERA_K8S_REGISTRY": URL,
    "HERA_K8S_RUNS_DIR": PAIR,
    "HERA_K8S_DISABLE_PLUGINS": PAIR,
    "ARGOCONFIG": PAIR,
    "HTTPS_PROXY": URL,
    "NO_PROXY": URL,
}
"""A value of the form that is expected, and hostile; of several lines where that is no address."""


@pytest.mark.parametrize("name", VARIABLES)
def test_values_of_variables_act_on_no_terminal(place: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "experiment.py").write_text(SWEEP)
    for value in (ONE_LINE, VARIABLES[name]):
        monkeypatch.setenv(name, value)
        for words in OFFLINE:
            walk(*words)


@pytest.mark.parametrize("words", [["EVIL"], ["check", "EVIL"], ["check", "EVIL.py"], ["check", "experiment.py:EVIL"],
                                   ["run", "--EVIL"], ["run", "--points", "EVIL"], ["run", "--set", "EVIL"],
                                   ["layout", "--layout", "template:EVIL"], ["layout", "--layout", "EVIL"],
                                   ["follow", "EVIL"], ["logs", "EVIL", "EVIL"], ["stop", "EVIL"], ["--config", "EVIL"],
                                   ["check", "--config", "EVIL"], ["--no-plugin", "EVIL", "plugins"],
                                   ["run", "--dry-run", "--run-id", "EVIL"], ["runs", "--limit", "EVIL"],
                                   ["login", "--argo-server", "EVIL"], ["sandbox", "--advance", "EVIL"],
                                   ["render", "--format", "EVIL"], ["config", "--bind", "data=EVIL"],
                                   ["check", "--timeout", "EVIL"], ["help", "EVIL"]], ids=" ".join)  # fmt: skip
def test_words_of_the_command_line_act_on_no_terminal(place: Path, words: list[str]) -> None:
    (place / "experiment.py").write_text(SWEEP)
    walk(*(word.replace("EVIL", EVIL_LINES.replace("\x00", "")) for word in words))
    walk(*(word.replace("EVIL", ONE_LINE) for word in words))


@pytest.mark.parametrize("cell", [*SEQUENCES, f'"{EVIL_LINES}"', "\rover"], ids=repr)
def test_cells_of_points_act_on_no_terminal(place: Path, cell: str) -> None:
    (place / "experiment.py").write_text(SWEEP)
    (place / "points.csv").write_text(f"x\n{cell}\nplain\n", encoding="utf-8", newline="")
    (place / "points.json").write_text(json.dumps([{"x": EVIL_LINES}, {EVIL_LINES: cell}]), encoding="utf-8")
    (place / "names.csv").write_text(f"x,{cell}\n1,2\n", encoding="utf-8", newline="")
    layouts = (["layout"], ["layout", "--layout", "template:{x}"], ["layout", "--all", "--layout", "template:{x}"])
    for words in (*layouts, ["run", "--dry-run"], ["render"]):
        for file in ("points.csv", "points.json", "names.csv"):
            walk(*words, "--points", file)


@pytest.mark.parametrize("source", [
    "raise ValueError(EVIL)",
    "raise SystemExit(EVIL)",
    "import warnings; warnings.warn(EVIL); " + SMALL.strip().replace("\n", "\n"),
    "import logging; logging.getLogger('x').error(EVIL)",
    "def f(:  # " + ONE_LINE,
    "x = '" + ONE_LINE.replace("\r", "") + "' +",
    "from hera_k8s_utils import Experiment\nexperiment = Experiment(name=EVIL, workflow=lambda e: None)",
    "from hera_k8s_kube import ConfigMap\nfrom hera_k8s_utils import Experiment, Inputs\n"
    "experiment = Experiment(name='x', inputs=Inputs(parameters={EVIL: [EVIL]}),"
    " workflow=lambda e, i, l: None, requires=[ConfigMap(EVIL, keys={EVIL})])",
    "from hera.workflows import Container, Workflow\n"
    "with Workflow(name='hello', entrypoint=EVIL, labels={EVIL: EVIL}) as w:\n"
    "    Container(name=EVIL, image=EVIL, command=[EVIL])\n",
], ids=range(9))  # fmt: skip
def test_what_an_experiment_holds_and_raises_acts_on_no_terminal(place: Path, source: str) -> None:
    (place / "experiment.py").write_text(f"EVIL = {EVIL_LINES!r}\n{source}\n", encoding="utf-8", errors="surrogatepass")
    for words in (["check"], ["run", "--dry-run"], ["render"], ["layout"], ["config", "experiment.py"]):
        walk(*words)


def test_names_of_files_and_directories_act_on_no_terminal(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = place / ONE_LINE.replace("/", "")
    inner.mkdir()
    monkeypatch.chdir(inner)
    bad = os.fsdecode(b"\xe9\x1b[2J.py")
    for name in (f"x{SEQUENCES[0]}.py", bad):
        Path(name).write_text("raise ValueError('no')\n")
        for words in (["check"], ["run", "--dry-run"], ["render"], ["layout"]):
            walk(*words, name)
    for words in (["runs"], ["config"], ["sandbox", "--status"], ["sandbox", "--stop"], ["follow"]):
        walk(*words)


def test_records_of_others_act_on_no_terminal(place: Path) -> None:
    record = place / "runs" / "20261120-1200-abcd"
    record.mkdir(parents=True)
    about = {"run": record.name, "workflow": EVIL, "experiment": EVIL_LINES, "created_at": EVIL_LINES, "points": 2,
             "results": {"title": EVIL, "path": EVIL_LINES, "local": EVIL_LINES},
             "engine": EVIL, "back": {EVIL: EVIL}}  # fmt: skip
    failed = [{"name": EVIL_LINES, "template": EVIL, "message": EVIL_LINES}]
    outcome = {"workflow": EVIL, "phase": EVIL_LINES, "message": EVIL_LINES, "failed": failed, "total": 2, "unit": EVIL}
    submission = {"name": EVIL_LINES, "namespace": EVIL, "url": EVIL_LINES}
    for name, content in (("run", about), ("outcome", outcome), ("submission", submission), ("manifest", hello())):
        (record / f"{name}.json").write_text(json.dumps(content))
    (record / "events.jsonl").write_text(json.dumps({"phase": EVIL_LINES, "nodes": [{"name": EVIL_LINES}]}) + "\n")
    for words in (["runs"], ["follow"], ["follow", "abcd"], ["logs"], ["logs", "abcd", "x"], ["stop", "abcd"]):
        walk(*words)
    (record / "outcome.json").unlink()
    for words in (["runs"], ["follow", "abcd"], ["logs", "abcd"], ["stop", "abcd"]):
        walk(*words)


def test_the_words_of_an_exec_plugin_act_on_no_terminal(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = EVIL_LINES.encode()
    program = f"import sys; sys.stderr.buffer.write({said!r}); sys.exit(3)"
    for mode in ("Never", "Always"):
        exec_entry = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable,
                      "args": ["-c", program], "interactiveMode": mode, "installHint": EVIL_LINES}  # fmt: skip
        broken = {**exec_entry, "command": EVIL}
        if mode == "Never":  # one that may ask has the terminal for itself, as kubectl gives it
            monkeypatch.setenv(
                "KUBECONFIG", write_kubeconfig(Path("config"), kubeconfig("http://127.0.0.1:9", {"exec": exec_entry}))
            )
            walk("check")
        monkeypatch.setenv(
            "KUBECONFIG", write_kubeconfig(Path("config"), kubeconfig("http://127.0.0.1:9", {"exec": broken}))
        )
        walk("check")


@pytest.mark.parametrize("field", ["server", "proxy-url", "certificate-authority", "context", "namespace", "user"])
def test_what_a_kubeconfig_holds_acts_on_no_terminal(place: Path, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = kubeconfig("http://127.0.0.1:9", context=EVIL_LINES if field == "context" else "lyon")
    cluster, context, user = body["clusters"][0]["cluster"], body["contexts"][0]["context"], body["users"][0]["user"]
    if field in ("namespace", "user"):
        context[field] = EVIL_LINES
    elif field != "context":
        cluster[field] = EVIL_LINES if field == "certificate-authority" else f"http://{EVIL_LINES}"
    user["tokenFile"] = EVIL
    monkeypatch.setenv("KUBECONFIG", write_kubeconfig(Path("config"), body))
    for words in (["check"], ["runs", "--server"], ["config"], ["logs", "x"]):
        walk(*words)


def test_warnings_act_on_no_terminal(place: Path) -> None:
    (place / "experiment.py").write_text(f"import warnings\nwarnings.warn({EVIL_LINES!r})\n{SMALL}", encoding="utf-8")
    _, output = program_on_terminal("-m", "hera_k8s_utils", "run", "--dry-run", cwd=place)
    assert r"UserWarning: evil\x1b]52;c;ZXZpbA==\x07" in " ".join(
        refuse_what_acts(output).text.split()
    )  # the line is wrapped


# --- programs --------------------------------------------------------------------------------------------------


def test_the_prompt_of_login_acts_on_no_terminal(place: Path) -> None:
    _, output = program_on_terminal(
        "-m", "hera_k8s_utils", "login", "--argo-server", f"http://host\u202e{SEQUENCES[0]}:80", cwd=place
    )
    refuse_what_acts(output)
    _, output = program_on_terminal("-m", "hera_k8s_utils", "login", "--argo-server", "host:80", cwd=place)
    assert "Token for host:80" in refuse_what_acts(output, frozenset({"carriage_return"})).text


SCRIPTS = {
    "usage": "parser().parse_args()",
    "server": "args = parser().parse_args(); k8s_cluster(args)",
    "environment": "args = parser().parse_args(); num_exp_environment(args, verbose=True)",
    "struct": "from hera_k8s_utils.num_exp_environment import Struct; raise ScriptExit(EVIL, found=EVIL, hint=EVIL)",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_for_the_first_version_act_on_no_terminal(place: Path, name: str) -> None:
    script = place / f"script{SEQUENCES[0]}\u202e.py"
    head = "from hera_k8s_utils import parser, k8s_cluster, num_exp_environment, ScriptExit\n"
    script.write_text(f"{head}EVIL = {EVIL_LINES!r}\n{SCRIPTS[name]}\n", encoding="utf-8")
    with FaultServer() as server:
        server.otherwise = ANSWERS["403"]
        config = write_kubeconfig(place / "config", kubeconfig(server.url, context=EVIL))
        for words in (["--help"], ["--nosuch" + SEQUENCES[0]], ["--k8s_config_file", config]):
            variables = {"ARGO_SERVER": server.url, "ARGO_TOKEN": "token"}
            _, output = program_on_terminal(str(script), *words, cwd=place, **variables)
            if b"Traceback" not in output:  # Python's own names the file as it is called
                refuse_what_acts(output)


def test_a_whole_run_on_the_sandbox_acts_on_no_terminal(place: Path) -> None:
    leaving = EVIL.encode("unicode_escape").decode()
    printing = f"import sys; sys.stdout.buffer.write({EVIL_LINES.encode()!r}); sys.exit('{leaving}')"
    source = SMALL.replace(
        'image="busybox", command=["true"]', f'image="python:3.12", command=["python", "-c", {printing!r}]'
    )
    harmless = SMALL.replace('command=["true"]', 'command=["false"]')

    def outputs(text: str) -> list[bytes]:
        (place / "experiment.py").write_text(text, encoding="utf-8")
        commands = (["run", "--sandbox"], ["follow"], ["logs"], ["logs", "--failed"], ["runs"])
        return [program_on_terminal("-m", "hera_k8s_utils", *words, cwd=place)[1] for words in commands]

    try:
        allowed: frozenset[str] = frozenset().union(*(seen(each).events for each in outputs(harmless)))
        *others, failed, listing = outputs(source)
        shown = [refuse_what_acts(each, allowed) for each in (*others, listing)]
        assert r"\x1b]52;c;ZXZpbA==\x07" in shown[2].text
        assert seen(failed).events == {"linefeed"}  # of one task alone, its lines are what was asked for
    finally:
        main(["sandbox", "--stop"])
