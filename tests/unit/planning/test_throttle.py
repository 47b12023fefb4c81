import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import InputError
from portal.planning.throttle import BURST_SECONDS, Bucket, parse_bandwidth, share, words_for_bandwidth


def test_without_a_limit_nobody_waits() -> None:
    bucket = Bucket().take(10**12, 1.0)
    assert bucket.wait_seconds(1.0) == 0.0


def test_what_was_moved_too_fast_is_waited_for() -> None:
    bucket = Bucket(bytes_per_second=100.0, at_seconds=0.0).take(250, 0.0)
    assert bucket.wait_seconds(0.0) == pytest.approx(2.5)
    assert bucket.wait_seconds(2.0) == pytest.approx(0.5)
    assert bucket.wait_seconds(3.0) == 0.0


def test_whoever_took_first_goes_on_first() -> None:
    bucket = Bucket(bytes_per_second=100.0).take(100, 0.0).take(300, 0.0)
    assert bucket.wait_seconds(0.0, later_bytes=300) == pytest.approx(1.0)
    assert bucket.wait_seconds(0.0) == pytest.approx(4.0)
    assert bucket.wait_seconds(1.0, later_bytes=300) == 0.0


def test_a_rest_saves_up_no_more_than_a_burst() -> None:
    bucket = Bucket(bytes_per_second=100.0).filled(1000.0)
    assert bucket.level_bytes == 100.0 * BURST_SECONDS


def test_a_raised_limit_shortens_a_wait_under_way_and_a_lifted_one_ends_it() -> None:
    bucket = Bucket(bytes_per_second=100.0).take(1000, 0.0)
    assert bucket.limited(1000.0, 0.0).wait_seconds(0.0) == pytest.approx(1.0)
    assert bucket.limited(None, 0.0).wait_seconds(0.0) == 0.0


def test_a_clock_that_stands_still_gives_nothing() -> None:
    bucket = Bucket(bytes_per_second=100.0, at_seconds=5.0).take(50, 4.0)
    assert bucket.level_bytes == -50.0


@given(st.lists(st.tuples(st.integers(0, 10**7), st.floats(0, 2)), min_size=1, max_size=40), st.integers(1000, 10**8))
def test_whoever_waits_as_told_never_passes_the_limit(moves: list[tuple[int, float]], rate: int) -> None:
    bucket, at, moved = Bucket(bytes_per_second=float(rate)), 0.0, 0
    for total_bytes, rest in moves:
        at += rest
        bucket, moved = bucket.take(total_bytes, at), moved + total_bytes
        at += bucket.wait_seconds(at)
        # What the burst allowed is all that may be ahead.
        assert moved <= rate * (at + BURST_SECONDS) * 1.0001 + 1


def test_workers_share_a_limit() -> None:
    assert share(1_000_000, 4) == 250_000
    assert share(1_000_000, 0) == 1_000_000
    assert share(None, 4) is None


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("50MiB/s", 50 * 2**20),
        ("20 MB/s", 20_000_000),
        ("20m", 20_000_000),
        ("1.5 GB", 1_500_000_000),
        ("800kB/s", 800_000),
        ("2500", 2500),
        ("none", None),
        (" ", None),
    ],
)
def test_a_rate_is_read_as_people_write_it(text: str, rate: int | None) -> None:
    assert parse_bandwidth(text) == rate


@pytest.mark.parametrize("text", ["fast", "-5MB", "5 minutes", "1e9", "10", "9000TB/s", "0"])
def test_what_is_no_rate_is_refused_on_its_field(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_bandwidth(text)
    assert caught.value.field == "bandwidth"


@given(st.none() | st.integers(1000, 10**12))
def test_a_rate_in_words_can_be_typed_again(rate: int | None) -> None:
    assert parse_bandwidth(words_for_bandwidth(rate)) == rate
