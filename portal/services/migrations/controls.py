"""What a person may change of a migration while it runs: limits, and when it may work at all.

Only the row changes here. The runner reads it every second and hands limits on to the workers of running shards.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from portal.errors import Conflict, InputError
from portal.models import Migration
from portal.permissions import Action
from portal.planning.schedules import Schedule, parse_hours
from portal.planning.states import FINAL, MigrationState
from portal.planning.throttle import LEAST_BANDWIDTH, MOST_BANDWIDTH, MOST_CONCURRENCY, words_for_bandwidth
from portal.services.events import Change, record
from portal.services.migrations.lookups import find_migration
from portal.services.migrations.views import MigrationView, view_of
from portal.services.work import Work

MOST_ERRORS = 1_000_000

#: Nobody plans further ahead.
MOST_AHEAD = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a migration may take; None: no limit of its own.

    Attributes:
        bandwidth: bytes a second, of all its workers together.
        concurrency: objects at a time per worker; None: as many as workers usually take.
        workers: worker processes at a time; None: all of its runner.
        errors: failing objects before it stops for attention; None: the setting PORTAL_MAX_ERRORS. Counted anew in each
            pass, and when a person lets a stopped pass go on.
    """

    bandwidth: int | None = None
    concurrency: int | None = None
    workers: int | None = None
    errors: int | None = None

    def check(self, worker_count: int) -> None:
        """Refuse numbers that cannot be; `worker_count`: how many workers there are.

        Raises:
            InputError: naming the field.
        """
        for name, least, most in (
            ("bandwidth", LEAST_BANDWIDTH, MOST_BANDWIDTH),
            ("concurrency", 1, MOST_CONCURRENCY),
            ("errors", 1, MOST_ERRORS),
        ):
            value: int | None = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise InputError(f"Write a number from {least:,} to {most:,}, or none.", field=name)
        if self.workers is not None and not 1 <= self.workers <= worker_count:
            there = "There is 1 worker" if worker_count == 1 else f"There are {worker_count} workers"
            raise InputError(f"{there}.", hint=f"Write a number from 1 to {worker_count}, or none.", field="workers")


@dataclass(frozen=True, slots=True)
class Times:
    """When a migration may copy, as a person said it.

    Attributes:
        start_at: nothing is copied before, aware; None: at once.
        between: `20:00-06:00`; empty: at any time.
        zone: of `between`, such as Europe/Berlin.
    """

    start_at: datetime | None = None
    between: str = ""
    zone: str = "UTC"


def limits_of(migration: Migration) -> Limits:
    """Return the limits of a migration's row."""
    return Limits(
        migration.bandwidth_bytes_per_second, migration.concurrency, migration.worker_count, migration.max_errors
    )


def set_limits(work: Work, uid: str, limits: Limits) -> MigrationView:
    """Change what a migration may take; shards under way heed it within about two seconds.

    Raises:
        InputError: a number that cannot be.
        Conflict: the migration is over.
    """
    limits.check(work.settings.workers)
    migration = _find(work, uid)
    before = limits_of(migration)
    if before == limits:
        return view_of(migration)
    migration.bandwidth_bytes_per_second, migration.concurrency = limits.bandwidth, limits.concurrency
    migration.worker_count, migration.max_errors = limits.workers, limits.errors
    changed = {name for name, value in asdict(limits).items() if value != asdict(before)[name]}
    record(work, "migration.limits-changed", migration, Change(_said(before, changed), _said(limits, changed)))
    return view_of(migration)


def _said(limits: Limits, names: set[str]) -> dict[str, object]:
    values: dict[str, object] = {"bandwidth": words_for_bandwidth(limits.bandwidth)}
    values |= {name: value for name, value in asdict(limits).items() if name != "bandwidth"}
    return {name: value for name, value in values.items() if name in names}


def set_times(work: Work, uid: str, times: Times) -> MigrationView:
    """Change when a migration may copy and verify; outside it waits by itself.

    Raises:
        InputError: no such zone or times, or a start that is past or too far ahead.
        Conflict: the migration is over.
    """
    zone = find_zone(times.zone)
    hours = parse_hours(times.between, zone)
    if times.start_at is not None and times.start_at > work.now + MOST_AHEAD:
        raise InputError("That is more than a year ahead.", field="start_at")
    if times.start_at is not None and times.start_at <= work.now:
        raise InputError("That is past.", hint="Leave it empty to copy as soon as Start is pressed.", field="start_at")
    migration = _find(work, uid)
    before = _times_said(migration)
    migration.start_at = times.start_at
    migration.hours = f"{hours.begins:%H:%M}-{hours.ends:%H:%M}" if hours else None
    migration.zone = times.zone if hours or migration.start_at else None
    migration.waits_until = None  # a runner looks at once
    after = _times_said(migration)
    if before != after:
        record(work, "migration.times-changed", migration, Change(before, after))
    return view_of(migration)


def schedule_of(migration: Migration) -> Schedule:
    """Return when a migration may copy, as a value that can be asked."""
    hours = parse_hours(migration.hours or "", find_zone(migration.zone or "UTC"))
    return Schedule(migration.start_at, hours)


def find_zone(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises:
        InputError: there is none of that name.
    """
    try:
        return ZoneInfo(name.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"There is no time zone {name.strip()}.", hint="Write one such as Europe/Berlin, or UTC.", field="zone"
        ) from None


def _times_said(migration: Migration) -> dict[str, object]:
    start = migration.start_at.isoformat() if migration.start_at else None
    return {"start_at": start, "between": migration.hours, "zone": migration.zone}


def _find(work: Work, uid: str) -> Migration:
    migration = find_migration(work, uid, Action.STORAGE_MOVE, locks=True)
    if migration.state in FINAL:
        raise Conflict(
            f"The migration is over: {MigrationState(migration.state).label}.", hint="There is nothing left to limit."
        )
    return migration
