"""Runners apart, moves that nobody works on, leases left behind, switches that did not reach every instance."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import func, or_, select, update

from portal.models import Instance, Intent, Migration
from portal.planning.states import FINAL, SWITCHED, WORKING, MigrationState
from portal.services.doctor.findings import Case, Finding, error, warning
from portal.services.migrations.hosts import hosts_of
from portal.services.migrations.intents import OPEN
from portal.services.migrations.leases import LEASE
from portal.services.migrations.runners import SHARED, SILENT_AFTER, elsewhere, last_seen_at


def look_at_moves(case: Case) -> Iterator[Finding]:
    """Yield what keeps a move from going on."""
    folder = case.settings.data_dir
    for name in elsewhere(case.session, folder, case.now):
        yield error("other-folder", f"The runner {name} uses another data folder than {folder}.", SHARED)
    yield from _stale_leases(case)
    yield from _half_done(case)
    yield from _open_intents(case)


def _stale_leases(case: Case) -> Iterator[Finding]:
    """Yield leases that ran out: the next runner takes them over; ending them only tells the truth sooner.

    Their owner stays: it may only sleep, and who takes over from it stops its workers.
    """
    ended = case.now - LEASE
    is_stale = (Migration.lease_owner.is_not(None)) & (Migration.lease_expires_at < ended)
    for uid, owner, until in case.session.execute(
        select(Migration.uid, Migration.lease_owner, Migration.lease_expires_at).where(is_stale).order_by(Migration.id)
    ).all():
        what = f"The runner {owner} held the lease of migration {uid} until {_when(until)} and never gave it back."
        fixed = ""
        if case.fix:
            # The condition again: a runner may have taken it since.
            case.session.execute(
                update(Migration)
                .where(Migration.uid == uid, is_stale)
                .values(lease_expires_at=None)
                .execution_options(synchronize_session=False)
            )
            case.session.commit()
            fixed = "The lease was ended."
        yield warning("stale-lease", what, "portal doctor --fix", fixed)


def _half_done(case: Case) -> Iterator[Finding]:
    """Yield moves that are a runner's to go on with where no such runner reports."""
    query = (
        select(Migration)
        .where(
            Migration.state.not_in(sorted(FINAL)),
            or_(Migration.state.in_(sorted(WORKING)), Migration.wish != "", Migration.state == MigrationState.DRAFT),
            or_(Migration.lease_expires_at.is_(None), Migration.lease_expires_at < case.now),
        )
        .order_by(Migration.id)
    )
    for migration in case.session.scalars(query).all():
        hosts = hosts_of(case.session, migration)
        last = last_seen_at(case.session, hosts)
        if last is not None and case.now - last <= SILENT_AFTER:
            continue
        where = f" on {hosts[0].name}" if hosts else ""
        state = MigrationState(migration.state)
        what = f"Migration {migration.uid} is {state.label}, and no runner{where} works on it."
        if last is not None:
            what += f" One reported last at {_when(last)}."
        yield error("no-runner", what, f"portal runner --host {hosts[0].name}" if hosts else "portal runner")


def _open_intents(case: Case) -> Iterator[Finding]:
    """Yield instances that do not name the new root yet though it was decided."""
    decided = sorted({*SWITCHED, MigrationState.ROLLED_BACK})
    query = (
        select(Intent, Migration, Instance.slug)
        .join(Migration, Migration.id == Intent.migration_id)
        .outerjoin(Instance, Instance.id == Intent.instance_id)
        .where(Intent.done_at.is_(None), Migration.state.in_(decided))
        .order_by(Intent.id)
    )
    for intent, migration, slug in case.session.execute(query).all():
        latest = select(func.max(Intent.number)).where(
            Intent.migration_id == intent.migration_id, Intent.direction == intent.direction
        )
        attempt = select(func.count()).where(
            Intent.migration_id == intent.migration_id,
            Intent.direction == intent.direction,
            Intent.number == intent.number,
            Intent.done_at.is_not(None),
        )
        if intent.number != case.session.scalar(latest) or not case.session.scalar(attempt):
            continue  # an attempt that was given up before it was decided
        root = (intent.after or {}).get("root", "the new root")
        lacks = f"{slug or 'The portal'} does not name {root} yet"
        if intent.part == OPEN:
            lacks = f"The database at {root} is still sealed"
        what = f"{lacks}, though migration {migration.uid} was decided."
        todo = f"Start a runner (portal runner), then look: portal migration show {migration.uid}"
        yield error("intent", what, todo)


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "an unknown time"
