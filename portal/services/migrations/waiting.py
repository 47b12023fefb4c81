"""When a migration waits by itself, for its start or its hours: one rule for runners and pages."""

from datetime import datetime

from sqlalchemy import ColumnElement, or_

from portal.models import Migration
from portal.planning.states import Event, MigrationState

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


def waits_until(migration: Migration, now: datetime) -> datetime | None:
    """Return until when a migration waits; None: it does not."""
    until = migration.waits_until
    if until is None or until <= now or migration.wish not in _PATIENT:
        return None
    return until if MigrationState(migration.state) in WAITING else None
