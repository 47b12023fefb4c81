from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import InputError
from portal.planning.schedules import Hours, Schedule, closes_at, opens_at, parse_hours, parse_start

BERLIN, KOLKATA, SYDNEY = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata"), ZoneInfo("Australia/Sydney")
NIGHT = Schedule(hours=Hours(time(20), time(6), BERLIN))
DAY = Schedule(hours=Hours(time(9, 30), time(17), KOLKATA))


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_without_a_rule_it_may_always_work() -> None:
    assert opens_at(Schedule(), utc("2026-06-01 12:00")) is None
    assert closes_at(Schedule(), utc("2026-06-01 12:00")) is None
    assert Schedule().is_empty
    assert not NIGHT.is_empty


@pytest.mark.parametrize(
    ("now", "opens", "closes"),
    [
        ("2026-06-01 12:00", "2026-06-01 18:00", None),
        ("2026-06-01 19:59", "2026-06-01 18:00", None),
        ("2026-06-01 20:00", None, "2026-06-02 04:00"),
        ("2026-06-02 00:30", None, "2026-06-02 04:00"),
        ("2026-06-02 05:59", None, "2026-06-02 04:00"),
        ("2026-06-02 06:00", "2026-06-02 18:00", None),
        # The night in which the clock is put forward has nine hours, the one in which it is put back eleven.
        ("2026-03-28 21:00", None, "2026-03-29 04:00"),
        ("2026-10-24 21:00", None, "2026-10-25 05:00"),
        ("2026-12-01 07:00", "2026-12-01 19:00", None),
    ],
)
def test_a_night_follows_the_clock_of_its_zone(now: str, opens: str | None, closes: str | None) -> None:
    at = berlin(now)
    assert opens_at(NIGHT, at) == (utc(opens) if opens else None)
    assert closes_at(NIGHT, at) == (utc(closes) if closes else None)


def test_both_of_two_same_hours_belong_to_the_night() -> None:
    for fold in (0, 1):
        assert opens_at(NIGHT, berlin("2026-10-25 02:30", fold)) is None


def test_hours_that_begin_in_an_hour_that_is_left_out_begin_after_it() -> None:
    early = Schedule(hours=Hours(time(2, 30), time(5), BERLIN))
    assert opens_at(early, berlin("2026-03-28 12:00")) == utc("2026-03-29 01:30")
    assert closes_at(early, utc("2026-03-29 01:30")) == utc("2026-03-29 03:00")


def test_hours_that_lie_in_an_hour_that_is_left_out_last_as_long_as_on_any_day() -> None:
    lost = Schedule(hours=Hours(time(2, 10), time(2, 50), BERLIN))
    opened = opens_at(lost, berlin("2026-03-29 00:00"))
    assert opened == utc("2026-03-29 01:10")
    assert closes_at(lost, opened) == utc("2026-03-29 01:50")


def test_of_an_hour_that_comes_twice_the_first_counts() -> None:
    twice = Schedule(hours=Hours(time(2), time(2, 30), BERLIN))
    assert opens_at(twice, berlin("2026-10-25 00:00")) == utc("2026-10-25 00:00")
    assert closes_at(twice, utc("2026-10-25 00:10")) == utc("2026-10-25 00:30")
    assert opens_at(twice, utc("2026-10-25 01:10")) == utc("2026-10-26 01:00")


def test_a_day_elsewhere_is_another_one_here() -> None:
    assert opens_at(DAY, utc("2026-06-01 03:59")) == utc("2026-06-01 04:00")
    assert opens_at(DAY, utc("2026-06-01 04:00")) is None
    assert opens_at(DAY, utc("2026-06-01 11:30")) == utc("2026-06-02 04:00")
    sydney = Schedule(hours=Hours(time(20), time(6), SYDNEY))
    assert opens_at(sydney, utc("2026-01-01 20:00")) == utc("2026-01-02 09:00")


def test_a_start_waits_for_its_moment_and_then_for_its_hours() -> None:
    start = utc("2026-12-01 10:00")
    assert opens_at(Schedule(start_at=start), utc("2026-11-01 00:00")) == start
    assert opens_at(Schedule(start_at=start), start) is None
    both = Schedule(start, NIGHT.hours)
    assert opens_at(both, utc("2026-11-01 22:00")) == utc("2026-12-01 19:00")
    assert closes_at(both, utc("2026-11-01 22:00")) is None


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - made aware below
    st.times(),
    st.times(),
    st.sampled_from([BERLIN, KOLKATA, SYDNEY, ZoneInfo("America/St_Johns"), ZoneInfo("Africa/Casablanca")]),
)
def test_it_opens_within_two_days_and_is_open_then(at: datetime, begins: time, ends: time, zone: ZoneInfo) -> None:
    begins, ends = begins.replace(second=0, microsecond=0), ends.replace(second=0, microsecond=0)
    if begins == ends:
        return
    schedule, now = Schedule(hours=Hours(begins, ends, zone)), at.replace(tzinfo=UTC)
    opened = opens_at(schedule, now) or now
    assert now <= opened <= now + timedelta(hours=49)
    assert opens_at(schedule, opened) is None
    closed = closes_at(schedule, opened)
    assert closed is not None
    assert opened < closed <= opened + timedelta(hours=26)


def test_hours_and_moments_are_read_as_people_write_them() -> None:
    assert parse_hours("20:00-06:00", BERLIN) == NIGHT.hours
    assert parse_hours(" 9:30 – 17:00 ", KOLKATA) == DAY.hours
    assert parse_hours("", BERLIN) is None
    assert parse_start("2026-12-01T20:00+01:00", UTC) == utc("2026-12-01 19:00")
    assert parse_start("2026-12-01 20:00", BERLIN) == utc("2026-12-01 19:00")
    assert parse_start("", BERLIN) is None
    assert str(NIGHT.hours) == "20:00–06:00"


@pytest.mark.parametrize("text", ["20-6", "24:00-06:00", "20:00", "8:61-9:00", "20:00-20:00"])
def test_hours_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_hours(text, BERLIN)
    assert caught.value.field == "between"


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01T00:00", "0001-01-01T00:00+14:00"])
def test_a_moment_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_start(text, BERLIN)
    assert caught.value.field == "start_at"
