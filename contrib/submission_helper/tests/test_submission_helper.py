"""`hera-k8s jobs`, installed as its users install it, on the sandbox: every line runs, once, and is counted right."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, Told, kubeconfig, write_kubeconfig
from fault_server import reply
from jobs_peer import JOBS, PODS, JobsPeer, ended, job, status
from page_blocks import the_block
from sandbox_api import Api, claim, make_namespace
from strangers import Site

PATIENCE = 100.0
_NUMBERS = itertools.count()
Json = dict[str, Any]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The distribution, built from a copy so that the build leaves nothing in the checkout."""
    directory = tmp_path_factory.mktemp("submission_helper")
    project = shutil.copytree(Path(__file__).resolve().parent.parent, directory / "project")
    installed = Site(directory / "packages")
    installed.install(project)
    return installed


@pytest.fixture
def api(sandbox: Any) -> Api:
    return Api(sandbox.url, sandbox.token)


class Helper:
    """Runs `hera-k8s jobs ...` in a namespace of its own; `claims`: where the files of its claims are."""

    def __init__(self, hera: CommandLine, site: Site, work: Path, sandbox: Any, namespace: str) -> None:
        self.hera, self.work, self.namespace = hera, work, namespace
        self.flags = ("--sandbox", "--sandbox-dir", str(sandbox.directory), "-n", namespace)
        self.claims = Path(sandbox.directory) / "claims" / namespace
        self.environ = {**os.environ, "PYTHONPATH": str(site.packages), "NO_COLOR": "1"}

    def __call__(self, *words: str, code: int | None = 0) -> Told:
        told = self.hera("jobs", *words, *self.flags)
        assert code in (None, told.code), told.text
        return told

    def json(self, *words: str, code: int | None = 0) -> Any:
        """The JSON document that a command prints."""
        return json.loads(self(*words, "--output", "json", code=code).out)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A command that goes on by itself."""
        command = [sys.executable, "-m", "hera_k8s_utils", "jobs", *words, *self.flags]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, cwd=self.work, env=self.environ, **quiet)

    def lines(self, *lines: str, name: str = "lines.txt") -> str:
        """A file of command lines."""
        (self.work / name).write_text("\n".join(lines) + "\n")
        return name


@pytest.fixture
def hera(site: Site, work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """`hera-k8s` in this process, with the distribution in sight."""
    monkeypatch.syspath_prepend(str(site.packages))
    return CommandLine(capsys)


@pytest.fixture
def helper(hera: CommandLine, site: Site, work: Path, sandbox: Any, api: Api) -> Iterator[Helper]:
    namespace = f"sh-{next(_NUMBERS)}"
    path = make_namespace(api, namespace)
    api.create(f"{path}/persistentvolumeclaims", claim("ntuples-claim"))
    helper = Helper(hera, site, work, sandbox, namespace)
    yield helper
    helper("cancel", "--all", code=None)


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that comes by itself."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def jobs_of(api: Api, helper: Helper, selector: str = "app=submission-helper") -> list[Json]:
    path = f"/apis/batch/v1/namespaces/{helper.namespace}/jobs?labelSelector={selector}"
    return sorted(api.get(path)["items"], key=lambda job: str(job["metadata"]["name"]))


# --- a batch -------------------------------------------------------------------------------------------------------


def test_each_line_is_a_job_with_what_was_asked_for(helper: Helper, api: Api) -> None:
    file = helper.lines("echo first", "# not this one", "", "echo sec\\", "ond")
    helper("submit", file, "--ncores", "2", "--memory", "100", "--time", "7", "--k8s-mount-path", "/data/")
    found = jobs_of(api, helper, "app=submission-helper,identifier=lines")
    assert [job["metadata"]["name"] for job in found] == ["shj-lines-00000", "shj-lines-00001"]
    spec = found[1]["spec"]
    pod = spec["template"]["spec"]
    main = pod["containers"][0]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"], pod["restartPolicy"]) == (3, 420, "Never")
    assert (main["image"], main["imagePullPolicy"]) == ("debian:stable-slim", "Always")
    assert main["resources"]["requests"] == main["resources"]["limits"] == {"cpu": "2", "memory": "100M"}
    assert main["volumeMounts"][0]["mountPath"] == "/data"
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == "ntuples-claim"
    assert main["command"][:2] == ["bash", "-cl"]
    assert main["env"][0] == {"name": "SUBMISSION_HELPER_COMMAND", "value": "echo second"}
    assert spec["template"]["metadata"]["labels"]["app"] == "submission-helper"


def test_the_readme_s_command_runs_each_line(helper: Helper) -> None:
    ((_, *words),) = the_block("contrib/submission_helper/README.md", "jobs submit").hera_k8s
    words[words.index("--k8s-image") + 1] = "debian:stable-slim"  # the sandbox has this one
    helper.lines("echo first", "echo second")
    told = helper(*words)
    assert "2" in told.text
    logs = [file.read_text() for file in sorted((helper.work / "logs").glob("shj-lines-*.log"))]
    assert logs == ["first\n", "second\n"]


def test_a_line_reaches_bash_as_it_is_written(helper: Helper) -> None:
    line = """x='a  b'; [[ $x == a* ]] && printf '%s|' "$x" $(echo "$HOME" | wc -l) $((1+1)); test $$ -gt 0; echo"""
    helper("submit", "--command", line, "--wait", "--identifier", "exact")
    assert (helper.work / "logs" / "shj-exact-00000.log").read_text() == "a  b|1|2|\n"


def test_only_a_line_feed_ends_a_line(hera: CommandLine, work: Path) -> None:
    odd = "echo 'a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g\rh'"
    (work / "lines.txt").write_bytes(f"{odd}\r\necho sec\\\r\nond\r\n\r\necho third".encode())
    jobs = json.loads(hera("jobs", "submit", "lines.txt", "--dry-run", "--output", "json").out)["jobs"]
    commands = [job["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] for job in jobs]
    assert commands == [odd, "echo second", "echo third"]


def test_a_line_that_is_no_bash_fails_alone(helper: Helper) -> None:
    done = helper("submit", "--command", "echo (", "--command", "echo fine", "--wait", "--retries", "0", code=8)
    assert "2 jobs: 1 succeeded, 1 failed" in done.out


def test_standard_input_is_a_file_too(helper: Helper) -> None:
    command = [sys.executable, "-m", "hera_k8s_utils", "jobs", "submit", "-", "--dry-run", "--output", "json"]

    told = {"cwd": helper.work, "env": helper.environ, "capture_output": True, "text": True, "timeout": 60}
    done = subprocess.run(command, input="echo a\necho b\n", **told)
    assert done.returncode == 0, done.stderr
    assert [job["metadata"]["name"] for job in json.loads(done.stdout)["jobs"]] == ["shj-jobs-00000", "shj-jobs-00001"]


def test_only_the_first_lines_are_tried(helper: Helper, api: Api) -> None:
    helper("submit", helper.lines("echo a", "echo b", "echo c"), "--ntest", "2")
    assert len(jobs_of(api, helper)) == 2


def test_a_dry_run_submits_nothing(helper: Helper, api: Api) -> None:
    done = helper("submit", helper.lines("echo a"), "--dry-run")
    assert "would submit 1 Job" in done.out
    assert jobs_of(api, helper) == []


def test_a_dry_run_needs_no_server(hera: CommandLine, work: Path) -> None:
    (work / "lines.txt").write_text("echo a\n")
    done = hera("jobs", "submit", "lines.txt", "--dry_run")
    assert done.code == 0, done.err
    assert "no server was contacted" in done.out


@pytest.mark.parametrize(
    "identifier", ["My Analysis (v2)/ttbar", "x" * 200, "...", "Ünïcode", "a.b_c", "UPPER", "-dash-"]
)
def test_names_and_labels_fit_whatever_the_identifier_is(hera: CommandLine, work: Path, identifier: str) -> None:
    (work / "lines.txt").write_text("echo a\n")
    done = hera("jobs", "submit", "lines.txt", "--dry-run", f"--identifier={identifier}", "--output", "json")
    assert done.code == 0, done.err
    job = json.loads(done.out)["jobs"][0]
    name, label = job["metadata"]["name"], job["metadata"]["labels"]["identifier"]

    assert re.fullmatch(r"shj-[a-z0-9]([a-z0-9-]*[a-z0-9])?-00000", name), name
    assert len(name) <= 61, "seven digits fit"
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", label), label


def test_identifiers_that_look_alike_stay_apart(hera: CommandLine, work: Path) -> None:
    (work / "lines.txt").write_text("echo a\n")
    names = set()
    for identifier in ("a b", "a-b", "a_b", "A-B"):
        done = hera("jobs", "submit", "lines.txt", "--dry-run", "--identifier", identifier, "--output", "json")
        names.add(json.loads(done.out)["jobs"][0]["metadata"]["name"])
    assert len(names) == 4


# --- before ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--k8s-image", "Not An Image"), "is not an image"),
        (("--k8s-mount-path", "relative"), "it must be an absolute path below /"),
        (("--k8s-mount-path", "/"), "it must be an absolute path below /"),
        (("--ncores", "0"), "it must be at least 1"),
        (("--memory", "-5"), "it must be at least 1"),
        (("--maxConcurrent", "0"), "nothing would ever run"),
        (("--ntest", "0"), "no command lines are given"),
        (("--output", "../elsewhere"), "it must be a directory on the claim"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_a_server_is_asked(
    hera: CommandLine, work: Path, words: tuple[str, ...], said: str
) -> None:
    (work / "lines.txt").write_text("echo a\n")
    done = hera("jobs", "submit", "lines.txt", *words)
    assert done.code == 2, done.err
    assert said in done.err


def test_an_image_without_bash_is_warned_of(hera: CommandLine, work: Path) -> None:
    (work / "lines.txt").write_text("echo a\n")
    for image, warned in (("busybox", True), ("docker.io/library/alpine:3", True), ("debian:12", False)):
        done = hera("jobs", "submit", "lines.txt", "--dry-run", "--k8s-image", image)
        assert ("known to have no bash" in done.err) is warned, image


def test_a_missing_claim_is_said_and_nothing_is_submitted(
    hera: CommandLine, work: Path, sandbox: Any, api: Api
) -> None:
    """Where the cluster is not the user's own: by the sandbox's kubeconfig, which provisions nothing."""
    from hera_k8s_sandbox.server.launch import kubeconfig

    make_namespace(api, "no-claim")
    (work / "lines.txt").write_text("echo a\n")
    (work / "kubeconfig").write_text(kubeconfig(sandbox, namespace="no-claim"))
    words = ("submit", "lines.txt", "--k8s-config-file", "kubeconfig")
    refused = hera("jobs", *words)
    assert refused.code == 5, refused.text
    assert "ntuples-claim" in refused.err
    assert "Nothing was submitted" in refused.err
    assert "-> --provision    or  --k8s-volume-claim NAME" in refused.err
    assert "hera-k8s provision" not in refused.err
    other = hera("jobs", *words, "--k8s-volume-claim", "elsewhere", "--output", "json")
    assert other.code == 5, other.text
    assert '"--provision    or  --k8s-volume-claim NAME"' in other.out
    made = hera("jobs", *words, "--provision", "--wait")
    assert made.code == 0, made.text


def _login(name: str, host: str, kind: str = "kubernetes.io/dockerconfigjson") -> Json:
    logins = base64.b64encode(json.dumps({"auths": {host: {"auth": "eDp5"}}}).encode()).decode()
    key = ".dockerconfigjson" if kind != "Opaque" else "a"
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": kind, "data": {key: logins}}


def test_a_pull_secret_must_fit_the_image(helper: Helper, api: Api) -> None:
    path = f"/api/v1/namespaces/{helper.namespace}/secrets"
    api.create(path, _login("mine", "registry.example"))
    api.create(path, _login("opaque", "registry.example", "Opaque"))
    file = helper.lines("echo a")
    image = ("--k8s-image", "other.example/group/image:1")
    assert "no login for other.example" in helper("submit", file, *image, "--k8s-registry-secret", "mine", code=5).err
    assert "has type Opaque" in helper("submit", file, "--k8s-registry-secret", "opaque", code=5).err
    assert "not found" in helper("submit", file, "--k8s-registry-secret", "nowhere", code=5).err
    assert jobs_of(api, helper) == []


def test_the_default_pull_secret_is_used_where_it_is(helper: Helper, api: Api) -> None:
    file = helper.lines("echo a")
    assert "pulling the image without one" in helper("submit", file, "--identifier", "without").err
    path = f"/api/v1/namespaces/{helper.namespace}/secrets"
    api.create(path, _login("sh-k8s-registry-secret", "registry.example"))
    helper("submit", file, "--identifier", "with")
    pods = [job["spec"]["template"]["spec"] for job in jobs_of(api, helper)]
    assert [pod.get("imagePullSecrets") for pod in pods] == [[{"name": "sh-k8s-registry-secret"}], None]


def test_an_empty_claim_is_none(helper: Helper, api: Api) -> None:
    file = helper.lines('test -z "$SUBMISSION_HELPER_OUTPUT"')
    helper("submit", file, "--k8s-volume-claim=", "--wait")
    assert "volumes" not in jobs_of(api, helper)[0]["spec"]["template"]["spec"]
    refused = helper("submit", file, "--k8s-volume-claim=", "--checkmissing", code=2)
    assert "--checkmissing needs a claim" in refused.err


# --- again and again -------------------------------------------------------------------------------------------------


def test_the_same_batch_again_runs_nothing_twice(helper: Helper) -> None:
    file = helper.lines("echo ran >> /ntuples/ran", "echo ran >> /ntuples/ran")
    helper("submit", file, "--wait")
    again = helper("submit", file, "--wait")
    assert "0 of 2 jobs submitted" in again.err
    assert "2 already existed" in again.err
    assert (helper.claims / "ntuples-claim" / "ran").read_text() == "ran\n" * 2


def test_other_lines_under_the_identifier_are_refused(helper: Helper) -> None:
    helper("submit", helper.lines("echo a"), "--wait")
    other = helper("submit", helper.lines("echo b"), code=7)
    assert "the name is taken" in other.err


def test_only_what_is_missing_is_submitted_again(helper: Helper, api: Api) -> None:
    flaky = "date +%s%N; test -e /ntuples/mended"
    file = helper.lines("echo ran >> /ntuples/ran", flaky, flaky)
    helper("submit", file, "--retries", "0", "--wait", code=8)
    (helper.claims / "ntuples-claim" / "mended").touch()
    log = helper.work / "logs" / "shj-lines-00001.log"
    before = log.read_text()
    until(lambda: time.time() - log.stat().st_mtime > 1.1)  # Kubernetes tells whole seconds
    again = helper("submit", file, "--retries", "0", "--checkmissing", "--wait")
    assert "1 of 3 outputs exist (33 %), 2 are missing" in again.err
    assert "2 of 2 jobs submitted" in again.err
    assert "3 jobs: 3 succeeded" in again.out
    assert (helper.claims / "ntuples-claim" / "ran").read_text() == "ran\n"
    assert log.read_text() not in ("", before), "the log is that of the last try"
    last = helper("submit", file, "--retries", "0", "--checkmissing")
    assert "3 of 3 outputs exist (100 %), 0 are missing" in last.err
    assert "nothing is missing" in last.err
    assert jobs_of(api, helper, "app=submission-helper-look") == []


def test_outputs_count_although_the_jobs_are_gone(helper: Helper, api: Api) -> None:
    file = helper.lines("true", "exit 1")
    helper("submit", file, "--retries", "0", "--wait", code=8)
    helper("cancel", "--all")
    helper("submit", file, "--retries", "0", "--checkmissing", "--wait", code=8)
    assert [job["metadata"]["name"] for job in jobs_of(api, helper)] == ["shj-lines-00001"]


def test_an_output_is_not_there_because_an_earlier_line_had_left_one(helper: Helper) -> None:
    helper("submit", helper.lines("true", "true"), "--wait")
    helper("cancel", "--all")
    file = helper.lines("true", "exit 1")
    until(lambda: helper("submit", file, "--retries", "0", "--wait", code=None).code == 8)  # once the first are gone
    again = helper("submit", file, "--retries", "0", "--checkmissing", code=0)
    assert "1 of 2 outputs exist (50 %), 1 is missing" in again.err


def test_a_line_does_not_run_while_an_earlier_output_cannot_be_told_from_its_own(helper: Helper) -> None:
    stuck = helper.claims / "ntuples-claim" / "batchOutput" / "lines" / "00000" / ".complete" / "kept"
    stuck.mkdir(parents=True)
    helper("submit", helper.lines("echo ran >> /ntuples/ran"), "--retries", "0", "--wait", code=8)
    assert "nothing was run" in (helper.work / "logs" / "shj-lines-00000.log").read_text()
    assert not (helper.claims / "ntuples-claim" / "ran").exists()


def test_so_many_run_at_a_time(helper: Helper) -> None:
    count = "echo 1 >> /ntuples/now/$SUBMISSION_HELPER_NAME; ls /ntuples/now | wc -l >> /ntuples/seen; sleep 0.3;"
    line = f"mkdir -p /ntuples/now; {count} rm /ntuples/now/$SUBMISSION_HELPER_NAME"
    helper("submit", helper.lines(*[line] * 8), "--maxConcurrent", "2", "--wait")
    seen = [int(text) for text in (helper.claims / "ntuples-claim" / "seen").read_text().split()]
    assert len(seen) == 8
    assert max(seen) <= 2


# --- afterwards ------------------------------------------------------------------------------------------------------


def test_status_tells_each_job_and_why(helper: Helper) -> None:
    helper("submit", helper.lines("echo a", "exit 4"), "--retries", "1", "--wait", code=8)
    told = helper.json("status")
    rows = {row["name"]: (row["phase"], row["failed"], row["retried"]) for row in told["jobs"]}
    assert rows == {"shj-lines-00000": ("Succeeded", 0, False), "shj-lines-00001": ("Failed", 2, True)}
    assert (told["counts"]["succeeded"], told["counts"]["failed"], told["counts"]["retried"]) == (1, 1, 1)
    assert "BackoffLimitExceeded" in helper("status").out
    assert helper.json("status", "--identifier", "another")["jobs"] == []


def test_a_job_that_cannot_start_says_why(helper: Helper) -> None:
    image = ("--k8s-image", "nowhere.example/nothing:does-not-exist", "--k8s-registry-secret=")
    helper("submit", helper.lines("echo a"), *image)
    until(lambda: "ImagePull" in helper.json("status")["jobs"][0]["why"])
    assert helper.json("status")["jobs"][0]["phase"] == "Pending"


def test_logs_of_one_job_and_of_all(helper: Helper) -> None:
    helper("submit", helper.lines("echo a; echo b", "echo again; exit 1"), "--retries", "1", "--wait", code=8)
    assert helper("logs", "shj-lines-00000").out == "a\nb\n"
    assert helper("logs", "1", "--identifier", "lines").out == "again\nagain\n"
    assert "shj-lines-00000: a" in helper("logs").out
    assert "no job is named shj-lines-00007" in helper("logs", "7", "--identifier", "lines", code=2).err
    helper("logs", "--logpath", "elsewhere")
    tries = (helper.work / "elsewhere" / "shj-lines-00001.log").read_text()
    assert tries.count("==> shj-lines-00001-") == 2
    assert tries.count("again") == 2


def test_a_log_that_cannot_be_had_does_not_hide_how_the_batch_ended(helper: Helper) -> None:
    (helper.work / "logs" / "shj-lines-00000.log").mkdir(parents=True)
    done = helper("submit", helper.lines("true", "exit 1"), "--retries", "0", "--wait", code=8)
    assert "2 jobs: 1 succeeded, 1 failed" in done.out
    assert "logs of 1 in logs/" in done.out
    assert "the log of 1 job is missing: the log of shj-lines-00000 was not written" in done.err
    told = helper("wait", "--identifier", "lines", "--output", "json", code=8)
    assert json.loads(told.out.splitlines()[-1])["event"] == "ended"
    assert "was not written" in helper("logs", "0", "--identifier", "lines", "--logpath", "logs", code=1).err


def test_a_log_that_cannot_be_had_does_not_hide_why_driving_failed(hera: CommandLine, work: Path) -> None:
    with JobsPeer() as peer:
        peer.keep({**job("over"), "status": ended()})
        peer.keep(job("waits", suspend=True))
        peer.on("PATCH", f"{JOBS}/waits", reply(403, status(403, "Forbidden", "jobs may not be resumed")))
        peer.on("GET", PODS, reply(403, status(403, "Forbidden", "pods may not be listed")))
        login = write_kubeconfig(work / "kubeconfig", kubeconfig(peer.url, namespace="vcity"))
        done = hera("jobs", "wait", "--k8s-config-file", login)
    assert done.code != 0
    assert "jobs may not be resumed" in done.err
    assert "pods may not be listed" not in done.err


def test_pods_are_listed_with_their_jobs(helper: Helper, api: Api) -> None:
    helper("submit", helper.lines("echo a"), "--wait")
    row = helper.json("pods")[0]
    assert (row["job"], row["phase"]) == ("shj-lines-00000", "Succeeded")
    path = f"/api/v1/namespaces/{helper.namespace}/pods?labelSelector=app=submission-helper"
    assert [pod["metadata"]["name"] for pod in api.get(path)["items"]] == [row["name"]]


def test_cancelling_leaves_what_has_ended(helper: Helper, api: Api) -> None:
    helper("submit", helper.lines("true", "sleep 600"))
    until(lambda: helper.json("status")["counts"]["succeeded"] == 1)
    assert helper.json("cancel", "--identifier", "lines") == {"cancelled": 1, "kept": 1}
    until(lambda: [job["metadata"]["name"] for job in jobs_of(api, helper)] == ["shj-lines-00000"])
    assert helper.json("cancel", "--all") == {"cancelled": 1, "kept": 0}


def test_one_batch_is_driven_at_a_time(helper: Helper) -> None:
    file = helper.lines("true")
    for identifier in ("first", "second"):
        helper("submit", file, "--identifier", identifier)
    assert "first, second" in helper("wait", code=2).err
    assert "1 job: 1 succeeded" in helper("wait", "--identifier", "second").out


def test_other_jobs_are_left_alone(helper: Helper, api: Api) -> None:
    api.create(f"/apis/batch/v1/namespaces/{helper.namespace}/jobs", job("not-ours", "sleep 600"))
    helper("submit", helper.lines("true"), "--wait")
    assert [row["name"] for row in helper.json("status")["jobs"]] == ["shj-lines-00000"]
    helper("cancel", "--all")
    assert [each["metadata"]["name"] for each in jobs_of(api, helper, "")] == ["not-ours"]


# --- the whole -------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
def test_two_hundred_jobs_killed_cancelled_and_resumed_are_each_counted_right(helper: Helper, api: Api) -> None:
    """Every second fails for good, every tenth fails once and is tried again; the client is killed, the batch is
    cancelled half-way, and submitted again: whatever ended is not run again."""
    many, root = 200, "/ntuples"
    ran = f"echo x >> {root}/ran/$SUBMISSION_HELPER_NAME"

    def line(number: int) -> str:
        if number % 2:
            return f"{ran}; exit 1"
        if number % 10 == 0:
            return f"test -e {root}/tried/{number} || {{ touch {root}/tried/{number}; exit 1; }}; {ran}"
        return ran

    files = helper.claims / "ntuples-claim"
    for name in ("ran", "tried"):
        (files / name).mkdir(parents=True)
    batch = (
        "submit",
        helper.lines(*map(line, range(many))),
        "--retries",
        "1",
        "--maxConcurrent",
        "12",
        "--ncores",
        "1",
    )

    def ended() -> int:
        conditions = [job["status"].get("conditions") or () for job in jobs_of(api, helper)]
        return sum(any(each["type"] in ("Complete", "Failed") for each in found) for found in conditions)

    client = helper.start(*batch, "--wait")
    try:
        until(lambda: ended() >= 30)
    finally:
        client.send_signal(signal.SIGKILL)
        client.wait(PATIENCE)
    driver = helper.start("wait", "--identifier", "lines")
    try:
        until(lambda: ended() >= 90)
    finally:
        driver.send_signal(signal.SIGKILL)
        driver.wait(PATIENCE)
    until(lambda: helper.json("status")["counts"]["running"] + helper.json("status")["counts"]["pending"] == 0)
    kept = ended()
    told = helper.json("cancel", "--identifier", "lines")
    assert told == {"cancelled": many - kept, "kept": kept}
    until(lambda: len(jobs_of(api, helper)) == kept)

    done = helper(*batch, "--wait", code=8)
    assert f"{many - kept} of {many} jobs submitted" in done.err
    assert "200 jobs: 100 succeeded, 100 failed; 120 were retried" in done.out
    runs = Counter({path.name: len(path.read_text().split()) for path in (files / "ran").iterdir()})
    assert sorted(runs) == [f"shj-lines-{number:05d}" for number in range(many)]
    assert {runs[f"shj-lines-{number:05d}"] for number in range(0, many, 2)} == {1}
    assert {runs[f"shj-lines-{number:05d}"] for number in range(1, many, 2)} == {2}
    assert len(list((helper.work / "logs").glob("*.log"))) == many
