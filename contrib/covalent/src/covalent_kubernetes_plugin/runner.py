"""What runs in the pod: takes the task, runs it in a child process, sends back what came of it.

Python 3.8 and its standard library are all that the image must have: this file and cloudpickle travel with the task. It
is copied into the pod and imports nothing of the package that it lies in.

Beside it lie `ticket.json` (which task, what its digest is, where the outcome goes) and `cloudpickle.zip`. The outcome
is one block of bytes: a line with its HMAC, a line of JSON, the pickled result. Who has the task's key can write one.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import types
import urllib.error
import urllib.request
import zlib

TYPE_CHECKING = False  # as type checkers know it; `typing` would be one more import in every pod
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Json = dict[str, Any]

HERE = os.path.dirname(os.path.abspath(__file__))
STORE = os.environ.get("COVALENT_STORE", "")
MARK = "covalent-outcome"
LINE = 8000  # characters: container runtimes cut lines at 16 KiB
SHOWN = 10_000  # characters of a result's text, and of a traceback
DONE, FAILED, UNDELIVERED = 0, 1, 3  # how this ends; only after the last there is no outcome to read
ORPHANS = 5.0  # seconds in which what the task left running may still write
TRIES = 5  # of a transfer


def main() -> int:
    """Run the task of the ticket; returns the status to end with."""
    with open(os.path.join(HERE, "ticket.json"), encoding="utf-8") as file:
        ticket = json.load(file)
    what = "the task cannot be fetched"
    try:
        task = fetch(ticket["task"])
        what = "the outcome cannot be sent"
        ended = deliver(ticket, *attempt(ticket, task))
    except Exception as error:
        print(f"{what}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return UNDELIVERED
    return DONE if ended["state"] == "done" else FAILED


def attempt(ticket: Json, task: bytes) -> tuple[Json, bytes]:
    """The header of the outcome and the pickled result. Nothing is unpickled that is not the task of the ticket."""
    wanted = ticket["python"].split(".")[:2]
    if wanted != [str(part) for part in sys.version_info[:2]]:
        return refused("python", sys.version.split()[0]), b""
    if hashlib.sha256(task).hexdigest() != ticket["digest"]:
        return refused("digest", f"{len(task)} bytes of another digest"), b""
    return in_child(task, ticket["keep"])


def refused(kind: str, found: str) -> Json:
    """The header of a task that was not begun, or whose result cannot be sent."""
    return {"state": "refused", "kind": kind, "found": found}


# --- to and fro ------------------------------------------------------------------------------------------------------


def fetch(where: Json) -> bytes:
    """The bytes of the task."""
    if "secret" in where:
        with open(os.path.join(HERE, where["secret"]), "rb") as file:
            return zlib.decompress(file.read())
    if "file" in where:
        with open(os.path.join(STORE, where["file"]), "rb") as file:
            return file.read()
    return request("GET", where["url"])


def deliver(ticket: Json, header: Json, result: bytes) -> Json:
    """Send the outcome where the ticket says; returns the header that was sent."""
    where = ticket["outcome"]
    block = sealed(ticket["key"], header, result)
    if "log" in where:
        packed = zlib.compress(block, 6)
        if len(packed) > where["log"]:
            size = f"{len(packed)} bytes when compressed, its output included, and {where['log']} go through the log"
            header = dict(refused("size", size), stdout=tail(header, "stdout"), stderr=tail(header, "stderr"))
            packed = zlib.compress(sealed(ticket["key"], header, b""), 6)
        write_lines(ticket["nonce"], base64.b64encode(packed).decode("ascii"))
    elif "file" in where:
        path = os.path.join(STORE, where["file"])
        with open(path + ".part", "wb") as file:
            file.write(block)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".part", path)
    else:
        request("PUT", where["url"], block)
    return header


def tail(header: Json, name: str) -> str:
    """The end of an output, for an outcome that may not be long."""
    return str(header.get(name, ""))[-LINE:]


def sealed(key: str, header: Json, result: bytes) -> bytes:
    """The block: HMAC, header, result."""
    body = json.dumps(header).encode("ascii") + b"\n" + result
    return hmac.new(bytes.fromhex(key), body, "sha256").hexdigest().encode("ascii") + b"\n" + body


def write_lines(nonce: str, text: str) -> None:
    """The outcome as lines of the log, which nobody but who submitted the task looks for."""
    parts = [text[start : start + LINE] for start in range(0, len(text), LINE)]
    sys.stdout.write("\n")  # the task's last line may have no end
    for number, part in enumerate(parts, start=1):
        sys.stdout.write(f"{MARK} {nonce} {number}/{len(parts)} {part}\n")
    sys.stdout.flush()


def request(method: str, url: str, body: bytes | None = None) -> bytes:
    """A transfer, repeated when the other side is not there or has trouble of its own."""
    for left in range(TRIES - 1, -1, -1):
        try:
            sent = urllib.request.Request(url, data=body, method=method)  # noqa: S310 - the ticket's own address
            if body is not None:
                sent.add_header("Content-Type", "")  # as it was signed
            with urllib.request.urlopen(sent, timeout=300) as answer:  # noqa: S310
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code < 500 or not left:
                raise RuntimeError(f"{method} was answered {error.code} {error.reason}") from None  # without the URL
        except OSError as error:
            if not left:
                raise RuntimeError(f"{method} failed: {error}") from None
        time.sleep(2 ** (TRIES - left))
    raise AssertionError("unreachable")


# --- the child, from outside -----------------------------------------------------------------------------------------


def in_child(task: bytes, keep: int) -> tuple[Json, bytes]:
    """Run the task in a process of its own: what it prints is kept apart, and its crash is reported."""
    reading, writing = os.pipe()
    child = subprocess.Popen(
        [sys.executable, os.path.abspath(__file__), "--task", str(writing)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[writing],
        bufsize=0,
        env=dict(os.environ, PYTHONUNBUFFERED="1"),
    )
    os.close(writing)
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end(child, ending))
    outputs = [Copied(child.stdout, 1, keep), Copied(child.stderr, 2, keep)]
    reported = Reported(reading)
    with contextlib.suppress(OSError):  # when it is gone, its status says how
        send(child.stdin, task)
    status = child.wait()
    if ending.is_set():  # the pod is being deleted, so no outcome is needed
        os._exit(128 + signal.SIGTERM)
    for thread in [*outputs, reported]:
        thread.join(ORPHANS)
    for output in outputs:
        output.close()
    if reported.header is None:
        header = {"state": "crashed", "found": ended_by(status)}
        result = b""
    else:
        header, result = reported.header, reported.result
    header.update(stdout=outputs[0].text(), stderr=outputs[1].text(), python=sys.version.split()[0])
    return header, result


def send(pipe: Any, task: bytes) -> None:
    """Write it all, and close: an unbuffered pipe may take less at a time."""
    view = memoryview(task)
    while view:
        view = view[pipe.write(view) :]
    pipe.close()


def end(child: subprocess.Popen[bytes], ending: threading.Event) -> None:
    """The pod is to go: so is the task, by force if it does not heed."""
    ending.set()
    child.terminate()
    force = threading.Timer(ORPHANS, child.kill)
    force.daemon = True
    force.start()


def ended_by(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"its process ended with status {status}"
    try:
        return f"its process was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"its process was ended by signal {-status}"


class Copied(threading.Thread):
    """An output of the task: copied to the log as it comes, its end kept for the outcome. Nothing of it is copied once
    it is closed, since the outcome's lines follow there; it is read on, so that nobody who writes is held up."""

    def __init__(self, pipe: Any, to: int, keep: int) -> None:
        super().__init__(daemon=True)
        self._pipe, self._to, self._keep = pipe, to, keep
        self._kept = bytearray()
        self._all = 0
        self._closed = False
        self._lock = threading.Lock()
        self.start()

    def run(self) -> None:
        while True:
            some = os.read(self._pipe.fileno(), 65536)
            if not some:
                return
            with self._lock:
                if not self._closed:
                    self._copy(some)

    def _copy(self, some: bytes) -> None:
        self._all += len(some)
        self._kept += some
        if len(self._kept) > 2 * self._keep:
            del self._kept[: -self._keep]
        while some:
            some = some[os.write(self._to, some) :]

    def close(self) -> None:
        """Copy and keep no more of it."""
        with self._lock:
            self._closed = True

    def text(self) -> str:
        """What is kept, and how much is not."""
        with self._lock:
            kept, everything = bytes(self._kept[-self._keep :]), self._all
        cut = everything - len(kept)
        before = f"[{cut} bytes before this are in the pod's log only]\n" if cut else ""
        return before + kept.decode("utf-8", "replace")


