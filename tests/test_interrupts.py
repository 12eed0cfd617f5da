"""Ctrl-C ends a run between two frames."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from tracker import interrupts as module
from tracker.interrupts import Interrupts


def press(number: signal.Signals = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_it_is_allowed(number: signal.Signals) -> None:
    done = False
    with Interrupts() as interrupts:
        press(number)
        done = True
        with pytest.raises(KeyboardInterrupt), interrupts.allowed():
            done = False
    assert done


def test_a_signal_answers_at_once_where_it_is_allowed() -> None:
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt), interrupts.allowed():
        press()
        pytest.fail("went on")


def test_the_item_in_work_is_finished_and_the_next_never_begun() -> None:
    finished = []
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        for item in interrupts.between(range(10)):
            if item == 3:
                press()
                press()  # a terminal and `timeout` send more than one
            finished.append(item)
    assert finished == [0, 1, 2, 3]


def test_a_signal_ends_the_waiting_for_an_item() -> None:
    def stuck() -> Iterator[int]:
        yield 0
        press()
        pytest.fail("went on waiting")

    seen = []
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        for item in interrupts.between(stuck()):
            seen.append(item)  # noqa: PERF402
    assert seen == [0]


def test_a_late_second_signal_ends_even_what_is_protected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.0)
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        press()
        threading.Event().wait(0.001)
        press()
        pytest.fail("went on")


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_other_threads_are_left_alone() -> None:
    seen: list[int] = []

    def work() -> None:
        with Interrupts() as interrupts:
            seen.extend(interrupts.between(range(3)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [0, 1, 2]
