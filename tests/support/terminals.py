"""A real pseudo-terminal around a command, and what an emulator by others (pyte) makes of what arrives there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyte

from hera_k8s_cli.main import main

FORGED = "\N{HEAVY CHECK MARK} all checks passed"
"""A line of ours that the words of others must not make."""
SEQUENCES = (
    "\x1b]52;c;ZXZpbA==\x07",  # writes the clipboard
    "\x1b]0;title\x1b\\",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1bP$q\x1b\\",
    "\x1b_apc\x1b\\",
    "\x1b[2J\x1b[1;1H\x1b[31m\x1bc",
    "\x9b2J\x9d0;c1\x9c\x85",
    "\x00\x07\x08\x0b\x0c\x0e\x7f\x1a",
    "\u202egnp.exe\u202c\u2066x\u2069\u200f\u061c",
    "\u200b\u2060\ufeff\xad\u2028\u2029",
)
EVIL = "evil" + "".join(SEQUENCES) + "end"
EVIL_LINES = f"{EVIL}\rover\n{FORGED}\n  {FORGED}\n"
HARMLESS = "harmless"
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_OURS = frozenset({"linefeed", "tab", "select_graphic_rendition"})
"""Events of an emulator that a report consists of."""


@dataclass(frozen=True)
class Seen:
    """What an emulator made of some output: its text, and what it was told to do besides showing text."""

    text: str
    events: frozenset[str]
    unseen: frozenset[str] = field(default=frozenset())

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n")


class _Recorder:
    """Takes the place of pyte's screen: every event that its parser finds, with the text between them."""

    def __init__(self) -> None:
        self.drawn: list[str] = []
        self.events: list[str] = []
        self.last = ""
        self.overwrites = False

    def __getattr__(self, event: str) -> Any:
        def record(*values: Any, **_: Any) -> None:
            if event == "draw":
                self.drawn.append(values[0])
                if self.last == "carriage_return":
                    self.overwrites = True
            self.last = event
            if event == "draw":
                return
            self.events.append(event)
            if event in ("linefeed", "tab"):
                self.drawn.append("\n" if event == "linefeed" else "\t")

        return record


def seen(output: bytes) -> Seen:
    """What the emulator makes of bytes; a sequence that it swallows without an event is one too."""
    recorder = _Recorder()
    stream = pyte.ByteStream()
    stream.attach(recorder)
    stream.feed(output)
    text = "".join(recorder.drawn)
    told = [each for each in recorder.events if each not in ("linefeed", "tab", "carriage_return", "backspace", "bell")]
    events = set(recorder.events)
    if output.count(b"\x1b") != len(told):
        events.add("a sequence that was swallowed")
    if recorder.overwrites:
        events.add("text after a carriage return")
    events |= {f"byte {byte:02x}" for byte in (0, 0x7F) if byte in output}  # pyte leaves both out
    unseen = {character for character in text if character not in "\n\t" and unicodedata.category(character) in _UNSEEN}
    return Seen(text, frozenset(events), frozenset(unseen))


def refuse_what_acts(output: bytes, but: frozenset[str] = frozenset()) -> Seen:
    """Nothing but text, its colours, and `but` reached the terminal, and no line was forged."""
    found = seen(output)
    assert found.events <= _OURS | but, (found.events - _OURS - but, output)
    assert not found.unseen, (found.unseen, output)
    forged = [line for line in found.lines if line.strip().startswith(FORGED)]
    assert not forged, output
    return found


class Terminal:
    """A pseudo-terminal of 100 columns, without the kernel's own newlines and echo; `output` is what was written."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        modes = termios.tcgetattr(self.slave)
        modes[1] &= ~termios.OPOST
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(self.slave, termios.TCSANOW, modes)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self._parts: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # its end
            while part := os.read(self.master, 65536):
                self._parts.append(part)

    def close(self) -> bytes:
        """Everything that was written."""
        os.close(self.slave)
        self._reader.join(30)
        os.close(self.master)
        return b"".join(self._parts)

    @contextlib.contextmanager
    def as_standard_streams(self) -> Iterator[None]:
        """This process reads and writes here."""
        before = sys.stdin, sys.stdout, sys.stderr
        with contextlib.ExitStack() as stack:
            for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
                stream = open(os.dup(self.slave), mode, encoding="utf-8", buffering=1)  # noqa: SIM115 (closed below)
                stack.callback(stream.close)
                setattr(sys, name, stream)
            try:
                yield
            finally:
                sys.stdin, sys.stdout, sys.stderr = before


def on_terminal(*words: str) -> tuple[int, bytes]:
    """Run `hera-k8s WORDS` in this process on a pseudo-terminal; its exit code, and what reached the terminal."""
    terminal = Terminal()
    try:
        with terminal.as_standard_streams():
            code = main(list(words))
    finally:
        output = terminal.close()
    return code, output


def program_on_terminal(*words: str, cwd: Path, **variables: str) -> tuple[int, bytes]:
    """Run `python WORDS` as a program whose terminal this is, the one of `/dev/tty` included."""
    terminal = Terminal()
    environ = {**os.environ, "TERM": "xterm-256color", **variables}

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    child = subprocess.Popen(
        [sys.executable, *words],
        cwd=cwd,
        env=environ,
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
        preexec_fn=take_terminal,
    )
    try:
        while child.poll() is None:
            os.write(terminal.master, b"\n")  # an answer to whatever is asked
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.5)
    finally:
        child.kill()
        child.wait()
        output = terminal.close()
    return child.returncode, output
