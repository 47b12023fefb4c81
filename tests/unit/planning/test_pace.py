import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import AccessRefused, StorageError, Unreachable
from portal.planning.estimates import Sample, estimate, guess, words_for_range
from portal.planning.retries import RetryPolicy, is_passing, next_wait_seconds

PASSING = Unreachable("No answer.", retryable=True)


def test_permanent_errors_are_not_tried_again() -> None:
    assert next_wait_seconds(AccessRefused("No."), 1, 0.5) is None
    assert not is_passing(ValueError())


def test_passing_errors_are_given_up_after_the_last_try() -> None:
    policy = RetryPolicy(attempts=3)
    waits = [next_wait_seconds(PASSING, attempt, 1.0, policy) for attempt in (1, 2, 3)]
    assert waits == [0.5, 1.0, None]


@given(st.integers(1, 40), st.floats(0, 1))
def test_waits_grow_within_their_bounds(attempt: int, jitter: float) -> None:
    wait = next_wait_seconds(PASSING, attempt, jitter, RetryPolicy(attempts=100))
    assert wait is not None
    assert 0.25 <= wait <= 30


def test_the_server_decides_the_least_wait() -> None:
    error = StorageError("Slow down.", retryable=True, retry_after_seconds=90)
    assert next_wait_seconds(error, 1, 0.0) == 90


@pytest.mark.parametrize("asked_seconds", [365 * 86_400, 10**400], ids=["a year", "for ever"])
def test_no_server_sends_a_worker_to_sleep_for_long(asked_seconds: int) -> None:
    error = StorageError("Slow down.", retryable=True, retry_after_seconds=asked_seconds)
    assert next_wait_seconds(error, 1, 0.0) == RetryPolicy().max_asked_seconds == 300


def test_no_rate_no_estimate() -> None:
    assert estimate([Sample(0, 0, 0)], 10, 100) is None
    assert estimate([Sample(0, 0, 0), Sample(5, 0, 0)], 10, 100) is None


def test_a_steady_pace_gives_a_narrow_range() -> None:
    samples = [Sample(second, second * 10, second * 1000) for second in range(11)]
    found = estimate(samples, 200, 20_000)
    assert found is not None
    assert (found.low_seconds, found.high_seconds) == (10, 10)
    assert (found.bytes_per_second, found.objects_per_second) == (1000, 10)


def test_small_objects_at_the_end_widen_the_range() -> None:
    found = estimate([Sample(0, 0, 0), Sample(10, 10, 900)], 100, 1000)
    assert found is not None
    assert found.low_seconds == pytest.approx(1.11, abs=0.01)
    assert found.high_seconds == pytest.approx(90)


def test_a_pace_that_changes_widens_the_range() -> None:
    steady = estimate([Sample(at, 0, at * 1000) for at in range(41)], 0, 80_000)
    sizes = [0]
    for at in range(40):
        sizes.append(sizes[-1] + (200 if at // 3 % 2 else 1800))
    wild = estimate([Sample(at, 0, size) for at, size in enumerate(sizes)], 0, 2 * sizes[-1])
    assert steady is not None
    assert wild is not None
    assert (steady.low_seconds, steady.high_seconds) == (40, 40)
    assert wild.low_seconds < 25
    assert wild.high_seconds > 60


def test_what_is_done_takes_no_more_time() -> None:
    found = estimate([Sample(0, 0, 0), Sample(10, 10, 1000)], 10, 1000)
    assert found is not None
    assert str(found) == "under a minute"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1, 59, "under a minute"),
        (60, 62, "about 1 minute"),
        (240, 420, "4 to 7 minutes"),
        (7000, 7300, "about 2 hours"),
        (3600, 90000, "up to 1 day"),
        (60, 3700, "up to 1 hour"),
        (86400, 4 * 86400, "1 to 4 days"),
    ],
)
def test_ranges_read_as_people_say_them(low: float, high: float, words: str) -> None:
    assert words in words_for_range(low, high)


def test_a_guess_goes_by_the_slower_of_objects_and_bytes() -> None:
    assert guess(1_000_000, 0).low_seconds == 2000
    assert guess(1, 10**12).high_seconds == 100_000
