"""Hera's version: printed, compared, required."""

from __future__ import annotations

import re
from importlib.metadata import version

from hera_k8s_utils import ScriptExit


def print_version() -> None:
    """Print the versions of Hera and of hera_k8s_utils."""
    print(f"hera {version('hera')}, hera_k8s_utils {version('hera-k8s-utils')}")


def check_version(wanted: str) -> bool:
    """Whether the installed Hera is at least this version. Raises `ScriptExit` for an invalid version."""
    return _numbers(version("hera")) >= _numbers(str(wanted))


def assert_version(wanted: str) -> None:
    """Raise `ScriptExit` unless the installed Hera is at least this version."""
    if not check_version(wanted):
        raise ScriptExit(
            f"this script needs Hera {wanted}",
            found=f"{version('hera')} is installed",
            hint=f"pip install 'hera>={wanted}'",
        )


def _numbers(text: str) -> tuple[int, ...]:
    """`5.10.0rc1` as (5, 10): the part before any letter, without trailing zeros."""
    release = re.match(r"\s*v?(\d+(?:\.\d+)*)", text)
    if release is None:
        raise ScriptExit(f"{text!r} is not a version", hint="for example 5.6.0")
    numbers = [int(number) for number in release.group(1).split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
