"""Cron workflows in the sandbox, and the clock that may be advanced to meet their times."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_api import Api, make_namespace
from sandbox_workflows import ENDED, Workflows, container, dag, nodes, phases, task, workflow

from hera_k8s_cli.main import main
from hera_k8s_sandbox.server.launch import Address, LaunchError, kubeconfig, running
from hera_k8s_sandbox.workflows.cron.schedule import Schedule, ScheduleError

Json = dict[str, Any]
HOUR = 3600


# Schedules


def times(text: str, after: str, count: int = 3, zone: str = "") -> list[str]:
    """The first times of a schedule after a moment, as local time with its offset."""
    schedule = Schedule.parse(text, zone)
    moment, found = datetime.fromisoformat(after).timestamp(), []
    for _ in range(count):
        following = schedule.after(moment)
        assert following is not None
        found.append(datetime.fromtimestamp(following, ZoneInfo(zone or "UTC")).isoformat())
        moment = following
    return found


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("* * * * *", "2026-11-20T10:42:17+00:00", ["2026-11-20T10:43", "2026-11-20T10:44", "2026-11-20T10:45"]),
        ("*/20 9-10 * * *", "2026-11-20T09:41+00:00", ["2026-11-20T10:00", "2026-11-20T10:20", "2026-11-20T10:40"]),
        ("5/25 12 * * *", "2026-11-20T11:00+00:00", ["2026-11-20T12:05", "2026-11-20T12:30", "2026-11-20T12:55"]),
        ("0 0 1 jan,JUL ?", "2026-11-20T00:00+00:00", ["2027-01-01T00:00", "2027-07-01T00:00", "2028-01-01T00:00"]),
        ("30 6 * * mon-wed", "2026-11-20T00:00+00:00", ["2026-11-23T06:30", "2026-11-24T06:30", "2026-11-25T06:30"]),
        ("0 12 29 2 *", "2026-11-20T00:00+00:00", ["2028-02-29T12:00", "2032-02-29T12:00", "2036-02-29T12:00"]),
        ("0 0 13 * 5", "2026-11-10T00:00+00:00", ["2026-11-13T00:00", "2026-11-20T00:00", "2026-11-27T00:00"]),
        ("0 0 */10 * 1", "2026-11-20T00:00+00:00", ["2026-11-21T00:00", "2026-11-23T00:00", "2026-11-30T00:00"]),
        ("@hourly", "2026-11-20T10:42+00:00", ["2026-11-20T11:00", "2026-11-20T12:00", "2026-11-20T13:00"]),
        ("@weekly", "2026-11-20T10:42+00:00", ["2026-11-22T00:00", "2026-11-29T00:00", "2026-12-06T00:00"]),
        ("@yearly", "2026-11-20T10:42+00:00", ["2027-01-01T00:00", "2028-01-01T00:00", "2029-01-01T00:00"]),
        ("@every 1h30m", "2026-11-20T10:42+00:00", ["2026-11-20T12:12", "2026-11-20T13:42", "2026-11-20T15:12"]),
    ],
)
def test_when_a_schedule_comes(text: str, after: str, expected: list[str]) -> None:
    assert times(text, after) == [f"{each}:00+00:00" for each in expected]


def test_fields_are_local_time_of_the_zone() -> None:
    assert times("0 9 * * *", "2026-07-01T00:00+00:00", 1, "Asia/Kathmandu") == ["2026-07-01T09:00:00+05:45"]
    in_text = Schedule.parse("CRON_TZ=Asia/Kathmandu 0 9 * * *")
    assert in_text.after(0) == Schedule.parse("0 9 * * *", "Asia/Kathmandu").after(0)


def test_what_clocks_leave_out_when_they_go_forward_does_not_happen() -> None:
    found = times("30 2 * * *", "2026-03-28T00:00+01:00", 3, "Europe/Paris")
    assert found == ["2026-03-28T02:30:00+01:00", "2026-03-30T02:30:00+02:00", "2026-03-31T02:30:00+02:00"]


def test_what_clocks_bring_twice_when_they_go_back_happens_twice() -> None:
    found = times("30 2 * * *", "2026-10-24T12:00+02:00", 3, "Europe/Paris")
    assert found == ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"]


def test_each_hour_is_met_across_both_changes() -> None:
    for day in ("2026-03-28T22:30+00:00", "2026-10-24T22:30+00:00"):
        found = [datetime.fromisoformat(each) for each in times("0 * * * *", day, 6, "Europe/Paris")]
        assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(hours=1)}


def test_a_midnight_that_is_left_out_does_not_end_the_days() -> None:
    found = times("0 12 * * *", "2018-11-03T12:00-03:00", 2, "America/Sao_Paulo")  # its midnight was left out
    assert found == ["2018-11-04T12:00:00-02:00", "2018-11-05T12:00:00-02:00"]


def test_a_day_that_never_comes() -> None:
    assert Schedule.parse("0 0 30 2 *").after(0) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty spec string"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("* * * * * *", "expected exactly 5 fields, found 6"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("x * * * *", "failed to parse int from x"),
        ("@often", "unrecognized descriptor: @often"),
        ("@every soon", "failed to parse duration @every soon"),
        ("TZ=Mars/Phobos * * * * *", "provided bad location Mars/Phobos"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_told_why(text: str, words: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        Schedule.parse(text)
    assert words in str(refused.value)


@pytest.mark.parametrize("text", ["@every 7m", "*/5 * * * *", "30 4 * * 1", "0 0 29 2 *"])
@pytest.mark.parametrize("back", [30, 3600, 90_000, 40 * 86_400, 1500 * 86_400])
def test_the_time_before_is_the_last_of_those_after(text: str, back: int) -> None:
    schedule, now = Schedule.parse(text), 1_900_000_000.5
    last, following = None, schedule.after(now - back)
    while following is not None and following < now:
        last, following = following, schedule.after(following)
    assert schedule.before(now, now - back) == last


@pytest.mark.parametrize(("text", "now", "expected"), [("@every 1s", 3e14, 3e14 - 1), ("* * * * *", 4e9, 4e9 - 40)])
def test_the_time_before_is_found_however_many_there_were(text: str, now: float, expected: float) -> None:
    """Since when, whoever writes the cron workflow says: times counted one by one would take the server's all."""
    assert Schedule.parse(text).before(now, 0) == expected


