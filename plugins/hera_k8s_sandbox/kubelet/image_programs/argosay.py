"""What the images argoproj/argosay run: argosay [echo [TEXT [FILE]] | cat FILE | sleep TIME | exit [CODE] | ...]."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

GREETING = "hello argo"
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def echo(text: str = GREETING, file: str = "") -> int:
    """Print a text, or write it into a file whose directory is made."""
    if not file:
        print(text)
        return 0
    os.makedirs(os.path.dirname(file) or ".", exist_ok=True)
    with open(file, "w", encoding="utf-8") as output:
        print(text, file=output)
    return 0


def cat(*files: str) -> int:
    """Print files."""
    for file in files:
        with open(file, "rb") as content:
            sys.stdout.buffer.write(content.read())
    return 0


def sleep(duration: str) -> int:
    """Wait for so many seconds, or for 10s, 5m, 1h."""
    unit = UNITS.get(duration[-1:], 0)
    time.sleep(float(duration[:-1]) * unit if unit else float(duration))
    return 0


def assert_contains(file: str, text: str) -> int:
    """Print the lines of a file that hold a text; fail when there are none."""
    with open(file, encoding="utf-8", errors="replace") as content:
        found = [line for line in content if text in line]
    sys.stdout.writelines(found)
    return 0 if found else 1


def leave(code: str = "0") -> int:
    """End with an exit code."""
    return int(code)


def shell(script: str) -> int:
    """Run a script with the shell."""
    return subprocess.run(["sh", script], check=False).returncode


COMMANDS: dict[str, Callable[..., int]] = {
    "echo": echo,
    "cat": cat,
    "sleep": sleep,
    "assert_contains": assert_contains,
    "exit": leave,
    "sh": shell,
}


def main(words: list[str]) -> int:
    """Run one subcommand; its exit code."""
    name, *arguments = words or ["echo"]
    try:
        return COMMANDS[name](*arguments)
    except (KeyError, TypeError, ValueError):
        print(f"argosay: cannot be run with {' '.join(words)}; known: {', '.join(COMMANDS)}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"argosay: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
