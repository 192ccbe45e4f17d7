"""Runs a command in a private root made of bind mounts. A program that needs only Python's standard library on Linux.

    python -I -S namespaces.py --root DIR [OPTION ...] -- COMMAND [ARGUMENT ...]
    python -I -S namespaces.py --serve DESCRIPTOR

The options are those of bubblewrap that the sandbox uses, with the same meaning: `--bind SOURCE TARGET`, `--ro-bind`,
`--ro-bind-try`, `--symlink TEXT TARGET`, `--tmpfs TARGET`, `--dir TARGET`, `--proc TARGET`, `--dev TARGET`, `--chdir
DIR`, `--hostname NAME`. They are applied in order; a SOURCE is a path without links. DIR is an empty directory on which
the root is mounted; nothing is written into it. The mounts are seen by the command alone, and are gone when it ends.

Three processes take part: the outer one, which waits; the first of a new process namespace, which mounts, and reaps
what is left behind; and the command, which therefore receives signals like any other process. When one of the first
two dies, the kernel kills all that run in the namespace.

With `--serve` it reads requests from a socket and forks a child for each, which saves the start of an interpreter. A
request is one byte with three descriptors: standard output, standard error, and a stream on which the child reads
`{"argv": [...], "env": {...}}` and writes its process id, and later the exit code, one a line.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial

_LIBC = ctypes.CDLL(None, use_errno=True)

# Constants of Linux: <sched.h>, <sys/mount.h>, <sys/prctl.h>
_NEW_MOUNTS, _NEW_UTS, _NEW_IPC, _NEW_USER, _NEW_PIDS = 0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_PROGRAMS, _REMOUNT = 1, 2, 4, 8, 32
_BIND, _RECURSIVE, _SLAVE, _DETACH = 4096, 16384, 1 << 19, 2
_KEPT = {"noexec": _NO_PROGRAMS, "noatime": 1024, "nodiratime": 2048, "relatime": 1 << 21, "ro": _READ_ONLY}
_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_STREAMS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
_PROTECTED = ("sys", "sysrq-trigger", "irq", "bus")  # of /proc: what would change this machine
_OLD, _NEW = "/old", "/new"  # while the root is being made
_OPERANDS = {"--root": 1, "--chdir": 1, "--hostname": 1, "--tmpfs": 1, "--dir": 1, "--proc": 1, "--dev": 1}
_CANNOT_START = 128  # the exit code that containerd reports for a command that cannot be started

Operation = tuple[str, ...]


def main(words: list[str]) -> int:
    """Run one command, or serve."""
    enter()
    if words[0] == "--serve":
        serve(socket.socket(fileno=int(words[1])))
        return 0
    return run(words, dict(os.environ))


def enter() -> None:
    """Enter a mount namespace, and a user namespace where the first needs one: always, for other users than root."""
    user, group = os.geteuid(), os.getegid()
    try:
        _call("unshare", _NEW_MOUNTS)
    except PermissionError:
        _call("unshare", _NEW_MOUNTS | _NEW_USER)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    _mount(None, "/", None, _SLAVE | _RECURSIVE)  # what is mounted here stays here


def serve(requests: socket.socket) -> None:
    """Fork a child for each request, until the other end is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the children are not waited for here
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, 1, 3)
        if not message:
            return
        with contextlib.suppress(OSError):  # too many processes: this request gets no answer, others go on
            if os.fork() == 0:
                _end_with(partial(_answer, requests, descriptors))
        for descriptor in descriptors:
            os.close(descriptor)


def _answer(requests: socket.socket, descriptors: list[int]) -> int:
    requests.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)  # the command gets the copies below, and no way to answer in our place
    output, errors, stream = descriptors
    with socket.socket(fileno=stream) as channel:
        channel.sendall(b"%d\n" % os.getpid())
        with channel.makefile("rb") as file:
            request = json.load(file)
        os.dup2(output, 1)
        os.dup2(errors, 2)
        os.close(output)
        os.close(errors)
        code = run(request["argv"], request["env"])
        channel.sendall(b"%d\n" % code)
    return code