FIELD_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


@st.composite
def fields(draw: st.DrawFn) -> list[str]:
    """Five fields with stars, numbers, ranges and steps."""
    found = []
    for low, high in FIELD_BOUNDS:
        first = draw(st.integers(low, high))
        last = draw(st.integers(first, high))
        step = draw(st.integers(1, 30))
        shapes = ["*", "*", f"*/{step}", str(first), f"{first}-{last}", f"{first}-{last}/{step}", f"{first},{last}"]
        found.append(draw(st.sampled_from(shapes)))
    return found


def allowed(field: str, low: int, high: int) -> set[int]:
    """The values of a field, worked out plainly."""
    found: set[int] = set()
    for part in field.split(","):
        extent, _, step = part.partition("/")
        first, _, last = extent.partition("-")
        start, end = (low, high) if extent == "*" else (int(first), int(last or first))
        found |= {
            each for each in range(low, high + 1) if start <= each <= end and (each - start) % int(step or 1) == 0
        }
    return found


def plainly(given_fields: list[str]) -> Callable[[datetime], bool]:
    """Whether a local time fits five fields, worked out plainly."""
    minute, hour, day, month, weekday = (
        allowed(field, low, high) for field, (low, high) in zip(given_fields, FIELD_BOUNDS, strict=True)
    )
    is_any = any(field in ("*", "*/1") for field in (given_fields[2], given_fields[4]))

    def fits(local: datetime) -> bool:
        if local.minute not in minute or local.hour not in hour or local.month not in month:
            return False
        in_month, in_week = local.day in day, local.isoweekday() % 7 in weekday
        return (in_month and in_week) if is_any else (in_month or in_week)

    return fits


