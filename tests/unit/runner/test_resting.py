"""A migration whose step does not work yet is left alone longer each time, and tried at once after one that did."""

import pytest

from portal.runner import resting
from portal.runner.resting import Resting


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock: the time is its one entry."""
    times = [100.0]
    monkeypatch.setattr(resting, "monotonic", lambda: times[0])
    return times


def rest_of(rests: Resting, now: list[float]) -> float:
    """Put migration 1 off, at most for a minute, and return for how many seconds it is left alone."""
    rests.put_off(1, 60.0)
    began = now[0]
    while rests.ids():
        now[0] += 1
    return now[0] - began


def test_rests_grow_to_the_longest_and_begin_anew_after_a_step_that_worked(now: list[float]) -> None:
    rests = Resting()
    assert [rest_of(rests, now) for _ in range(7)] == [2, 4, 8, 16, 32, 60, 60]
    rests.forget(1)
    assert rest_of(rests, now) == 2


def test_one_migration_rests_alone(now: list[float]) -> None:
    rests = Resting()
    rests.leave(1, 10)
    rests.put_off(2, 60)
    assert rests.ids() == {1, 2}
    now[0] += 5
    assert rests.ids() == {1}
