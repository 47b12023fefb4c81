"""When a migration may copy: from a moment on, and between two times of the day in a time zone.

The runner waits by itself outside. Times of the day are a person's: they follow that zone's clock over its changes, so
a night may have an hour more or less. Time and zone are arguments.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from portal.errors import InputError

_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class Hours:
    """Times of the day between which work goes on. One that ends before it begins lasts over midnight."""

    begins: time
    ends: time
    zone: tzinfo

    def __post_init__(self) -> None:
        if self.begins == self.ends:
            raise InputError("Between the same two times lies nothing.", field="between")

    def __str__(self) -> str:
        return f"{self.begins:%H:%M}–{self.ends:%H:%M}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a migration may copy and verify; None: no such rule."""

    start_at: datetime | None = None
    hours: Hours | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether it may always work."""
        return self.start_at is None and self.hours is None


def opens_at(schedule: Schedule, now: datetime) -> datetime | None:
    """Return when work may begin or go on, aware UTC; None: now."""
    start = max(now, schedule.start_at) if schedule.start_at else now
    if schedule.hours is not None:
        begins, _ = next(window for window in _windows(schedule.hours, start) if window[1] > start)
        start = max(start, begins)
    return start.astimezone(UTC) if start > now else None


def closes_at(schedule: Schedule, now: datetime) -> datetime | None:
    """Return when work that may go on now has to wait again, aware UTC; None: never, or it waits already."""
    if schedule.hours is None or opens_at(schedule, now) is not None:
        return None
    return next(ends for begins, ends in _windows(schedule.hours, now) if begins <= now < ends)


def _windows(hours: Hours, around: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield windows in order of time, from those of the day before `around` on. Both ends are aware UTC.

    A time that a zone's clock jumps over counts as the moment of the jump or the hour after it; of one that comes
    twice the first counts. A window of which nothing is left by a jump is left out.
    """
    day = around.astimezone(hours.zone).date() - timedelta(days=1)
    while True:
        last = day if hours.ends > hours.begins else day + timedelta(days=1)
        begins = datetime.combine(day, hours.begins, hours.zone).astimezone(UTC)
        ends = datetime.combine(last, hours.ends, hours.zone).astimezone(UTC)
        if begins < ends:
            yield begins, ends
        day += timedelta(days=1)


def parse_hours(text: str, zone: tzinfo) -> Hours | None:
    """Return the hours of a text such as `20:00-06:00`; None for nothing.

    Raises:
        InputError: it is no such text.
    """
    if not text.strip():
        return None
    found = _HOURS.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        begins, ends = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    except ValueError:
        raise InputError(
            f"{text.strip()} is no pair of times.", hint="Write them as 20:00-06:00.", field="between"
        ) from None
    return Hours(begins, ends, zone)


def parse_start(text: str, zone: tzinfo) -> datetime | None:
    """Return the moment of a text such as `2026-12-01T20:00` or `2026-12-01 20:00+01:00`, aware UTC; None for nothing.

    Without an offset it is a time of `zone`.

    Raises:
        InputError: it is no such text.
    """
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(
            f"{text.strip()} is no date and time.", hint="Write it as 2026-12-01T20:00.", field="start_at"
        ) from None