@settings(deadline=None)
@given(
    fields(),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_a_time_that_is_found_fits_and_none_before_it_does(
    given_fields: list[str], moment: datetime, name: str
) -> None:
    zone, start = ZoneInfo(name), int(moment.replace(tzinfo=timezone.utc).timestamp())
    found = Schedule.parse(" ".join(given_fields), name).after(start)
    if found is None:
        return
    assert found > start
    fits = plainly(given_fields)
    assert fits(datetime.fromtimestamp(found, zone))
    skipped = range(max((start // 60 + 1) * 60, found - 86400), found, 60)  # a day of minutes at most
    assert not any(fits(datetime.fromtimestamp(each, zone)) for each in skipped)


# The controller


def has_ended(workflow: Json) -> bool:
    return (workflow.get("status") or {}).get("phase") in ENDED


class Crons:
    """The cron workflows of a namespace."""

    def __init__(self, address: Address) -> None:
        api = Api(address.url, address.token)
        self.address = address
        self.flows = Workflows(api, make_namespace(api, f"t-{uuid.uuid4().hex[:12]}").rpartition("/")[2])
        self.base = f"/api/v1/cron-workflows/{self.flows.namespace}"

    def send(self, method: str, path: str = "", body: Json | None = None) -> requests.Response:
        return self.flows.api.send(method, self.base + path, body)

    def make(self, *templates: Json, name: str = "c", inner: Json | None = None, **spec: Any) -> Json:
        """Create one; by default it is due each full hour."""
        body = cron(*templates, name=name, inner=inner, **spec)
        answer = self.send("POST", "", {"cronWorkflow": body})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def status(self, name: str = "c") -> Json:
        return dict(self.send("GET", f"/{name}").json().get("status") or {})

    def children(self) -> list[Json]:
        found = self.flows.api.get(self.flows.base)["items"] or []
        return sorted(found, key=lambda one: one["metadata"]["name"])

    def finish(self) -> list[Json]:
        """Wait until all workflows have ended. Those that have may be deleted meanwhile: only so many are kept."""
        return [one if has_ended(one) else self.flows.finish(one["metadata"]["name"]) for one in self.children()]

    def pass_hours(self, hours: float) -> datetime:
        return self.address.advance(hours * HOUR)

    def settled(self, **expected: Any) -> Json:
        """The status of `c` once these fields of it are so."""
        path = f"/apis/argoproj.io/v1alpha1/namespaces/{self.flows.namespace}/cronworkflows"
        for event in self.flows.api.watch(f"{path}?watch=1&timeoutSeconds=20&fieldSelector=metadata.name%3Dc"):
            status = event["object"].get("status") or {}
            if expected.items() <= status.items():
                return dict(status)
        raise AssertionError(f"never {expected}: {self.status()}")


def cron(*templates: Json, name: str = "c", inner: Json | None = None, **spec: Any) -> Json:
    spec.setdefault("schedules", ["0 * * * *"])
    made = workflow(*(templates or (container(),)), **(inner or {}))
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": {"name": name},
        "spec": spec | {"workflowSpec": made["spec"]},
    }


@pytest.fixture(scope="module")
def clocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A sandbox whose clock the tests of this file advance; each does so in its own namespace."""
    with running(tmp_path_factory.mktemp("clocked"), lifetime=600) as address:
        yield address


@pytest.fixture
def crons(clocked: Address) -> Iterator[Crons]:
    made = Crons(clocked)
    yield made
    made.flows.api.send("DELETE", f"/api/v1/namespaces/{made.flows.namespace}")  # or it would go on in other tests


def test_each_time_that_passes_makes_a_workflow(crons: Crons) -> None:
    crons.make(workflowMetadata={"labels": {"team": "blue"}, "annotations": {"note": "kept"}})
    now = crons.pass_hours(3)
    made = crons.finish()
    assert len(made) == 3
    last = now.replace(minute=0, second=0)
    meta = made[-1]["metadata"]
    assert meta["name"] == f"c-{int(last.timestamp())}"
    assert meta["annotations"]["workflows.argoproj.io/scheduled-time"] == f"{last:%Y-%m-%dT%H:%M:%SZ}"
    labels = {"workflows.argoproj.io/cron-workflow": "c", "workflows.argoproj.io/creator": "sandbox-admin"}
    assert (labels | {"team": "blue"}).items() <= meta["labels"].items()
    assert meta["annotations"]["note"] == "kept"
    assert meta["ownerReferences"][0]["kind"] == "CronWorkflow"
    status = crons.settled(succeeded=3)
    assert (status["active"], status["failed"], status["phase"]) == ([], 0, "Active")
    assert status["lastScheduledTime"] == f"{last:%Y-%m-%dT%H:%M:%SZ}"


def test_several_schedules_in_a_zone(crons: Crons) -> None:
    crons.make(schedules=["30 * * * *", "45 * * * *"], timezone="Asia/Kolkata")
    crons.pass_hours(1)
    minutes = {int(one["metadata"]["name"].removeprefix("c-")) % HOUR // 60 for one in crons.children()}
    assert minutes == {0, 15}  # half an hour from those of UTC


def test_the_scheduled_time_is_known_to_the_workflow(crons: Crons) -> None:
    crons.make(container("main", "echo", "{{workflow.scheduledTime}}"))
    crons.pass_hours(1)
    (made,) = crons.finish()
    assert crons.flows.log(made["metadata"]["name"]) == [crons.status()["lastScheduledTime"]]


WAIT = container("wait", "sleep", "300")


def test_what_still_runs_forbids_another_run(crons: Crons) -> None:
    crons.make(WAIT, concurrencyPolicy="Forbid")
    crons.pass_hours(3)
    assert len(crons.children()) == 1
    (active,) = crons.status()["active"]
    assert active["name"] == crons.children()[0]["metadata"]["name"]
    assert active["uid"] == crons.children()[0]["metadata"]["uid"]


def test_what_still_runs_is_replaced(crons: Crons) -> None:
    crons.make(WAIT, concurrencyPolicy="Replace", failedJobsHistoryLimit=5)
    crons.pass_hours(1)
    (first,) = crons.children()
    crons.pass_hours(1)
    found = crons.flows.finish(first["metadata"]["name"])
    assert (found["status"]["phase"], found["spec"]["shutdown"]) == ("Failed", "Terminate")
    assert len(crons.settled(failed=1)["active"]) == 1


def test_runs_may_overlap(crons: Crons) -> None:
    crons.make(WAIT)
    crons.pass_hours(2)
    assert len(crons.status()["active"]) == 2


def test_a_suspended_one_makes_nothing_until_it_is_resumed(crons: Crons) -> None:
    crons.make()
    assert crons.send("PUT", "/c/suspend", {}).json()["spec"]["suspend"] is True
    crons.pass_hours(2)
    assert crons.children() == []
    assert crons.send("PUT", "/c/resume", {}).json()["spec"]["suspend"] is False
    crons.pass_hours(1)
    assert len(crons.children()) == 1


def test_a_changed_schedule_counts_from_then_on(crons: Crons) -> None:
    made = crons.make(schedules=["0 0 1 1 *"])
    made["spec"]["schedules"] = ["0 * * * *"]
    made["spec"]["startingDeadlineSeconds"] = 86400
    answer = crons.send("PUT", "/c", {"cronWorkflow": made})
    assert answer.status_code == 200, answer.text
    crons.pass_hours(1)
    assert len(crons.children()) == 1


def test_only_so_many_ended_workflows_are_kept(crons: Crons) -> None:
    crons.make(successfulJobsHistoryLimit=2)
    for _ in range(4):
        crons.pass_hours(1)
        crons.finish()
    crons.settled(succeeded=4)
    kept = [one["metadata"]["name"] for one in crons.children()]
    assert len(kept) == 2
    assert kept[-1].endswith(
        str(int(datetime.fromisoformat(crons.status()["lastScheduledTime"][:-1] + "+00:00").timestamp()))
    )


def test_one_failed_workflow_is_kept_unless_it_is_said_otherwise(crons: Crons) -> None:
    crons.make(container("main", "false"))
    for _ in range(2):
        crons.pass_hours(1)
        crons.finish()
    crons.settled(failed=2)
    assert len(crons.children()) == 1


def test_it_stops_when_its_strategy_says_so(crons: Crons) -> None:
    crons.make(stopStrategy={"expression": "cronworkflow.succeeded >= 2"})
    for _ in range(2):
        crons.pass_hours(1)
        crons.finish()
    assert crons.settled(phase="Stopped")["succeeded"] == 2
    found = crons.send("GET", "/c").json()
    assert found["metadata"]["labels"]["cronworkflows.argoproj.io/completed"] == "true"
    crons.pass_hours(3)
    assert len(crons.children()) == 2


def test_a_condition_decides_about_each_run(crons: Crons) -> None:
    longer = "cronworkflow.lastScheduledTime == nil || (now() - cronworkflow.lastScheduledTime).Seconds() > 5400"
    crons.make(when=f"{{{{= {longer} }}}}")
    crons.pass_hours(4)
    assert len(crons.children()) == 2


def test_a_plain_condition_decides_too(crons: Crons) -> None:
    crons.make(when="{{cronworkflow.name}} == other")
    crons.pass_hours(2)
    assert crons.children() == []


def test_a_condition_that_cannot_be_read_is_told(crons: Crons) -> None:
    crons.make(when="{{= nonsense( }}")
    crons.pass_hours(1)
    status = crons.status()
    assert (status["conditions"][0]["type"], status["failed"]) == ("SubmissionError", 1)
    assert status["conditions"][0]["message"].startswith("run policy error: ")


def test_a_workflow_that_cannot_be_made_is_told_and_forgotten_once_it_can(crons: Crons) -> None:
    templates = f"/api/v1/workflow-templates/{crons.flows.namespace}"
    body = {"metadata": {"name": "whole"}, "spec": {"entrypoint": "main", "templates": [container()]}}
    assert crons.flows.api.send("POST", templates, {"template": body}).ok
    reference = cron()
    reference["spec"]["workflowSpec"] = {"workflowTemplateRef": {"name": "whole"}}
    assert crons.send("POST", "", {"cronWorkflow": reference}).ok
    assert crons.flows.api.send("DELETE", f"{templates}/whole").ok
    crons.pass_hours(1)
    told = 'cannot validate Workflow: workflowtemplates.argoproj.io "whole" not found'
    assert crons.status()["conditions"] == [{"type": "SpecError", "status": "True", "message": told}]
    assert crons.flows.api.send("POST", templates, {"template": body}).ok
    crons.pass_hours(1)
    assert crons.status()["conditions"] == []
    assert len(crons.children()) == 1


def test_an_object_that_nobody_checked_says_what_is_wrong_with_it(crons: Crons) -> None:
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{crons.flows.namespace}/cronworkflows"
    crons.flows.api.create(path, cron(schedules=["often"]))
    crons.settled()
    wanted = {"type": "SpecError", "status": "True"}
    status = crons.settled(
        conditions=[
            wanted | {"message": "cron schedule often is malformed: expected exactly 5 fields, found 1: [often]"}
        ]
    )
    assert status["active"] == []
    crons.pass_hours(1)
    assert crons.children() == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (cron(schedules=["x"]), "cron schedule x is malformed: expected exactly 5 fields, found 1: [x]"),
        (cron(schedules=[]), "cron workflow must have at least one schedule"),
        (cron(schedules=[], schedule="* * * * *"), 'write it as a list, spec.schedules: ["* * * * *"]'),
        (cron(timezone="Mars/Phobos"), "unknown time zone Mars/Phobos"),
        (cron(concurrencyPolicy="Sometimes"), "'Sometimes' is not a valid concurrencyPolicy"),
        (cron(startingDeadlineSeconds=-1), "startingDeadlineSeconds must be positive"),
        (cron(name="c" * 53), "must not be more than 52 characters long (currently 53)"),
        (
            cron(dag(task("a", "gone"))),
            "cannot validate Workflow: templates.main.tasks.a template name 'gone' undefined",
        ),
    ],
)
@pytest.mark.parametrize("path", ["", "/lint"])
def test_what_cannot_be_one_is_refused(crons: Crons, body: Json, words: str, path: str) -> None:
    answer = crons.send("POST", path, {"cronWorkflow": body})
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert words in answer.json()["message"]


def test_an_update_says_which_state_it_replaces(crons: Crons) -> None:
    made = crons.make()
    del made["metadata"]["resourceVersion"]
    answer = crons.send("PUT", "/c", {"cronWorkflow": made})
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in answer.json()["message"]
    answer = crons.send("PUT", "/c", {"cronWorkflow": made | {"metadata": made["metadata"] | {"resourceVersion": "1"}}})
    assert (answer.status_code, answer.json()["code"]) == (409, 6)


def test_they_are_listed_read_and_deleted_with_their_workflows(crons: Crons) -> None:
    crons.make(name="c")
    crons.make(name="d", schedules=["@daily"])
    listed = crons.send("GET").json()["items"]
    assert [one["metadata"]["name"] for one in listed] == ["c", "d"]
    crons.pass_hours(1)
    crons.finish()
    assert len(crons.children()) == 1
    assert crons.send("DELETE", "/c").json() == {}
    assert crons.send("GET", "/c").status_code == 404
    assert crons.children() == []


def test_one_is_submitted_by_hand(crons: Crons) -> None:
    crons.make(
        container("main", "echo", "{{workflow.parameters.x}}"),
        inner={"arguments": {"parameters": [{"name": "x", "value": "1"}]}},
    )
    body = {"resourceKind": "CronWorkflow", "resourceName": "c", "submitOptions": {"parameters": ["x=2"]}}
    made = crons.flows.api.send("POST", f"{crons.flows.base}/submit", body).json()
    assert made["metadata"]["name"].startswith("c-")
    assert made["metadata"]["labels"]["workflows.argoproj.io/cron-workflow"] == "c"
    crons.flows.finish(made["metadata"]["name"])
    assert crons.flows.log(made["metadata"]["name"]) == ["2"]
    crons.settled(succeeded=1)


def test_hera_keeps_cron_workflows(crons: Crons) -> None:
    from hera.workflows import Container, CronWorkflow, WorkflowsService

    address, namespace = crons.address, crons.flows.namespace
    service = WorkflowsService(host=address.url, token=address.token, namespace=namespace)
    made = CronWorkflow(
        name="c", entrypoint="main", schedules=["0 * * * *"], workflows_service=service, namespace=namespace
    )
    with made:
        Container(name="main", image="busybox", command=["true"])
    made.lint()
    made.create()
    made.concurrency_policy = "Forbid"
    made.update()
    assert service.get_cron_workflow("c").spec.concurrency_policy == "Forbid"
    crons.pass_hours(1)
    crons.finish()
    crons.settled(succeeded=1)
    service.delete_cron_workflow("c")
    assert not service.list_cron_workflows().items


@pytest.mark.needs("kubectl")
def test_kubectl_keeps_cron_workflows(crons: Crons, tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(kubeconfig(crons.address, namespace=crons.flows.namespace))
    environment = os.environ | {"KUBECONFIG": str(config), "KUBECACHEDIR": str(tmp_path / "cache")}

    def kubectl(*words: str, stdin: str = "") -> str:
        command = ["kubectl", *words]
        done = subprocess.run(command, input=stdin, env=environment, text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    kubectl("apply", "-f", "-", stdin=json.dumps(cron()))
    crons.pass_hours(2)
    crons.finish()
    crons.settled(succeeded=2)
    assert len(kubectl("get", "workflows", "-l", "workflows.argoproj.io/cron-workflow=c", "-o", "name").split()) == 2
    assert kubectl("get", "cwf", "c", "-o", "jsonpath={.status.succeeded} {.status.phase}") == "2 Active"
    kubectl("patch", "cronworkflow", "c", "--type", "merge", "-p", '{"spec": {"suspend": true}}')
    crons.pass_hours(2)
    assert len(crons.children()) == 2
    kubectl("delete", "cronworkflow", "c")
    assert crons.children() == []


# The clock


def test_time_passes_for_suspended_nodes(crons: Crons) -> None:
    gate = {"name": "gate", "suspend": {"duration": "48h"}}
    name = crons.flows.submit(workflow(dag(task("a", "gate")), gate))
    crons.flows.until(name, lambda one: one.get("status", {}).get("nodes") and phases(one).get("a") == "Running")
    crons.pass_hours(47)
    assert phases(crons.flows.get(name))["a"] == "Running"
    crons.pass_hours(1)
    found = crons.flows.finish(name)
    assert found["status"]["phase"] == "Succeeded"
    waited = nodes(found)["a"]
    ends = [datetime.fromisoformat(waited[key][:-1]) for key in ("startedAt", "finishedAt")]
    assert ends[1] - ends[0] >= timedelta(days=2)


def test_time_passes_for_deadlines_and_for_what_has_ended(crons: Crons) -> None:
    slow = crons.flows.submit(workflow(WAIT, activeDeadlineSeconds=HOUR))
    done = crons.flows.run(workflow(container(), ttlStrategy={"secondsAfterCompletion": HOUR}))["metadata"]["name"]
    crons.flows.until(slow, lambda one: one.get("status", {}).get("phase") == "Running")
    crons.pass_hours(1.01)
    assert crons.flows.finish(slow)["status"]["phase"] == "Failed"
    for frame in crons.flows.events(slow):  # which is there, so the other one is gone or about to
        assert frame["result"]["object"]["metadata"]["name"] == slow
        break
    remaining = {one["metadata"]["name"] for one in crons.children()}
    assert done not in remaining


def test_the_clock_is_kept_over_a_restart_and_what_was_missed_is_made_up_for(tmp_path: Path) -> None:
    with running(tmp_path) as address:
        before = address.advance(30 * 86400)
        crons = Crons(address)
        crons.make(startingDeadlineSeconds=2 * 86400)
        crons.make(name="never")
        crons.pass_hours(1)
        namespace, ahead = crons.flows.namespace, address.ahead()
        assert len(crons.finish()) == 2
    (tmp_path / "clock.json").write_text(f'{{"ahead": {ahead + 86400}}}')  # a day without a sandbox
    with running(tmp_path) as address:
        assert address.advance(0) > before
        flows = Workflows(Api(address.url, address.token), namespace)
        found = flows.api.get(flows.base)["items"]
        names = sorted(one["metadata"]["name"].rpartition("-")[0] for one in found)
        assert names == ["c", "c", "never"]


def test_the_clock_is_for_the_administrator(crons: Crons) -> None:
    space = f"/api/v1/namespaces/{crons.flows.namespace}"
    crons.flows.api.create(f"{space}/serviceaccounts", {"metadata": {"name": "nobody"}})
    asked = crons.flows.api.create(f"{space}/serviceaccounts/nobody/token", {"spec": {"expirationSeconds": 600}})
    theirs = Address(crons.address.url, asked["status"]["token"], crons.address.directory)
    with pytest.raises(LaunchError, match="is not for"):
        theirs.advance(60)
    with pytest.raises(LaunchError, match="Unauthorized"):
        Address(crons.address.url, "wrong", crons.address.directory).advance(60)


@pytest.mark.parametrize("seconds", ["x", None, True, -1, 1e300])
def test_time_passes_forward_only(crons: Crons, seconds: object) -> None:
    answer = crons.flows.api.send("POST", "/sandbox/clock", {"seconds": seconds})
    assert answer.status_code == 400
    assert "seconds is" in answer.json()["message"]


def test_too_many_times_at_once_are_met_in_parts(crons: Crons) -> None:
    crons.make(schedules=["* * * * *"], when="1 == 2")
    with pytest.raises(LaunchError, match="1000 scheduled times were met until then; advance it again"):
        crons.pass_hours(24)
    crons.pass_hours(8)


def test_the_command_advances_the_clock(crons: Crons, capsys: pytest.CaptureFixture[str]) -> None:
    crons.make()
    before = crons.address.ahead()
    words = ["sandbox", "--sandbox-dir", str(crons.address.directory), "--advance"]
    assert main([*words, "1h30m", "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ahead"] == pytest.approx(before + 1.5 * HOUR, abs=5)
    assert len(crons.children()) in (1, 2)
    assert main([*words, "1d"]) == 0
    assert "UTC in the sandbox now, " in capsys.readouterr().err
    assert main([*words[:-1], "--status"]) == 0
    assert "Its clock is " in capsys.readouterr().err


def test_the_command_says_what_is_amiss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "--sandbox-dir", str(tmp_path), "--advance", "1h"]) != 0
    said = capsys.readouterr().err
    assert "the sandbox's clock cannot be advanced" in said
    assert "no sandbox runs here" in said
    assert main(["sandbox", "--advance", "soon"]) != 0
    assert "'soon' is no length of time, such as 90s, 15m, 24h or 7d" in capsys.readouterr().err


def test_time_passes_for_jobs_that_have_ended(crons: Crons) -> None:
    path = f"/apis/batch/v1/namespaces/{crons.flows.namespace}/jobs"
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox", "command": ["true"]}]}
    spec = {"ttlSecondsAfterFinished": 10 * HOUR, "template": {"spec": pod}}
    crons.flows.api.create(path, {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": spec})
    watched = crons.flows.api.watch(f"{path}?watch=1&timeoutSeconds=60")
    assert any(event["object"].get("status", {}).get("completionTime") for event in watched)
    crons.pass_hours(11)
    assert any(event["type"] == "DELETED" for event in watched)
