"""The objects of a migration that are not as they should be: listed, filtered, exported, and tried again alone."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from sqlalchemy import ColumnElement, func, or_, select, update

from portal.errors import Conflict, InputError
from portal.models import Migration, Shard, ShardException
from portal.permissions import Action, allows
from portal.planning.cursors import decode_cursor, encode_cursor, is_storable
from portal.planning.states import FINAL, Event, MigrationState, move
from portal.services.access import storage_target
from portal.services.migrations import ledger
from portal.services.migrations.ledger import FORWARD
from portal.services.migrations.lookups import find_migration
from portal.services.migrations.views import MigrationView
from portal.services.migrations.wishes import wish
from portal.services.work import Work

PAGE_ROWS = 50
EXPORT_ROWS = 1_000

#: Keys that one request may name.
MOST_KEYS = 1_000

#: More letters than this are in no key.
_MOST_LETTERS = 2_000

_ORDER = "exceptions"

EXPORT_COLUMNS = ("key", "kind", "size_bytes", "reason", "is_passing", "created_at")


@dataclass(frozen=True, slots=True)
class ExceptionQuery:
    """Which of them are wanted; empty fields do not narrow.

    Attributes:
        kinds: outcomes, or kinds of errors.
        text: found in key or reason, whatever its case.
        after, before: cursors of `ExceptionList`; at most one counts.
        limit: most rows of a page.
    """

    kinds: tuple[str, ...] = ()
    text: str = ""
    after: str | None = None
    before: str | None = None
    limit: int = PAGE_ROWS

    @property
    def is_filtered(self) -> bool:
        """Tell whether anything narrows the list."""
        return bool(self.kinds or self.text)


@dataclass(frozen=True, slots=True)
class ExceptionRow:
    """One object that needs a look.

    Attributes:
        id: of the row.
        is_passing: another try, unchanged, may help.
        is_chosen: a person asked to try it again alone.
    """

    id: int
    kind: str
    key: str
    size_bytes: int | None
    reason: str
    is_passing: bool
    is_chosen: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ExceptionList:
    """One page of them.

    Attributes:
        counts: all of the migration by kind, the most first, whatever is filtered.
        firsts: the key of the first object of each kind.
        match_count: how many match the filter.
        may_retry: whether the actor may try single objects again now; `why_not` says what is in the way.
        next_after, previous_before: cursors of the neighbours; None: there is none.
    """

    rows: tuple[ExceptionRow, ...]
    counts: dict[str, int]
    firsts: dict[str, str]
    match_count: int
    next_after: str | None
    previous_before: str | None
    may_retry: bool = False
    why_not: str = ""

    @property
    def total(self) -> int:
        """Return how many there are."""
        return sum(self.counts.values())


class Reading(Protocol):
    """Opens a unit of work that reads."""

    def __call__(self) -> AbstractContextManager[Work]:
        """Return it."""
        ...


def list_exceptions(work: Work, uid: str, query: ExceptionQuery) -> ExceptionList:
    """Return one page of what needs a look.

    Raises:
        NotFound: there is no such migration, or its location is out of reach.
    """
    return exceptions_of(work, find_migration(work, uid), query)


def exceptions_of(work: Work, migration: Migration, query: ExceptionQuery) -> ExceptionList:
    """Return one page of what needs a look, of a migration that was found already."""
    counts = _counts(work, migration)
    rows, has_before, has_after = _page(work, migration, query)
    why_not = _why_not(work, migration) if counts else ""
    return ExceptionList(
        rows,
        counts,
        _firsts(work, migration) if counts else {},
        _match_count(work, migration, query)
        if query.text
        else sum(counts.get(kind, 0) for kind in _kinds(query, counts)),
        encode_cursor(_ORDER, [rows[-1].id]) if has_after else None,
        encode_cursor(_ORDER, [rows[0].id]) if has_before else None,
        bool(counts) and why_not == "",
        why_not if why_not != _NO_RIGHT else "",
    )


def _kinds(query: ExceptionQuery, counts: dict[str, int]) -> tuple[str, ...]:
    return query.kinds or tuple(counts)


def _counts(work: Work, migration: Migration) -> dict[str, int]:
    """Return how many there are by kind, the most first."""
    count = func.count()
    query = (
        select(ShardException.kind, count)
        .where(ShardException.migration_id == migration.id)
        .group_by(ShardException.kind)
        .order_by(count.desc(), ShardException.kind)
    )
    return dict(work.session.execute(query).all())


def _firsts(work: Work, migration: Migration) -> dict[str, str]:
    """Return the key of the first object of each kind."""
    firsts = select(func.min(ShardException.id)).where(ShardException.migration_id == migration.id)
    query = select(ShardException.kind, ShardException.key).where(
        ShardException.id.in_(firsts.group_by(ShardException.kind))
    )
    return dict(work.session.execute(query).all())


def iterate_exceptions(reading: Reading, uid: str, query: ExceptionQuery) -> Iterator[ExceptionRow]:
    """Yield all that match, in batches of a transaction each, so that an export holds up nobody.

    Raises:
        NotFound: there is no such migration, or its location is out of reach.
    """
    following: str | None = None
    while True:
        with reading() as work:
            migration = find_migration(work, uid)
            part = replace(query, after=following, before=None, limit=EXPORT_ROWS)
            rows, _, has_more = _page(work, migration, part)
        yield from rows
        if not has_more:
            return
        following = encode_cursor(_ORDER, [rows[-1].id])


def retry_objects(work: Work, uid: str, *, keys: tuple[str, ...] = (), kinds: tuple[str, ...] = ()) -> MigrationView:
    """Try single objects again, and nothing else: those of these keys, or all of these kinds.

    They go through the same copy and the same proof; what is good is not touched. Of a folder what changed below it
    since is taken along, and the folder is compared again.

    Raises:
        InputError: none of them needs a look, or too many keys are named.
        Conflict: the pass has not ended, or something else was asked for.
    """
    if len(keys) > MOST_KEYS:
        raise InputError(f"Name {MOST_KEYS:,} objects at most.", hint="Or retry all of a kind.", field="object")
    migration = find_migration(work, uid, Action.STORAGE_MOVE, locks=True)
    move(MigrationState(migration.state), Event.RETRY)
    if migration.wish:
        raise Conflict("Another step was asked for and has not been done yet.", hint="Wait for it, or cancel.")
    if _has_open_shards(work, migration):
        raise Conflict(
            "The pass stopped before it had tried every object, so single ones cannot be tried alone yet.",
            hint="Retry goes on with it, and copies nothing twice.",
        )
    chosen = ShardException.key.in_(keys) if keys else ShardException.kind.in_(kinds)
    mine = ShardException.migration_id == migration.id
    work.session.execute(update(ShardException).where(mine).values(is_chosen=False))
    found = list(work.session.scalars(select(ShardException).where(mine, chosen)))
    missing = sorted(set(keys) - {row.key for row in found})
    if missing or not found:
        named = missing[0] if missing else ", ".join(kinds)
        raise InputError(f"Nothing that can be tried alone needs a look under {named}.", field="object")
    for row in found:
        row.is_chosen = True
        if row.shard_id is None:  # a folder, and with it what needs a look below it
            below = select(ShardException).where(mine, ShardException.key.startswith(row.key, autoescape=True))
            for inner in work.session.scalars(below):
                inner.is_chosen |= inner.key.startswith(row.key)  # SQLite takes `A` for `a`
    said: dict[str, object] = {"objects": len(found)}
    said |= {"keys": [row.key for row in found[:5]]} if keys else {"kinds": list(kinds)}
    return wish(work, migration, Event.RETRY, "migration.objects-retry-requested", said)


#: Nothing is said to somebody who may not press any button.
_NO_RIGHT = "no right"


def _why_not(work: Work, migration: Migration) -> str:
    """Return why single objects cannot be tried again now; empty where they can."""
    storage = migration.storage
    if storage is None or not allows(work.actor, Action.STORAGE_MOVE, storage_target(storage)):
        return _NO_RIGHT
    if migration.state in FINAL:
        return "The migration is over."
    if migration.state != MigrationState.NEEDS_ATTENTION:
        return "Single objects can be tried again when the pass has ended."
    if migration.wish:
        return "Another step was asked for."
    if _has_open_shards(work, migration):
        return "The pass stopped before its end: Retry goes on with it, then single objects can be tried alone."
    return ""


def _has_open_shards(work: Work, migration: Migration) -> bool:
    query = select(Shard.id).where(
        Shard.migration_id == migration.id,
        Shard.direction == FORWARD,
        Shard.pass_number == migration.pass_number,
        Shard.state != ledger.VERIFIED,
    )
    return work.session.scalar(query.limit(1)) is not None


def _page(work: Work, migration: Migration, query: ExceptionQuery) -> tuple[tuple[ExceptionRow, ...], bool, bool]:
    """Return the rows of a page, and whether there are others before and after it."""
    after, before = decode_cursor(query.after, _ORDER, [int]), decode_cursor(query.before, _ORDER, [int])
    is_backwards = after is None and before is not None
    asked = select(ShardException).where(*_conditions(migration, query))
    if after is not None:
        asked = asked.where(ShardException.id > after[0])
    elif before is not None:
        asked = asked.where(ShardException.id < before[0])
    order = ShardException.id.desc() if is_backwards else ShardException.id.asc()
    found = list(work.session.scalars(asked.order_by(order).limit(query.limit + 1)))
    has_more, found = len(found) > query.limit, found[: query.limit]
    if is_backwards:
        found.reverse()
    rows = tuple(
        ExceptionRow(
            row.id,
            row.kind,
            row.key,
            row.size_bytes,
            row.reason,
            row.is_passing,
            row.is_chosen,
            row.created_at,
        )
        for row in found
    )
    if not rows:
        return rows, False, False
    return rows, (has_more if is_backwards else after is not None), (True if is_backwards else has_more)


def _conditions(migration: Migration, query: ExceptionQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [ShardException.migration_id == migration.id]
    if query.kinds:
        conditions.append(ShardException.kind.in_(query.kinds))
    text = query.text.strip()[:_MOST_LETTERS].lower()
    if text:
        wanted = text if is_storable(text) else "\N{REPLACEMENT CHARACTER}"
        columns = (ShardException.key, ShardException.reason)
        conditions.append(or_(*(func.lower(column).contains(wanted, autoescape=True) for column in columns)))
    return conditions


def _match_count(work: Work, migration: Migration, query: ExceptionQuery) -> int:
    counted = select(func.count()).select_from(ShardException).where(*_conditions(migration, query))
    return work.session.scalar(counted) or 0
