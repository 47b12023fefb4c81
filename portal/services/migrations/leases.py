"""Leases: one runner at a time works on a migration, and one that lost its lease can write nothing more."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import ColumnElement, CursorResult, and_, or_, select, update
from sqlalchemy.orm import Session

from portal.models import Migration
from portal.planning.states import FINAL, WORKING, MigrationState
from portal.services.migrations.hosts import is_seen_from
from portal.services.migrations.waiting import is_not_waiting

#: A lease that was not renewed for so long is free for others.
LEASE = timedelta(seconds=20)

#: A lease that ends later than this was taken before a clock was set back: its end says nothing.
TOO_LATE = timedelta(minutes=10)


class LeaseLost(Exception):
    """Another runner, or a person's cancel, has taken the migration over; nothing was written."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one migration's rows, as long as its epoch is the row's.

    Attributes:
        is_taken_over: whoever had it before never gave it back, so that workers of theirs may still be at work.
    """

    migration_id: int
    migration_uid: str
    epoch: int
    owner: str
    is_taken_over: bool = False


def due(now: datetime, host_id: int, owner: str) -> ColumnElement[bool]:
    """Return the condition on migrations that a runner on this host may take now."""
    has_work = or_(
        Migration.state.in_([MigrationState.DRAFT, *sorted(WORKING)]),
        and_(Migration.wish != "", Migration.state.not_in(sorted(FINAL))),
        and_(Migration.state == MigrationState.SOAKING, Migration.sweep_at <= now),
        and_(Migration.state.not_in(sorted(FINAL)), _has_fence()),
    )
    is_free = or_(
        Migration.lease_expires_at.is_(None),
        Migration.lease_expires_at < now,
        Migration.lease_expires_at > now + TOO_LATE,
        Migration.lease_owner == owner,
    )
    # A wish to start that came before the plan is made waits with it.
    return and_(has_work, is_free, is_not_waiting(now), is_seen_from(host_id))


def _has_fence() -> ColumnElement[bool]:
    """Return the condition on migrations of which a fence may be up; where no step needs it, it is to be lifted."""
    noted = [Migration.plan[name].as_string() for name in ("fence_until", "fenced")]
    return or_(*(value.is_not(None) for value in noted))


def take_next(session: Session, now: datetime, host_id: int, owner: str, but: frozenset[int]) -> Lease | None:
    """Take the migration that waits longest; None when none is due. `but`: row ids to leave alone for now."""
    query = (
        select(Migration.id, Migration.uid, Migration.lease_epoch, Migration.lease_owner)
        .where(due(now, host_id, owner), Migration.id.not_in(sorted(but)))
        .order_by(Migration.updated_at, Migration.id)
    )
    for migration_id, uid, epoch, holder in session.execute(query).all():
        taken = (
            update(Migration)
            .where(Migration.id == migration_id, Migration.lease_epoch == epoch, due(now, host_id, owner))
            .values(lease_owner=owner, lease_epoch=epoch + 1, lease_expires_at=now + LEASE)
            .execution_options(synchronize_session=False)
        )
        if _count(session, taken) == 1:
            return Lease(migration_id, uid, epoch + 1, owner, is_taken_over=holder is not None)
    return None


def renew(session: Session, lease: Lease, now: datetime) -> None:
    """Keep a lease for another while; part of every transaction that writes about its migration.

    Raises:
        LeaseLost: the epoch is another one by now. Let it end the transaction.
    """
    kept = (
        update(Migration)
        .where(Migration.id == lease.migration_id, Migration.lease_epoch == lease.epoch)
        .values(lease_expires_at=now + LEASE, updated_at=now)
        .execution_options(synchronize_session=False)
    )
    if _count(session, kept) != 1:
        raise LeaseLost(lease.migration_uid)


def advance(session: Session, lease: Lease, now: datetime) -> Lease:
    """Return a lease under the next epoch, in place of this one.

    Raises:
        LeaseLost: the epoch is another one by now.
    """
    renew(session, lease, now)
    raised = (
        update(Migration)
        .where(Migration.id == lease.migration_id)
        .values(lease_epoch=lease.epoch + 1)
        .execution_options(synchronize_session=False)
    )
    session.execute(raised)
    return replace(lease, epoch=lease.epoch + 1)


def give_back(session: Session, lease: Lease) -> None:
    """Let others take the migration at once; does nothing when the lease was lost."""
    session.execute(
        update(Migration)
        .where(Migration.id == lease.migration_id, Migration.lease_epoch == lease.epoch)
        .values(lease_owner=None, lease_expires_at=None)
        .execution_options(synchronize_session=False)
    )


def _count(session: Session, statement: object) -> int:
    return cast("CursorResult[object]", session.execute(statement)).rowcount  # type: ignore[call-overload]  # an UPDATE