class Reported(threading.Thread):
    """What the child says of its task: a line of JSON with the result's size, then the result."""

    def __init__(self, reading: int) -> None:
        super().__init__(daemon=True)
        self._reading = reading
        self.header: Json | None = None
        self.result = b""
        self.start()

    def run(self) -> None:
        with os.fdopen(self._reading, "rb") as pipe:
            line = pipe.readline()
            if not line.endswith(b"\n"):
                return
            header = json.loads(line)
            size = header.pop("size")
            result = pipe.read(size)
        if len(result) < size:  # its process was killed while it wrote
            return
        self.result, self.header = result, header


# --- the child, from inside ------------------------------------------------------------------------------------------


def run_task(writing: int) -> None:
    """In the child: read the task from standard input, run it, tell what came of it."""
    task = json.loads(sys.stdin.buffer.read())
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    with os.fdopen(writing, "wb") as pipe:
        header, result = outcome_of(task)
        header["size"] = len(result)
        sys.stdout.flush()
        sys.stderr.flush()
        pipe.write(json.dumps(header).encode("ascii") + b"\n")
        pipe.write(result)


def outcome_of(task: Json) -> tuple[Json, bytes]:
    """Unpickle, run, pickle; the stage that failed is recorded."""
    sys.path[0] = os.getcwd()  # and not the directory of this file
    sys.path.insert(0, os.path.join(HERE, "cloudpickle.zip"))
    import cloudpickle

    stand_in = provide_covalent()
    load = unpickler(cloudpickle)
    stage = "before"
    try:
        returned = call_before(task["before"], load)  # it may install what the rest needs
        stage = "unpickle"
        function = load(task["function"])
        args = [load(each) for each in task["args"]]
        kwargs = {name: load(each) for name, each in task["kwargs"].items()}
        after = [[load(each) for each in call[:3]] for call in task["after"]]
        stage = "run"
        value = function(*args, **{**kwargs, **returned})
        for each, its_args, its_kwargs in after:
            each(*its_args, **its_kwargs)
        stage = "pickle"
        result = cloudpickle.dumps(value)
    except BaseException as error:
        return raised(error, stage, stand_in), b""
    about = {"doc": text_of(getattr(value, "__doc__", "")), "name": text_of(getattr(value, "__name__", ""))}
    return {"state": "done", "about": about, "text": shown(value), "cloudpickle": cloudpickle.__version__}, result


