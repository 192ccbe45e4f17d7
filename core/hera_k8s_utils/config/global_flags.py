"""The flags of every command, which are parsed before plugins are loaded, anywhere on the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hera_k8s_utils.errors import OptionsError

HELP_ALL: Final = "--help-all"
HELP: Final = ("-h", "--help", HELP_ALL)
PYTHON_FILE: Final = re.compile(r"\.py(:[\w.-]+)?$")
"""Recognises FILE[:NAME] of an experiment among other words."""
_NEGATIVE_NUMBER: Final = re.compile(r"-\.?\d")


@dataclass(frozen=True)
class GlobalFlags:
    """The values of these flags.

    config: the file of `--config`.
    no_plugin: the plugins that are disabled, one for each `--no-plugin`.
    strict_plugins: whether a plugin that cannot be used is an error.
    verbosity: the number of `-v`.
    debug: whether errors are shown with tracebacks.
    output: `text` or `json`.
    """

    config: str | None = None
    no_plugin: tuple[str, ...] = ()
    strict_plugins: bool = False
    verbosity: int = 0
    debug: bool = False
    output: str = "text"


COMMON_HELP: Final = (
    ("--config FILE", "configuration file; overrides discovered files"),
    ("--output text|json", "format of results; json for programs"),
    ("--no-plugin NAME", "disable a plugin; can be repeated"),
    ("--strict-plugins", "fail if a plugin cannot be used, instead of skipping it"),
    ("-v, -vv", "more output; -vv for debug output"),
    ("--debug", "show tracebacks of errors"),
    ("-h, --help", "show help"),
    (HELP_ALL, "show help with the options of servers and plugins"),
)

RESERVED: Final = frozenset(
    {"--config", "--no-plugin", "--strict-plugins", "--debug", "--verbose", "-v", "-h", "--help", HELP_ALL, "--version"}
)
"""Flags that a command cannot declare. It can declare `--output` with values other than text and json."""


def extract_global_flags(words: Sequence[str]) -> tuple[GlobalFlags, list[str]]:
    """The global flags of a command line, and the remaining words in their order. After `--` there are no flags.

    Raises `OptionsError` when a value is missing. A `--output` with any other value is left for the command.
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
        raise OptionsError(f"{flag} requires a value", hint=f"{flag} {'FILE' if flag == '--config' else 'NAME'}")
    return left.pop(0)


def is_flag(word: str) -> bool:
    """Whether a word is a flag, and not a dash or a negative number."""
    return len(word) > 1 and word[0] == "-" and not _NEGATIVE_NUMBER.match(word)


def dashed(flag: str) -> str:
    """A long flag with dashes between its words."""
    return "--" + flag[2:].replace("_", "-") if flag.startswith("--") else flag
