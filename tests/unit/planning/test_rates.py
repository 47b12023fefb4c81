from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.planning.rates import MOST_SAMPLES, RateLog, chart, read_rates


def log_of(seconds: int, bytes_per_second: int = 1_000_000) -> RateLog:
    log = RateLog()
    for second in range(seconds):
        log = log.add(1000.0 + second, second, second * bytes_per_second)
    return log


@given(st.lists(st.tuples(st.floats(0.1, 500), st.integers(0, 50), st.integers(0, 10**9)), max_size=700))
def test_a_log_stays_bounded_in_order_and_loses_no_byte(steps: list[tuple[float, int, int]]) -> None:
    log, at, count, size = RateLog(), 0.0, 0, 0
    for seconds, objects, moved in steps:
        at, count, size = at + seconds, count + objects, size + moved
        log = log.add(at, count, size)
    assert len(log.samples) <= MOST_SAMPLES
    assert all(a.at_seconds < b.at_seconds and a.total_bytes <= b.total_bytes for a, b in pairwise(log.samples))
    assert read_rates(log.as_dict()).lead_bytes == log.lead_bytes
    assert log.seen_bytes == size


def test_a_long_move_keeps_its_beginning_and_its_end() -> None:
    log = log_of(20_000)
    assert MOST_SAMPLES / 2 <= len(log.samples) <= MOST_SAMPLES
    assert log.samples[0].at_seconds < 1000 + 2 * log.step_seconds
    assert log.samples[-1].at_seconds > 1000 + 20_000 - 2 * log.step_seconds


def test_it_is_read_again_as_it_was_written() -> None:
    log = log_of(50)
    assert read_rates(log.as_dict()) == log
    assert read_rates(None) == RateLog()


def test_a_pass_that_begins_anew_adds_to_what_was_moved_before() -> None:
    log = RateLog().add(0.0, 0, 0).add(10.0, 5, 500).add(20.0, 0, 0).add(30.0, 1, 100)
    assert [sample.total_bytes for sample in log.samples] == [0, 500, 500, 600]
    assert [sample.object_count for sample in log.samples] == [0, 5, 5, 6]


def test_a_steady_move_draws_a_level_line() -> None:
    found = chart(log_of(100))
    assert found is not None
    assert len(found.rates) <= 60
    assert found.rates == pytest.approx([1_000_000] * len(found.rates))
    assert found.mean == pytest.approx(1_000_000)
    assert found.top == 1_000_000


def test_a_rest_draws_a_gap() -> None:
    log = RateLog()
    for at, size in ((0, 0), (10, 10_000), (20, 20_000), (200, 20_000), (210, 30_000), (220, 40_000)):
        log = log.add(float(at), 0, size)
    found = chart(log, 22)
    assert found is not None
    assert min(found.rates) == 0
    assert found.rates[0] == pytest.approx(1000)


def test_too_little_draws_nothing() -> None:
    assert chart(RateLog()) is None
    assert chart(RateLog().add(0, 0, 0).add(10, 1, 10)) is None


@given(st.lists(st.integers(0, 10**12), min_size=3, max_size=100))
def test_no_rate_is_above_the_top(sizes: list[int]) -> None:
    log, total = RateLog(), 0
    for at, size in enumerate(sizes):
        total += size
        log = log.add(at * 10.0, at, total)
    found = chart(log)
    assert found is not None
    assert max(found.rates) <= found.top * 1.000001
