"""A stopwatch counts the time it runs and nothing else."""

from datetime import UTC, datetime, timedelta

from portal.planning.watches import is_running, seconds_of, started, stopped

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_it_counts_while_it_runs_and_stands_in_between() -> None:
    watch = started(None, NOON)
    assert is_running(watch)
    assert seconds_of(watch, NOON + timedelta(seconds=5)) == 5
    watch = stopped(watch, NOON + timedelta(seconds=7))
    assert not is_running(watch)
    assert seconds_of(watch, NOON + timedelta(hours=9)) == 7, "hours in which people think are not counted"
    watch = started(watch, NOON + timedelta(hours=9))
    assert seconds_of(watch, NOON + timedelta(hours=9, seconds=1)) == 8


def test_starting_twice_and_a_clock_set_back_lose_nothing() -> None:
    watch = started(None, NOON)
    assert started(watch, NOON + timedelta(seconds=3)) == watch
    assert seconds_of(watch, NOON - timedelta(seconds=3)) == 0
    assert seconds_of(None, NOON) == 0
    assert stopped(None, NOON) == {"seconds": 0, "since": None}
