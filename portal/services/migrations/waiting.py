"""When a migration waits by itself, for its start or its hours: one rule for runners and pages."""

from datetime import datetime

from sqlalchemy import ColumnElement, or_

from portal.models import Migration
from portal.planning.schedules import Schedule, opens_at, parse_hours
from portal.planning.states import Event, MigrationState
from portal.services.migrations.controls import find_zone
from portal.services.migrations.views import MigrationView

#: Hours hold in these; whatever holds writers off, or leads back, goes on at once.
WAITING = frozenset({MigrationState.PLANNED, MigrationState.COPYING, MigrationState.VERIFYING})

#: Wishes that wait with it; any other is done at once.
_PATIENT = ("", Event.START.value)


def is_not_waiting(now: datetime) -> ColumnElement[bool]:
    """Return the condition on migrations that need not wait."""
    return or_(
        Migration.waits_until.is_(None),
        Migration.waits_until <= now,
        Migration.state.not_in(sorted(WAITING)),
        Migration.wish.not_in(_PATIENT),
    )


def is_starting(state: MigrationState, wish: str) -> bool:
    """Tell whether a person wants copying to begin, which may have to wait for its time."""
    return state is MigrationState.PLANNED and wish == Event.START


def is_working(state: MigrationState, wish: str) -> bool:
    """Tell whether a migration copies or verifies, unless it has to wait for its hours."""
    return state in WAITING - {MigrationState.PLANNED} and not wish


def waits_until(view: MigrationView, now: datetime) -> datetime | None:
    """Return until when a migration waits, whether a runner has noted it yet or not; None: it does not wait."""
    if not is_starting(view.state, view.wish) and not is_working(view.state, view.wish):
        return None
    hours = parse_hours(view.hours or "", find_zone(view.zone or "UTC"))
    return opens_at(Schedule(view.start_at, hours), now)
