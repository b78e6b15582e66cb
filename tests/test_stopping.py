"""Signals that ask to stop: at once, or by work that keeps where it stands."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from masklab import stopping


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    before = {own: signal.signal(own, signal.SIG_DFL) for own in stopping.SIGNALS}
    heard = stopping._state.listening, stopping._state.patient
    stopping._state.listening, stopping._state.patient = False, 0
    yield
    stopping.forget()
    stopping._state.listening, stopping._state.patient = heard
    for own, handler in before.items():
        signal.signal(own, handler)


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_a_signal_leaves_what_runs(number: signal.Signals) -> None:
    stopping.listen()
    with pytest.raises(stopping.Stopped) as stopped:
        os.kill(os.getpid(), number)
    assert stopped.value.signal == number
    assert stopping.asked()


def test_no_handler_of_errors_takes_it() -> None:
    assert not issubclass(stopping.Stopped, Exception)


def test_patient_work_goes_on_until_it_looks() -> None:
    stopping.listen()
    told = []
    with stopping.patiently(lambda: told.append("stop")):
        stopping.raise_if_asked()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert told == ["stop"]
        with pytest.raises(stopping.Stopped) as stopped:
            stopping.raise_if_asked()
    assert stopped.value.signal == signal.SIGUSR1
    assert told == ["stop"]


def test_a_second_signal_does_not_wait() -> None:
    stopping.listen()
    with stopping.patiently():
        os.kill(os.getpid(), signal.SIGUSR1)
        with pytest.raises(stopping.Stopped) as stopped:
            os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.value.signal == signal.SIGTERM


def test_who_comes_later_is_told_at_once() -> None:
    stopping.ask()
    told = []
    with stopping.patiently(lambda: told.append("stop")):
        assert told == ["stop"]
    stopping.forget()
    stopping.raise_if_asked()


def test_blocks_within_blocks_leave_each_other_alone() -> None:
    stopping.listen()
    outer, inner = [], []
    with stopping.patiently(lambda: outer.append(1)):
        with stopping.patiently(lambda: inner.append(1)):
            pass
        os.kill(os.getpid(), signal.SIGUSR1)
    assert (outer, inner) == ([1], [])


def test_signals_that_a_library_took_are_taken_back() -> None:
    stopping.listen_again()
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
    stopping.listen()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stopping.listen_again()
    with pytest.raises(stopping.Stopped):
        os.kill(os.getpid(), signal.SIGTERM)


def test_other_threads_cannot_listen_and_do_no_harm() -> None:
    thread = threading.Thread(target=stopping.listen)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
