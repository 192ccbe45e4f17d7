"""The flags that every command has: they are read before plugins are loaded, wherever they stand on the line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hera_k8s_utils.errors import OptionsError

HELP: Final = ("-h", "--help")
PYTHON_FILE: Final = re.compile(r"\.py(:\w+)?$")
"""How FILE[:NAME] of an experiment ends, where it stands among other words."""
_NEGATIVE_NUMBER: Final = re.compile(r"-\.?\d")


@dataclass(frozen=True)
class GlobalFlags:
    """What is read before plugins are loaded, wherever it stands on the line."""

    config: str | None = None
    no_plugin: tuple[str, ...] = ()
    strict_plugins: bool = False
    verbosity: int = 0
    debug: bool = False
    output: str = "text"


COMMON_HELP: Final = (
    ("--config FILE", "configuration file, stronger than those that are found"),
    ("--output text|json", "results for people or for programs"),
    ("--no-plugin NAME", "leave a plugin out; may be repeated"),
    ("--strict-plugins", "fail when a plugin cannot be used, rather than skip it"),
    ("-v, -vv", "say what is being done; say everything"),
    ("--debug", "show where an error comes from"),
    ("-h, --help", "this help"),
)

RESERVED: Final = frozenset(
    {"--config", "--no-plugin", "--strict-plugins", "--debug", "--verbose", "-v", "--help", "-h", "--version"}
)
"""Flags that a command never sees; `--output` is shared, a command may give it other values than text and json."""


def extract_global_flags(words: Sequence[str]) -> tuple[GlobalFlags, list[str]]:
    """The common words of a line, and the rest of it in its order. Nothing after `--` is common.

    Raises `OptionsError` when one lacks its value. A `--output` with another value is left for the command.
    """
    found: dict[str, Any] = {"no_plugin": (), "verbosity": 0}
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            rest += [word, *left]
            break
        flag, equals, value = word.partition("=")
        flag = dashed(flag)
        if flag in ("--config", "--no-plugin"):
            found |= _with_value(found, flag, value if equals else _next(left, flag))
        elif flag == "--output" and (value if equals else "".join(left[:1])) in ("text", "json"):
            found["output"] = value if equals else left.pop(0)
        elif word in ("--strict-plugins", "--strict_plugins", "--debug"):
            found[flag.lstrip("-").replace("-", "_")] = True
        elif word == "--verbose" or re.fullmatch("-v+", word):
            found["verbosity"] += 1 if word == "--verbose" else len(word) - 1
        else:
            rest.append(word)
    return GlobalFlags(**found), rest


def _with_value(found: Mapping[str, Any], flag: str, value: str) -> dict[str, Any]:
    return {"config": value} if flag == "--config" else {"no_plugin": (*found["no_plugin"], value)}


def _next(left: list[str], flag: str) -> str:
    if not left or left[0].startswith("-"):
        raise OptionsError(f"{flag} lacks its value", hint=f"{flag} {'FILE' if flag == '--config' else 'NAME'}")
    return left.pop(0)


def is_flag(word: str) -> bool:
    """Whether a word is a flag, rather than a dash or a negative number."""
    return len(word) > 1 and word[0] == "-" and not _NEGATIVE_NUMBER.match(word)


def dashed(flag: str) -> str:
    """A long flag with dashes between its words."""
    return "--" + flag[2:].replace("_", "-") if flag.startswith("--") else flag
