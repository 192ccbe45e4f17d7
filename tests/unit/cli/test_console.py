"""What people and programs see."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from rich.text import Text

from hera_k8s_cli.terminal.console import Console
from hera_k8s_cli.terminal.report import describe_platform, report_brief, report_summary
from hera_k8s_cli.terminal.stream import Span
from hera_k8s_utils import fail, ok, unknown, warn
from hera_k8s_utils.checks.runner import ACCESS, ENVIRONMENT, WORKFLOW, Report, Row
from hera_k8s_utils.experiment.run_state import LogLine


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Latin(io.StringIO):
    """A pipe whose encoding has no check marks."""

    encoding = "iso-8859-1"


REPORT = Report(
    [
        Row(ACCESS, "kubernetes", ok("1.36.2")),
        Row(ACCESS, "argo server", warn("token expires in 12 min")),
        Row(
            ENVIRONMENT,
            "config map settings",
            fail("not found in vcity", hint="hera-k8s provision\n--bind settings=NAME"),
        ),
        Row(ENVIRONMENT, "account default", unknown("not ours to ask (403)", url="https://docs.example/rights")),
        Row(WORKFLOW, "names", ok("2 templates")),
    ],
    seconds=0.31,
    identities=[
        {
            "platform": "kubernetes",
            "server": "https://rancher.univ.example",
            "namespace": "vcity",
            "identity": "u-x7k2",
            "source": "kubeconfig, context lyon",
        }
    ],
)


def console_with(out: io.StringIO, err: io.StringIO | None = None, **settings: object) -> Console:
    return Console(out=out, err=err or io.StringIO(), environ=settings.pop("environ", {}), **settings)  # type: ignore[arg-type]


def test_results_go_to_stdout_and_talk_to_stderr() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = console_with(out, err)
    console.result("a result")
    console.info("some talk")
    assert out.getvalue() == "a result\n"
    assert err.getvalue() == "some talk\n"


def test_a_report_reads_by_sections_with_signs_and_hints() -> None:
    out = io.StringIO()
    console_with(out).report(REPORT, closing="Nothing was submitted.")
    assert out.getvalue().splitlines() == [
        "Access",
        "  ✔ kubernetes           1.36.2",
        "  ! argo server          token expires in 12 min",
        "Environment",
        "  ✘ config map settings  not found in vcity",
        "                         -> hera-k8s provision",
        "                         -> --bind settings=NAME",
        "  ? account default      not ours to ask (403)",
        "                         https://docs.example/rights",
        "Workflow",
        "  ✔ names                2 templates",
        "",
        "5 checks in 0.31 s: 2 passed, 1 warning, 1 unknown, 1 failed. Nothing was submitted.",
    ]


def test_signs_fall_back_where_the_encoding_has_none() -> None:
    out = Latin()
    console_with(out).report(REPORT)
    assert "  + kubernetes" in out.getvalue()
    assert "  x config map settings" in out.getvalue()
    out.getvalue().encode("iso-8859-1")


def test_characters_that_the_encoding_lacks_become_escapes() -> None:
    out = Latin()
    console_with(out).result("growth → chaos")
    assert out.getvalue() == "growth \\u2192 chaos\n"


def test_a_terminal_gets_colour() -> None:
    out = Terminal()
    console_with(out).result(Span("failed", "bad"))
    assert "\x1b[" in out.getvalue()


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_can_be_declined(environ: dict[str, str]) -> None:
    out = Terminal()
    console_with(out, environ=environ).result(Span("failed", "bad"))
    assert out.getvalue() == "failed\n"


def test_colour_can_be_asked_for_in_a_pipe() -> None:
    out = io.StringIO()
    console_with(out, environ={"FORCE_COLOR": "1"}).result(Span("failed", "bad"))
    assert "\x1b[31m" in out.getvalue()


def test_markup_in_data_is_not_interpreted() -> None:
    out = Terminal()
    console_with(out).result("[red]x[/red] :smile: [0]")
    assert "[red]x[/red] :smile: [0]" in out.getvalue()


def test_json_output_silences_lines_for_people() -> None:
    out = io.StringIO()
    console = console_with(out, output="json")
    console.result("for people")
    console.document(REPORT.to_json())
    assert json.loads(out.getvalue())["counts"]["failed"] == 1


def test_records_are_one_line_each() -> None:
    out = io.StringIO()
    console = console_with(out, output="json")
    console.record({"event": "submitted"})
    console.record({"event": "finished", "message": "two\nlines"})
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["submitted", "finished"]


@pytest.mark.parametrize(
    ("answer", "agreed"), [("y\n", True), ("Yes\n", True), ("\n", False), ("", False), ("no\n", False)]
)
def test_only_a_yes_is_a_yes(answer: str, agreed: bool) -> None:
    console = Console(out=io.StringIO(), err=io.StringIO(), environ={}, stdin=io.StringIO(answer))
    assert console.confirm("create 3 objects?") is agreed
    assert not console.can_ask


def test_long_details_wrap_below_themselves_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    report = Report([Row(ACCESS, "kubernetes", ok("word " * 20))])
    out = Terminal()
    Console(out=out, err=io.StringIO(), environ={"NO_COLOR": "1"}).report(report)
    lines = out.getvalue().splitlines()
    assert len(lines[2]) <= 60
    assert lines[2].startswith(" " * 25 + "word")


def test_lines_of_every_kind_fit_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    url = "https://argo.univ.example:2746/workflows/vcity/logistic-map-20261201-1042-k3f9?tab=workflow&nodeId=logistic-map"
    out, err = Terminal(), Terminal()
    console = Console(out=out, err=err, environ={"NO_COLOR": "1"})
    console.head([("kubernetes", "rancher.univ.example, namespace vcity, as u-x7k2", "kubeconfig, context lyon")])
    console.hint("kubectl -n vcity get secrets --field-selector type=kubernetes.io/service-account-token")
    console.success("submitted logistic-map-k3f9   ", url)
    head = Text.from_ansi(out.getvalue()).plain.splitlines()
    assert head == [
        "kubernetes     rancher.univ.example, namespace vcity, as u-x7k2   kubeconfig,",
        "               context lyon",
    ]
    hint, rest, submitted, address = Text.from_ansi(err.getvalue()).plain.splitlines()
    assert max(map(len, (hint, rest, submitted))) <= 80
    assert (hint[:5], rest[:5].strip()) == ("  -> ", "")
    assert address == f"  {url}"


def test_lines_that_pods_print_and_files_are_not_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out = Terminal()
    Console(out=out, err=io.StringIO(), environ={"NO_COLOR": "1"}).log_line(LogLine(text="word " * 20, pod="a"))
    assert out.getvalue() == "word " * 20 + "\n"
    piped = io.StringIO()
    console_with(piped).result("word " * 20)
    assert piped.getvalue() == "word " * 20 + "\n"


def test_the_head_says_as_whom_and_where() -> None:
    assert describe_platform(REPORT.identities[0]) == "rancher.univ.example, namespace vcity, as u-x7k2"
    assert report_brief(REPORT) == "5 checks in 0.31 s   rancher.univ.example, namespace vcity, as u-x7k2"


def test_what_did_not_happen_is_not_counted() -> None:
    assert report_summary(Report([Row(ACCESS, "x", ok("y"))], 0.2)) == "1 check in 0.2 s: 1 passed."


def test_only_what_is_not_well_is_remarked_on() -> None:
    err = io.StringIO()
    console_with(io.StringIO(), err).remarks(REPORT)
    assert "kubernetes" not in err.getvalue()
    assert "argo server" in err.getvalue()


def test_a_console_without_a_terminal_does_not_import_rich() -> None:
    code = (
        "import sys; from hera_k8s_cli.terminal.console import Console; c = Console(); c.result('x'); c.info('y');"
        "sys.exit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_the_names_of_0_2_work_with_a_warning() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = console_with(out, err)
    for old, text in ((console.say, "some talk"), (console.passed, "done"), (console.raw, "a: 1\n")):
        with pytest.warns(DeprecationWarning, match="until version 0.3"):
            old(text)
    with pytest.warns(DeprecationWarning, match="talk= is now stderr="):
        console.report(REPORT, talk=True)
    assert out.getvalue() == "a: 1\n"
    assert err.getvalue().startswith("some talk\n✔ done\nAccess\n")