def unpickler(cloudpickle: Any) -> Callable[[str], Any]:
    """A function that reads one pickle in base64."""
    return lambda text: cloudpickle.loads(base64.b64decode(text))


def call_before(calls: list[list[str]], load: Callable[[str], Any]) -> Json:
    """Run what was asked to run first; returns the arguments that it adds, as Covalent's own wrapper does."""
    returned: dict[str, list[Any]] = {}
    for function, args, kwargs, keyword in calls:
        value = load(function)(*load(args), **load(kwargs))
        importlib.invalidate_caches()  # it may have installed something
        if keyword:
            returned.setdefault(keyword, []).append(value)
    return {name: kept[0] if len(kept) == 1 and name != "files" else kept for name, kept in returned.items()}


def raised(error: BaseException, stage: str, stand_in: bool) -> Json:
    """The header of a task that failed; the traceback begins where the task's own code does."""
    inner = error.__traceback__.tb_next if error.__traceback__ is not None else None
    lines = traceback.format_exception(type(error), error, inner)
    header = {"state": "raised", "stage": stage, "kind": type(error).__name__, "traceback": "".join(lines)[-SHOWN:]}
    if isinstance(error, ImportError) and error.name:
        header["module"] = error.name.partition(".")[0]
    if stand_in and "covalent" in str(error):
        header["module"] = "covalent"
    return header


def shown(value: Any) -> str:
    """The result as text, for people."""
    try:
        text = str(value)
    except Exception as error:
        return f"<{type(value).__name__}: its text cannot be had: {type(error).__name__}>"
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def text_of(value: Any) -> str:
    """A name or a docstring, which a result may have as anything."""
    return value if isinstance(value, str) else ""


def provide_covalent() -> bool:
    """Where the image has no Covalent: the two functions of it that tasks name. Returns whether they stand in."""
    if importlib.util.find_spec("covalent") is not None:
        return False
    for name in ("covalent", "covalent._workflow", "covalent._workflow.depsbash", "covalent._workflow.depspip"):
        module = types.ModuleType(name, "Stands in for Covalent, which is not installed in this image.")
        module.__path__ = []
        sys.modules[name] = module
    vars(sys.modules["covalent._workflow.depsbash"])["apply_bash_commands"] = apply_bash_commands
    vars(sys.modules["covalent._workflow.depspip"])["apply_pip_deps"] = apply_pip_deps
    return True


def apply_bash_commands(commands: list[str]) -> None:
    """DepsBash: shell commands that run before the task."""
    for command in commands:
        subprocess.run(command, shell=True, check=True, stdin=subprocess.DEVNULL)  # noqa: S602 - shell is what is asked


def apply_pip_deps(packages: Iterable[str] = (), requirements_content: str = "") -> None:
    """DepsPip: packages that are installed before the task."""
    command = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    if requirements_content:
        command += ["-r", "/dev/stdin"]
    else:
        command += " ".join(packages).split()
    subprocess.run(command, check=True, input=requirements_content.encode("utf-8"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--task"]:
        run_task(int(sys.argv[2]))
    else:
        sys.exit(main())
