"""The rows of a migration's shards and exceptions: written under the lease by the runner alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from portal.models import Migration, Shard, ShardException
from portal.planning.outcomes import BAD, ObjectResult, Outcome
from portal.transfer.jobs import ShardResult
from portal.transfer.summary import PlanSummary

FORWARD, BACK = "forward", "back"

#: States of a shard, in order. One that is `copying` may have temporaries at the target.
PLANNED, COPYING, COPIED, VERIFIED = "planned", "copying", "copied", "verified"

#: Exceptions kept of one shard at most; the counts hold all.
_MOST_EXCEPTIONS = 10_000

#: Shards written at once. Not as objects of the session: 100,000 of them take half a gigabyte.
_ROWS_AT_ONCE = 1_000

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
    """A planned pass. `beside` are examples of keys that a rollback puts beside the old root's objects.

    `is_chosen`: it holds single objects that a person asked to try again, and nothing else.
    """

    summary: PlanSummary
    shards: tuple[ShardPlan, ...]
    beside: tuple[str, ...] = ()
    beside_count: int = 0
    is_chosen: bool = False


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
    """Write the shards of a planned pass, instead of any of the same.

    What older passes of its direction left open is found anew; a plan of chosen objects alone replaces these.
    """
    forget_exceptions(session, migration.id, direction, only_chosen=plan.is_chosen)
    old = delete(Shard).where(
        Shard.migration_id == migration.id, Shard.direction == direction, Shard.pass_number == pass_number
    )
    session.execute(old)
    rows = (
        {
            "migration_id": migration.id,
            "direction": direction,
            "pass_number": pass_number,
            "number": shard.number,
            "state": PLANNED,
            "object_count": shard.object_count,
            "total_bytes": shard.total_bytes,
            "plan_path": shard.plan_path,
            "plan_digest": shard.plan_digest,
            "updated_at": now,
        }
        for shard in plan.shards
    )
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        session.execute(insert(Shard), batch)


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
    keep_exceptions(session, shard_id, result, now)


def keep_exceptions(session: Session, shard_id: int, result: ShardResult, now: datetime) -> None:
    """Write what is not good of a shard, also of one that was broken off, instead of what it had."""
    migration_id = session.get_one(Shard, shard_id).migration_id
    session.execute(delete(ShardException).where(ShardException.shard_id == shard_id))
    session.add_all(
        ShardException(
            migration_id=migration_id,
            shard_id=shard_id,
            kind=kind_of(item),
            key=item.key,
            size_bytes=item.size_bytes,
            reason=item.reason,
            is_passing=item.is_passing or item.outcome.value in PASSING,
            created_at=now,
        )
        for item in result.exceptions[:_MOST_EXCEPTIONS]
    )


def kind_of(result: ObjectResult) -> str:
    """Return the kind of an exception: of an object that failed the kind of its error, else the outcome."""
    return (result.fault if result.outcome is Outcome.FAILED else "") or result.outcome.value


def error_count(counts: dict[str, Any]) -> int:
    """Return how many objects of a shard count against the error budget: those another pass alone does not mend."""
    return sum(int(counts.get(outcome.value, 0)) for outcome in BAD if outcome.value not in PASSING)


def bad_count(counts: dict[str, Any]) -> int:
    """Return how many objects of a shard are not as they should be."""
    return sum(int(counts.get(outcome.value, 0)) for outcome in BAD)


def numbers_of(row: ShardRow) -> dict[str, int]:
    """Return what a shard adds to the numbers of its pass, zeros too."""
    bad, good_bytes = bad_count(row.counts), int(row.counts.get("good_bytes", 0))
    is_copied, is_verified = row.state in {COPIED, VERIFIED}, row.state == VERIFIED
    return {
        "pass_count": row.object_count,
        "pass_bytes": row.total_bytes,
        "equal_count": is_copied * int(row.counts.get("already_equal", 0)),
        "attention_count": is_copied * bad,
        "error_count": error_count(row.counts),
        "copied_count": is_copied * (row.object_count - bad),
        "copied_bytes": is_copied * good_bytes,
        "verified_count": is_verified * (row.object_count - bad),
        "verified_bytes": is_verified * good_bytes,
    }


def bad_kinds(session: Session, migration_id: int, direction: str) -> dict[str, int]:
    """Return what is open of a direction, by kind."""
    query = select(ShardException.kind, func.count()).where(_is_of(migration_id, direction))
    return dict(session.execute(query.group_by(ShardException.kind)).all())


def forget_exceptions(session: Session, migration_id: int, direction: str, *, only_chosen: bool = False) -> None:
    """Delete what is open of a direction, or what a person chose of it."""
    gone = delete(ShardException).where(_is_of(migration_id, direction))
    session.execute(gone.where(ShardException.is_chosen) if only_chosen else gone)


def _is_of(migration_id: int, direction: str) -> ColumnElement[bool]:
    """Return the condition for exceptions of a direction; what is of no shard was said of the way forward."""
    shards = select(Shard.id).where(Shard.migration_id == migration_id, Shard.direction == direction)
    of_shards = ShardException.shard_id.in_(shards)
    found = or_(of_shards, ShardException.shard_id.is_(None)) if direction == FORWARD else of_shards
    return and_(ShardException.migration_id == migration_id, found)


def known_paths(
    session: Session, migration_id: int, ledger: str, after: int = 0, direction: str = FORWARD
) -> tuple[tuple[str, ...], ...]:
    """Return the result segments of every pass of the move so far, oldest pass first. `after`: of later ones only."""
    query = (
        select(Shard.pass_number, Shard.verify_path, Shard.copy_path)
        .where(Shard.migration_id == migration_id, Shard.direction == direction, Shard.pass_number > after)
        .order_by(Shard.pass_number, Shard.number)
    )
    passes: dict[int, list[str]] = {}
    for pass_number, verify_path, copy_path in session.execute(query):
        if path := verify_path or copy_path:
            passes.setdefault(pass_number, []).append(f"{ledger}/{path}")
    return tuple(tuple(paths) for _, paths in sorted(passes.items()))


def newest_pass(session: Session, migration_id: int) -> int:
    """Return the number of the newest forward pass that had anything to do; 0 for none."""
    query = select(func.max(Shard.pass_number)).where(Shard.migration_id == migration_id, Shard.direction == FORWARD)
    return session.scalar(query) or 0


def open_shards(session: Session, migration_id: int) -> list[tuple[str, int, int]]:
    """Return direction, pass and number of shards that were begun and not finished."""
    query = select(Shard.direction, Shard.pass_number, Shard.number).where(
        Shard.migration_id == migration_id, Shard.state == COPYING
    )
    return [(direction, pass_number, number) for direction, pass_number, number in session.execute(query)]


def copied_by_pass(session: Session, migration_id: int, after: int = 0) -> dict[int, int]:
    """Return how many objects each pass of the move has written at the target, of passes that wrote any.

    `after`: of later passes only. An object that was copied again counts in each pass that copied it.
    """
    query = select(Shard.pass_number, Shard.counts).where(
        Shard.migration_id == migration_id, Shard.direction == FORWARD, Shard.pass_number > after
    )
    found: dict[int, int] = {}
    for number, counts in session.execute(query):
        if copied := int((counts or {}).get(Outcome.COPIED.value, 0)):
            found[number] = found.get(number, 0) + copied
    return found


def open_anew(session: Session, migration_id: int, direction: str, pass_number: int, now: datetime) -> None:
    """Let a pass be done once more, since a listing found the same to do."""
    query = update(Shard).where(
        Shard.migration_id == migration_id, Shard.direction == direction, Shard.pass_number == pass_number
    )
    session.execute(query.values(state=PLANNED, updated_at=now))


def keep_folders(session: Session, migration_id: int, sentences: Sequence[str], now: datetime) -> None:
    """Write down which folders are not as recorded, each as `key: what is wrong`, instead of those of before."""
    before = delete(ShardException).where(ShardException.migration_id == migration_id)
    session.execute(before.where(ShardException.shard_id.is_(None)))
    session.add_all(
        ShardException(
            migration_id=migration_id,
            kind=Outcome.ROTTEN.value,
            key=sentence.partition(": ")[0],
            reason=sentence.partition(": ")[2],
            created_at=now,
        )
        for sentence in sentences[:_MOST_EXCEPTIONS]
    )


@dataclass(frozen=True, slots=True)
class ChosenShard:
    """Where the plan and the result of chosen objects lie; paths are whole. `keys` in no order."""

    plan_path: str
    result_path: str
    keys: frozenset[str]


def chosen_shards(session: Session, migration_id: int, ledger: str) -> tuple[ChosenShard, ...]:
    """Return what a person chose to try again, by the shards it was in, oldest first."""
    query = (
        select(Shard.id, Shard.plan_path, Shard.verify_path, Shard.copy_path, ShardException.key)
        .join(Shard, ShardException.shard_id == Shard.id)
        .where(ShardException.migration_id == migration_id, ShardException.is_chosen)
        .order_by(Shard.pass_number, Shard.number)
    )
    found: dict[int, tuple[str, str, set[str]]] = {}
    for shard_id, plan_path, verify_path, copy_path, key in session.execute(query):
        result_path = f"{ledger}/{verify_path or copy_path}" if verify_path or copy_path else ""
        found.setdefault(shard_id, (f"{ledger}/{plan_path}", result_path, set()))[2].add(key)
    return tuple(ChosenShard(plan, result, frozenset(keys)) for plan, result, keys in found.values())


def chosen_folders(session: Session, migration_id: int) -> tuple[str, ...]:
    """Return the folders a person chose to try again, each ending in `/`, in no order."""
    query = select(ShardException.key).where(
        ShardException.migration_id == migration_id, ShardException.is_chosen, ShardException.shard_id.is_(None)
    )
    return tuple(session.scalars(query))


def has_chosen(session: Session, migration_id: int) -> bool:
    """Tell whether a person chose objects to try again."""
    query = select(ShardException.id).where(ShardException.migration_id == migration_id, ShardException.is_chosen)
    return session.scalar(query.limit(1)) is not None