def run(words: list[str], env: dict[str, str]) -> int:
    """Run a command in namespaces of its own, to its end; its exit code, or 128 and the number of a signal."""
    end = words.index("--")
    operations, command = list(_parsed(words[:end])), words[end + 1 :]
    _control_process(_DEATH_SIGNAL, signal.SIGKILL)
    _call("unshare", _NEW_MOUNTS | _NEW_PIDS | _NEW_UTS | _NEW_IPC)
    first = os.fork()
    if first == 0:
        _end_with(partial(_be_first, operations, command, env))
    return _exit_code(os.waitpid(first, 0)[1])


def _be_first(operations: list[Operation], command: list[str], env: dict[str, str]) -> int:
    """The first process of the namespace: mount, start the command, and reap until that has ended."""
    _control_process(_DEATH_SIGNAL, signal.SIGKILL)
    Root(operations).make()
    _control_process(_NO_NEW_PRIVILEGES, 1)
    main_process = _start(command, {**env, "PWD": os.getcwd()})
    while True:
        ended, status = os.wait()
        if ended == main_process:
            return _exit_code(status)


def _start(command: list[str], env: dict[str, str]) -> int:
    os.environ["PATH"] = env.get("PATH", os.defpath)  # where the program is looked for
    ignored = [signal.SIGPIPE, signal.SIGXFSZ]  # by Python
    try:
        return os.posix_spawnp(command[0], command, env, setsigdef=ignored)
    except OSError as error:
        raise OSError(f'exec: "{command[0]}": {error.strerror}') from None


def _parsed(words: list[str]) -> list[Operation]:
    found, left = [], iter(words)
    for name in left:
        found.append((name, *(next(left) for _ in range(_OPERANDS.get(name, 2)))))
    return found


def _end_with(work: Callable[[], int]) -> None:
    """End this process with a function's result as its exit code; never return into the parent's code."""
    code = _CANNOT_START
    try:
        code = work()
    except OSError as error:
        os.write(2, f"the sandbox cannot start this container: {error}\n".encode("utf-8", "replace"))
    finally:
        os._exit(code)


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


# The root


class Root:
    """A private root, made by operations in their order."""

    def __init__(self, operations: list[Operation]) -> None:
        self._base = next(each[1] for each in operations if each[0] == "--root")
        self._directory = next((each[1] for each in operations if each[0] == "--chdir"), "/")
        self._operations = [each for each in operations if each[0] not in ("--root", "--chdir")]
        self._mounts = _mounts_of_this_machine()

    def make(self) -> None:
        """Make it, and let it be the root of this process."""
        _mount_tmpfs(self._base)
        os.mkdir(self._base + _OLD)
        _call("pivot_root", self._base.encode(), (self._base + _OLD).encode())
        os.chdir("/")
        _mount_tmpfs(_NEW)
        for name, *operands in self._operations:
            self._apply(name, operands)
        _call("umount2", _OLD.encode(), _DETACH)
        os.chdir(_NEW)
        _call("pivot_root", b".", b".")
        _call("umount2", b".", _DETACH)
        os.chdir(self._directory)

    def _apply(self, name: str, operands: list[str]) -> None:
        if name == "--hostname":
            socket.sethostname(operands[0])
            return
        known: dict[str, Callable[..., None]] = {
            "--bind": self._bind,
            "--ro-bind": self._bind_read_only,
            "--ro-bind-try": self._bind_if_there,
            "--symlink": _link,
            "--dir": _make_directory,
            "--tmpfs": _mount_tmpfs,
            "--proc": _mount_proc,
            "--dev": _mount_devices,
        }
        *sources, target = operands
        known[name](*sources, _NEW + target)

    def _bind(self, source: str, target: str, flags: int = 0) -> None:
        """Bind a source with all that is mounted below it. Flags that this machine has set are kept."""
        _make_place(target, is_directory=os.path.isdir(_OLD + source))
        _mount(_OLD + source, target, None, _BIND | _RECURSIVE)
        nearest = source
        while nearest not in self._mounts:
            nearest = os.path.dirname(nearest)
        _remount(target, flags | self._mounts[nearest])
        for place in [each for each in self._mounts if each.startswith(source + "/")]:
            with contextlib.suppress(OSError):  # a mount that another one hides, or that may not be reached
                _remount(target + place[len(source) :], flags | self._mounts[place])

    def _bind_read_only(self, source: str, target: str) -> None:
        self._bind(source, target, _READ_ONLY)

    def _bind_if_there(self, source: str, target: str) -> None:
        if os.path.lexists(_OLD + source):
            self._bind_read_only(source, target)


