"""Times, durations and sizes as people say them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_k8s_utils import OptionsError, formatting
from hera_k8s_utils.formatting import cell_width, wrapped


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.01 s"),
        (0.314, "0.31 s"),
        (0.999, "1.0 s"),
        (3.21, "3.2 s"),
        (51.4, "51 s"),
        (59.7, "1 min"),
        (74, "1 min 14 s"),
        (3600, "1 h"),
        (7380, "2 h 3 min"),
        (3 * 86400 + 4 * 3600, "3 d 4 h"),
    ],
)
def test_durations_are_said_in_words(seconds: float, said: str) -> None:
    assert formatting.format_duration(seconds) == said


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (51.9, "0:51"), (723, "12:03"), (3723, "1:02:03")])
def test_a_running_clock_keeps_its_shape(seconds: float, shown: str) -> None:
    assert formatting.format_elapsed(seconds) == shown


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("10 min", 600), ("1h30m", 5400), ("1.5h", 5400)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert formatting.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "10 parsecs", "-5", "1h soon"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(OptionsError, match="duration"):
        formatting.parse_duration(text)


def test_times_of_servers_are_read_with_z() -> None:
    assert formatting.parse_timestamp("2026-11-20T10:42:00Z") == datetime(2026, 11, 20, 10, 42, tzinfo=timezone.utc)
    assert formatting.parse_timestamp("never") is None
    assert formatting.parse_timestamp("") is None


def test_a_stamp_reads_back() -> None:
    at = datetime(2026, 11, 20, 10, 42, 1, 500000, tzinfo=timezone.utc)
    assert formatting.format_timestamp(at) == "2026-11-20T10:42:01.500Z"
    assert formatting.parse_timestamp(formatting.format_timestamp(at)) == at


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(3, "just now"), (42, "42 s ago"), (240, "4 min ago"), (7200, "2 h ago"), (86400 * 3, "3 d ago")],
)
def test_how_long_ago_is_said_in_words(seconds: float, said: str) -> None:
    at = formatting.now()
    assert formatting.time_ago(at - timedelta(seconds=seconds), at) == said


def test_sizes_are_powers_of_ten() -> None:
    assert [formatting.format_bytes(n) for n in (812, 20_800, 1_100_000)] == ["812 B", "20.8 kB", "1.1 MB"]


def test_nouns_agree_with_their_number() -> None:
    assert formatting.pluralize(1, "check") == "1 check"
    assert formatting.pluralize(9, "check") == "9 checks"


def test_columns_are_aligned() -> None:
    assert formatting.align_columns([("a", "b"), ("long", "c")]) == ["a     b", "long  c"]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.0, "under 1 s"), (1.0, "1 s"), (6.0, "6 s"), (74.0, "1 min 14 s"), (7380.0, "2 h 3 min")]
)
def test_a_run_takes_whole_seconds_by_its_servers_clock(seconds: float, said: str) -> None:
    assert formatting.run_time(seconds) == said


# --- lines that are too long for a terminal --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("fits", ["fits"]),
        ("-> hera-k8s provision   or --bind", ["-> hera-k8s provision", "   or --bind"]),
        ("! lost connection to a-k3f9; it goes on", ["! lost connection to", "  a-k3f9; it goes on"]),
        ("argo    one, namespace two, three", ["argo    one, namespace", "        two, three"]),
        ("✔ ok   https://argo.example/workflows/a", ["✔ ok", "  https://argo.example/workflows/a"]),
        ("warning: the file is read by all", ["warning: the file is", "         read by all"]),
        ("名前 名前 名前 名前 名前 名前", ["名前 名前 名前 名前 名前", "名前"]),
        ("https://argo.example/workflows/a-b-c", ["https://argo.example/workflows/a-b-c"]),
    ],
)
def test_a_long_line_continues_below_its_text(line: str, lines: list[str]) -> None:
    assert wrapped(line, 24).split("\n") == lines


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" ")), st.integers(20, 90))
def test_wrapping_loses_no_word_and_is_done_once(line: str, width: int) -> None:
    broken = wrapped(line, width)
    assert broken.split() == line.split()
    assert all(cell_width(each) <= width or len(each.split()) <= 2 for each in broken.split("\n"))
