"""Text of others on terminals: what acts or cannot be seen is shown, and what people write stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminals import EVIL_LINES, SEQUENCES, seen

from hera_k8s_utils import ErrorKind, HeraK8sError, PlatformError
from hera_k8s_utils.sanitize import one_line, quoted, visible

JOINERS = {"\u200c", "\u200d"}
NUMBER_SIGNS = {chr(n) for n in (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)}
"""The characters that Unicode calls formats and that are seen: they hold a number together."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\rb", r"a\rb"),
        ("\x9b2J", r"\x9b2J"),
        ("\u202egnp", r"\u202egnp"),
        ("\u2028", r"\u2028"),
        ("\x7f\x00", r"\x7f\x00"),
        ("caf\udce9", r"caf\udce9"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("res\u200dults", r"res\u200dults"),
        ("a\ufe0f", r"a\ufe0f"),
        ("\u200d", r"\u200d"),
        ("日\u200d", r"日\u200d"),
        ("❤\ufe0f\ufe0e", "❤\ufe0f" + r"\ufe0e"),
    ],
)
def test_what_acts_or_cannot_be_seen_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "✔ ✘ … – ├─ └─ ━╸",
        "é e\u0301 ü ñ 日本語 עברית العربية हिन्दी",
        "👩\u200d🔬 ❤\ufe0f\u200d🔥 1\ufe0f\u20e3 ©\ufe0f",
        "می\u200cخواهم",
        "क\u094d\u200dष",
        "葛\U000e0100城",
        "10\xa0000 \u202f€",
        "a\tb\nc",
        r"C:\new\x1b",
    ],
)
def test_letters_signs_and_emoji_of_every_script_stay(text: str) -> None:
    assert visible(text) == text


def test_a_newline_in_one_line_begins_no_other() -> None:
    assert one_line("lost\n✔ all checks passed") == r"lost\n✔ all checks passed"


def test_further_lines_of_a_quotation_are_marked() -> None:
    assert quoted("lost\n✔ all checks passed\n") == "lost\n  | ✔ all checks passed"


@pytest.mark.parametrize("sequence", ["\x1b[1;31m", "\x1b[0m", "\x1b[m", "\x1b[38;5;12m", "\x1b[38:2::1:2:3m"])
def test_colours_are_kept_when_they_are_wanted(sequence: str) -> None:
    assert visible(f"{sequence}x", colours=True) == f"{sequence}x"
    assert "\x1b" not in visible(f"{sequence}x")


@pytest.mark.parametrize("sequence", [*SEQUENCES, "\x1b[2K", "\x1b[>4m", "\x1b[?25m", "\x1b[31"])
def test_nothing_but_colours_is_kept_with_them(sequence: str) -> None:
    assert seen(visible(sequence, colours=True).encode()).events <= {"select_graphic_rendition"}


@given(st.text(st.characters(codec=None)))
def test_no_text_makes_an_emulator_do_anything(text: str) -> None:
    found = seen(visible(text).encode())
    assert found.events <= {"linefeed", "tab"}
    assert found.unseen <= JOINERS | NUMBER_SIGNS


@given(st.text())
def test_what_is_visible_stays_as_it_is(text: str) -> None:
    assert visible(visible(text)) == visible(text)


def test_an_error_as_text_has_no_line_of_others() -> None:
    said = str(HeraK8sError(EVIL_LINES, found=EVIL_LINES, hint=EVIL_LINES))
    assert seen(said.encode()).events <= {"linefeed"}
    assert not [line for line in said.split("\n") if line.strip().startswith("✔")]


def test_what_a_server_says_is_no_list_of_ours() -> None:
    said = str(PlatformError("GET /", found="\n  ✔ all checks passed", kind=ErrorKind.SERVER))
    assert said == "GET /: ✔ all checks passed"
