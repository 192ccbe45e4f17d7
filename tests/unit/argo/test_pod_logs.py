"""The executor's own lines are no output of a task; whatever a task prints is."""

from __future__ import annotations

import pytest

from hera_k8s_argo.pod_logs import without_executor_lines
from hera_k8s_utils import LogLine

OF_THE_EXECUTOR = (
    'time="2024-03-29T06:40:25 UTC" level=info msg="capturing logs" argo=true',
    'time="2024-03-29T06:40:27 UTC" level=info msg="sub-process exited" argo=true error="<nil>"',
    'time=2026-01-05T10:00:00.000Z level=INFO msg="waiting for signals" argo=true',
    'time=2026-01-05T10:00:00.000Z level=ERROR msg="it said \\"no\\"" error="exit status 1" argo=true node=a',
    '{"argo":true,"level":"info","msg":"capturing logs","time":"2026-01-05T10:00:00Z"}',
)
OF_A_TASK = (
    "argo=true",
    'time=2026-01-05T10:00:00.000Z level=INFO msg="step 3" loss=0.2',
    'time=2026-01-05T10:00:00.000Z level=INFO msg="set argo=true in the configuration"',
    '{"argo":true,"level":"info"}',
    '{"argo":true,"level":"info","msg":"x","time":',
    "rate 0.5, seed 1 argo=true",
    "",
)


@pytest.mark.parametrize("text", OF_THE_EXECUTOR)
def test_a_line_of_the_executor_is_left_out(text: str) -> None:
    assert list(without_executor_lines(iter([LogLine("pod", text), LogLine("pod", "result")]))) == [
        LogLine("pod", "result")
    ]


@pytest.mark.parametrize("text", OF_A_TASK)
def test_a_line_of_a_task_stays(text: str) -> None:
    assert list(without_executor_lines(iter([LogLine("pod", text)]))) == [LogLine("pod", text)]
