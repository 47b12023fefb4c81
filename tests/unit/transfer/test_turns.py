"""Turns of threads: one at a time while that is fast, side by side where somebody waits."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event, Thread

import pytest

from portal.transfer.turns import TURN_SECONDS, Turns


@dataclass
class Clocks:
    """Wall and processor time, in seconds."""

    wall: float = 0.0
    cpu: float = 0.0

    def spend(self, wall: float, cpu: float) -> None:
        self.wall += wall
        self.cpu += cpu


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def turns(clocks: Clocks) -> Turns:
    return Turns(clock=lambda: clocks.wall, cpu_clock=lambda: clocks.cpu)


@contextmanager
def holding(turns: Turns) -> Iterator[None]:
    """Have another thread hold a turn."""
    held, over = Event(), Event()

    def hold() -> None:
        with turns.one():
            held.set()
            over.wait(10)

    thread = Thread(target=hold)
    thread.start()
    assert held.wait(10)
    try:
        yield
    finally:
        over.set()
        thread.join()


def waits(turns: Turns) -> Event:
    """Return what is set as soon as a turn, or none at all, was given to another thread."""
    given = Event()

    def take() -> None:
        with turns.one():
            given.set()

    Thread(target=take, daemon=True).start()
    return given


def test_a_turn_goes_on_for_some_milliseconds(turns: Turns, clocks: Clocks) -> None:
    with turns.one() as goes_on:
        assert goes_on()
        clocks.spend(TURN_SECONDS, TURN_SECONDS)
        assert not goes_on()


def test_one_thread_works_at_a_time(turns: Turns) -> None:
    with holding(turns):
        given = waits(turns)
        assert not given.wait(0.3), "the clock stands still, so the turn is not a long one"
    assert given.wait(10)


def test_a_turn_that_takes_too_long_is_not_waited_for(turns: Turns, clocks: Clocks) -> None:
    with holding(turns):
        clocks.spend(0.2, 0.2)
        assert waits(turns).wait(10)
        with turns.one() as goes_on:
            assert not goes_on(), "for a while nobody waits"


def test_threads_that_wait_for_their_files_wait_side_by_side_and_try_again_later(turns: Turns, clocks: Clocks) -> None:
    for _ in range(10):
        with turns.one():
            clocks.spend(0.01, 0.0005)
    with ExitStack() as stack:
        for _ in range(3):
            goes_on = stack.enter_context(turns.one())
            assert not goes_on()
    clocks.spend(1.5, 0)
    with turns.one() as goes_on:
        assert goes_on()


def test_a_busy_processor_is_not_a_slow_disk(turns: Turns, clocks: Clocks) -> None:
    for _ in range(100):
        with turns.one() as goes_on:
            assert goes_on()
            clocks.spend(0.006, 0.002)


def test_an_error_ends_the_turn(turns: Turns) -> None:
    with pytest.raises(KeyError), turns.one():
        raise KeyError
    assert waits(turns).wait(10)


def test_where_a_server_is_waited_for_there_are_none() -> None:
    turns = Turns(are_taken=False)
    with turns.one() as first, turns.one() as second:
        assert not first()
        assert not second()
