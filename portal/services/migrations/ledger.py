"""The rows of a migration's shards and exceptions: written under the lease by the runner alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from portal.models import Migration, Shard, ShardException
from portal.planning.merkle import merkle_root
from portal.planning.outcomes import BAD, Outcome
from portal.transfer.jobs import ShardResult
from portal.transfer.summary import PlanSummary

FORWARD, BACK = "forward", "back"

#: States of a shard, in order. One that is `copying` may have temporaries at the target.
PLANNED, COPYING, COPIED, VERIFIED = "planned", "copying", "copied", "verified"

#: Exceptions kept of one shard at most; the counts hold all.
_MOST_EXCEPTIONS = 200

#: The source is to be listed again for these; anything else needs a person.
PASSING = frozenset({Outcome.CHANGED.value, Outcome.MISSING.value})


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """One shard as planned; the path is relative to the ledger."""

    number: int
    object_count: int
    total_bytes: int
    plan_path: str
    plan_digest: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A planned pass. `beside` are examples of keys that a rollback puts beside the old root's objects."""

    summary: PlanSummary
    shards: tuple[ShardPlan, ...]
    beside: tuple[str, ...] = ()
    beside_count: int = 0


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One shard as a step needs it."""

    id: int
    number: int
    state: str
    object_count: int
    total_bytes: int
    counts: dict[str, Any]


def replace_plan(
    session: Session, migration: Migration, direction: str, pass_number: int, plan: Plan, now: datetime
) -> None:
    """Write the shards of a planned pass, instead of any of the same; what older passes left open is found anew."""
    session.execute(delete(ShardException).where(ShardException.migration_id == migration.id))
    old = delete(Shard).where(
        Shard.migration_id == migration.id, Shard.direction == direction, Shard.pass_number == pass_number
    )
    session.execute(old)
    session.add_all(
        Shard(
            migration_id=migration.id,
            direction=direction,
            pass_number=pass_number,
            number=shard.number,
            state=PLANNED,
            object_count=shard.object_count,
            total_bytes=shard.total_bytes,
            plan_path=shard.plan_path,
            plan_digest=shard.plan_digest,
            updated_at=now,
        )
        for shard in plan.shards
    )


def plan_digests(session: Session, migration_id: int, direction: str, pass_number: int) -> list[str]:
    """Return the digests of a pass's plan, in order: equal digests mean that two listings found the same to do."""
    query = (
        select(Shard.plan_digest)
        .where(Shard.migration_id == migration_id, Shard.direction == direction, Shard.pass_number == pass_number)
        .order_by(Shard.number)
    )
    return list(session.scalars(query))


def shards_of(session: Session, migration_id: int, direction: str, pass_number: int) -> list[ShardRow]:
    """Return the shards of a pass in their order."""
    query = (
        select(Shard.id, Shard.number, Shard.state, Shard.object_count, Shard.total_bytes, Shard.counts)
        .where(Shard.migration_id == migration_id, Shard.direction == direction, Shard.pass_number == pass_number)
        .order_by(Shard.number)
    )
    return [
        ShardRow(shard_id, number, state, object_count, total_bytes, counts or {})
        for shard_id, number, state, object_count, total_bytes, counts in session.execute(query)
    ]


def mark_copying(session: Session, shard_ids: Sequence[int], epoch: int, now: datetime) -> None:
    """Note that workers are about to write temporaries for these shards."""
    for row in session.scalars(select(Shard).where(Shard.id.in_(shard_ids))):
        row.state, row.lease_epoch, row.updated_at = COPYING, epoch, now


def keep_result(
    session: Session, shard_id: int, result: ShardResult, *, is_copy: bool, ledger: str, now: datetime
) -> None:
    """Write what came of one shard; its exceptions replace those it had."""
    row = session.get_one(Shard, shard_id)
    path = result.path.removeprefix(f"{ledger}/")
    if is_copy:
        row.state, row.copy_path, row.copy_digest = COPIED, path, result.digest
    else:
        row.state, row.verify_path, row.verify_digest = VERIFIED, path, result.digest
    row.counts, row.updated_at = {**result.counts, "good_bytes": result.total_bytes}, now
    session.execute(delete(ShardException).where(ShardException.shard_id == shard_id))
    session.add_all(
        ShardException(
            migration_id=row.migration_id,
            shard_id=shard_id,
            kind=item.outcome.value,
            key=item.key,
            size_bytes=item.size_bytes,
            reason=item.reason,
            created_at=now,
        )
        for item in result.exceptions[:_MOST_EXCEPTIONS]
    )


def bad_count(counts: dict[str, Any]) -> int:
    """Return how many objects of a shard are not as they should be."""
    return sum(int(counts.get(outcome.value, 0)) for outcome in BAD)


def bad_kinds(session: Session, migration_id: int) -> dict[str, int]:
    """Return what is open, by kind."""
    query = (
        select(ShardException.kind, func.count())
        .where(ShardException.migration_id == migration_id)
        .group_by(ShardException.kind)
    )
    return dict(session.execute(query).all())


def known_paths(session: Session, migration_id: int, ledger: str) -> tuple[tuple[str, ...], ...]:
    """Return the result segments of every pass of the move so far, oldest pass first."""
    query = (
        select(Shard.pass_number, Shard.verify_path, Shard.copy_path)
        .where(Shard.migration_id == migration_id, Shard.direction == FORWARD)
        .order_by(Shard.pass_number, Shard.number)
    )
    passes: dict[int, list[str]] = {}
    for pass_number, verify_path, copy_path in session.execute(query):
        if path := verify_path or copy_path:
            passes.setdefault(pass_number, []).append(f"{ledger}/{path}")
    return tuple(tuple(paths) for _, paths in sorted(passes.items()))


def manifest_digest(session: Session, migration_id: int) -> str:
    """Return the Merkle root over the verified segments of the move, in order."""
    query = (
        select(Shard.verify_digest)
        .where(Shard.migration_id == migration_id, Shard.direction == FORWARD, Shard.verify_digest.is_not(None))
        .order_by(Shard.pass_number, Shard.number)
    )
    return merkle_root(digest for digest in session.scalars(query) if digest is not None)


def open_shards(session: Session, migration_id: int) -> list[tuple[str, int, int]]:
    """Return direction, pass and number of shards that were begun and not finished."""
    query = select(Shard.direction, Shard.pass_number, Shard.number).where(
        Shard.migration_id == migration_id, Shard.state == COPYING
    )
    return [(direction, pass_number, number) for direction, pass_number, number in session.execute(query)]


def copied_total(session: Session, migration_id: int) -> int:
    """Return how many objects the move itself has written at the target, over all passes."""
    query = select(Shard.counts).where(Shard.migration_id == migration_id, Shard.direction == FORWARD)
    return sum(int((counts or {}).get(Outcome.COPIED.value, 0)) for counts in session.scalars(query))


def add_exceptions(session: Session, migration_id: int, kind: Outcome, sentences: Sequence[str], now: datetime) -> None:
    """Write what was found of whole folders down, each with a sentence `key: what is wrong`."""
    session.add_all(
        ShardException(
            migration_id=migration_id,
            kind=kind.value,
            key=sentence.partition(": ")[0],
            reason=sentence.partition(": ")[2],
            created_at=now,
        )
        for sentence in sentences[:_MOST_EXCEPTIONS]
    )
