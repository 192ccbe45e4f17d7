"""Producers and their one consumer: nothing is lost, nothing piles up, and every thread ends."""

from __future__ import annotations

import threading
import time

import pytest

from hera_k8s_utils.engines import Pump


def test_items_of_all_producers_come_until_all_have_ended() -> None:
    pump = Pump[int](2)
    for start in (0, 100):
        pump.start(lambda start=start: [pump.put(start + at) for at in range(10)], name="producer")
    assert sorted(pump.items()) == [*range(10), *range(100, 110)]


def test_a_failure_is_raised_once_all_others_have_ended() -> None:
    pump = Pump[int](10)

    def fail() -> None:
        pump.put(1)
        raise ValueError("broken")

    pump.start(fail, name="broken")
    pump.start(lambda: [time.sleep(0.1), pump.put(2)], name="whole")
    found = list[int]()
    with pytest.raises(ValueError, match="broken"):
        found.extend(pump.items())
    assert sorted(found) == [1, 2]


def test_producers_stop_when_the_consumer_does() -> None:
    pump, ended = Pump[int](1), threading.Event()

    def produce() -> None:
        while pump.put(0):
            pass
        ended.set()

    pump.start(produce, name="producer")
    items = pump.items()
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert ended.wait(10)
    assert pump.stopped


def test_heavy_items_fill_the_queue_sooner() -> None:
    pump, put = Pump[str](10, weigh=len), list[str]()
    pump.start(lambda: [put.append(text) for text in ["x" * 10] * 3 if pump.put(text)], name="producer")
    time.sleep(0.3)
    assert len(put) == 1
    assert len(list(pump.items())) == 3


def test_polling_tells_a_silence_and_raises_a_failure_at_once() -> None:
    pump, go = Pump[int](10), threading.Event()

    def fail() -> None:
        go.wait(10)
        raise ValueError("broken")

    pump.start(fail, name="broken")
    polled = pump.poll(lambda: 0.05)
    assert next(polled) is None
    go.set()
    with pytest.raises(ValueError, match="broken"):
        list(polled)