def _remount(path: str, flags: int) -> None:
    _mount(None, path, None, _REMOUNT | _BIND | _NO_SUID | _NO_DEVICES | flags)


def _make_directory(path: str) -> None:
    os.makedirs(path, exist_ok=True)


def _mount_tmpfs(path: str) -> None:
    os.makedirs(path, exist_ok=True)
    _mount("tmpfs", path, "tmpfs", _NO_SUID | _NO_DEVICES, "mode=0755")


def _mount_proc(path: str) -> None:
    os.makedirs(path, exist_ok=True)
    _mount("proc", path, "proc", _NO_SUID | _NO_DEVICES | _NO_PROGRAMS)
    for name in _PROTECTED:
        if os.access(f"{path}/{name}", os.W_OK):
            _mount(f"{path}/{name}", f"{path}/{name}", None, _BIND)
            _remount(f"{path}/{name}", _READ_ONLY | _NO_PROGRAMS)


def _mount_devices(path: str) -> None:
    _mount_tmpfs(path)
    for name in _DEVICES:
        _make_place(f"{path}/{name}", is_directory=False)
        _mount(f"{_OLD}/dev/{name}", f"{path}/{name}", None, _BIND)
    for name, text in _STREAMS.items():
        os.symlink(text, f"{path}/{name}")
    os.mkdir(f"{path}/shm")
    os.mkdir(f"{path}/pts")
    _mount("devpts", f"{path}/pts", "devpts", _NO_SUID | _NO_PROGRAMS, "newinstance,ptmxmode=0666,mode=620")
    os.symlink("pts/ptmx", f"{path}/ptmx")


def _mounts_of_this_machine() -> dict[str, int]:
    """The mount points of this machine and the flags with which they are mounted; the topmost of several counts."""
    found = {"/": 0}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            _, _, _, _, place, options, *_ = line.split(" ")
            names = options.split(",")
            found[_unescaped(place)] = sum(flag for name, flag in _KEPT.items() if name in names)
    return found


def _unescaped(place: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        place = place.replace(code, character)
    return place


def _make_place(path: str, *, is_directory: bool) -> None:
    """Make a mount point, if it is not there."""
    if is_directory:
        os.makedirs(path, exist_ok=True)
    elif not os.path.lexists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o444))


def _link(text: str, path: str) -> None:
    """Make a link, unless the same one is there: a probe's command shares directories with its container."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not (os.path.islink(path) and os.readlink(path) == text):
        os.symlink(text, path)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    coded = (None if each is None else os.fsencode(each) for each in (source, target, kind))
    try:
        _call("mount", *coded, ctypes.c_ulong(flags), None if data is None else data.encode())
    except OSError as error:
        raise OSError(f"mount {source or ''} on {target.removeprefix(_NEW)}: {error.strerror}") from None


def _control_process(what: int, value: int) -> None:
    _call("prctl", what, *(ctypes.c_ulong(each) for each in (value, 0, 0, 0)))


def _call(name: str, *arguments: object) -> None:
    """A function of the C library that returns -1 for an error. Raises OSError."""
    if getattr(_LIBC, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except OSError as problem:
        print(f"the sandbox cannot use namespaces: {problem}", file=sys.stderr)
        sys.exit(_CANNOT_START)
