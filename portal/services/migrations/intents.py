"""The log of a switch: what is about to be changed where, written down before, ticked off after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from portal.models import Intent, Migration

DECIDE, OPEN, FOLLOW, PORTAL = "decide", "open", "follow", "portal"


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a switch. `instance_id` None: the portal's own row."""

    part: str
    instance_id: int | None
    row_id: int | None
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True, slots=True)
class IntentRow:
    """A step as written down. `is_done` False: intended; the row there tells whether it happened."""

    id: int
    number: int
    step: Step
    is_done: bool


def write(session: Session, migration: Migration, direction: str, steps: Sequence[Step], now: datetime) -> int:
    """Write a new attempt of a switch down and return its number. Only its first step may decide."""
    last = select(func.max(Intent.number)).where(Intent.migration_id == migration.id, Intent.direction == direction)
    number = (session.scalar(last) or 0) + 1
    session.add_all(
        Intent(
            migration_id=migration.id,
            direction=direction,
            number=number,
            part=step.part,
            instance_id=step.instance_id,
            row_id=step.row_id,
            before=step.before,
            after=step.after,
            created_at=now,
        )
        for step in steps
    )
    session.flush()
    return number


def latest(session: Session, migration_id: int, direction: str) -> list[IntentRow]:
    """Return the steps of the latest attempt in their order; none where there was no attempt."""
    last = select(func.max(Intent.number)).where(Intent.migration_id == migration_id, Intent.direction == direction)
    query = (
        select(Intent)
        .where(
            Intent.migration_id == migration_id,
            Intent.direction == direction,
            Intent.number == last.scalar_subquery(),
        )
        .order_by(Intent.id)
    )
    return [
        IntentRow(
            row.id,
            row.number,
            Step(row.part, row.instance_id, row.row_id, row.before, row.after),
            row.done_at is not None,
        )
        for row in session.scalars(query)
    ]


def tick_off(session: Session, intent_ids: Sequence[int], now: datetime) -> None:
    """Note that steps are done."""
    session.execute(update(Intent).where(Intent.id.in_(intent_ids), Intent.done_at.is_(None)).values(done_at=now))
