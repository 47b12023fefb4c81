"""The objects of a migration that are not as they should be: listed, filtered and exported."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from sqlalchemy import ColumnElement, Select, func, or_, select, tuple_

from portal.models import Migration, Shard, ShardException
from portal.planning.cursors import decode_cursor, encode_cursor, is_storable, page_of
from portal.services.migrations.lookups import find_migration
from portal.services.migrations.retrying import NO_RIGHT, why_not_retry
from portal.services.work import Work

PAGE_ROWS = 50
EXPORT_ROWS = 1_000

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
        is_again: it was tried again alone, at `created_at`, and did not work then either.
    """

    id: int
    kind: str
    key: str
    size_bytes: int | None
    reason: str
    is_passing: bool
    is_chosen: bool
    created_at: datetime
    is_again: bool = False


@dataclass(frozen=True, slots=True)
class ExceptionList:
    """One page of them, by key.

    Attributes:
        counts: all of the migration by kind, the most first, whatever is filtered.
        firsts: the key of the first object of each kind.
        match_count: how many match the filter.
        total_bytes: the size of all of them, as far as it is known.
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
    total_bytes: int = 0

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


def find_exception(work: Work, uid: str, key: str) -> ExceptionRow | None:
    """Return what is known of one object that needs a look; None where it needs none.

    Raises:
        NotFound: there is no such migration, or its location is out of reach.
    """
    if not is_storable(key):
        return None
    migration = find_migration(work, uid)
    asked = _rows(migration, ExceptionQuery()).where(ShardException.key == key).limit(1)
    return next(iter(_read(work, migration, asked)), None)


def exceptions_of(work: Work, migration: Migration, query: ExceptionQuery) -> ExceptionList:
    """Return one page of what needs a look, of a migration that was found already."""
    counts, total_bytes = _counts(work, migration)
    rows, has_before, has_after = _page(work, migration, query, _place(query.after), _place(query.before))
    why_not = why_not_retry(work, migration) if counts else ""
    return ExceptionList(
        rows,
        counts,
        _firsts(work, migration) if counts else {},
        _match_count(work, migration, query)
        if query.text
        else sum(counts.get(kind, 0) for kind in _kinds(query, counts)),
        encode_cursor(_ORDER, [rows[-1].key, rows[-1].id]) if has_after else None,
        encode_cursor(_ORDER, [rows[0].key, rows[0].id]) if has_before else None,
        bool(counts) and why_not == "",
        why_not if why_not != NO_RIGHT else "",
        total_bytes,
    )


def _kinds(query: ExceptionQuery, counts: dict[str, int]) -> tuple[str, ...]:
    return query.kinds or tuple(counts)


def _counts(work: Work, migration: Migration) -> tuple[dict[str, int], int]:
    """Return how many there are by kind, the most first, and how many bytes all of them have."""
    count = func.count()
    query = (
        select(ShardException.kind, count, func.sum(ShardException.size_bytes))
        .where(ShardException.migration_id == migration.id)
        .group_by(ShardException.kind)
        .order_by(count.desc(), ShardException.kind)
    )
    rows = work.session.execute(query).all()
    return {kind: number for kind, number, _ in rows}, sum(int(size or 0) for _, _, size in rows)


def _firsts(work: Work, migration: Migration) -> dict[str, str]:
    """Return the key of the first object of each kind."""
    query = select(ShardException.kind, func.min(ShardException.key)).where(ShardException.migration_id == migration.id)
    return dict(work.session.execute(query.group_by(ShardException.kind)).all())


def iterate_exceptions(reading: Reading, uid: str, query: ExceptionQuery) -> Iterator[ExceptionRow]:
    """Yield all that match, in batches of a transaction each, so that an export holds up nobody.

    Raises:
        NotFound: there is no such migration, or its location is out of reach.
    """
    part, after = replace(query, limit=EXPORT_ROWS), None
    while True:
        with reading() as work:
            rows, _, has_more = _page(work, find_migration(work, uid), part, after)
        yield from rows
        if not has_more:
            return
        after = (rows[-1].key, rows[-1].id)


#: Where a row stands in the list: its key, and its id where one key needs a look twice.
_Place = tuple[object, ...]


def _place(cursor: str | None) -> _Place | None:
    return decode_cursor(cursor, _ORDER, [str, int])


def _page(
    work: Work, migration: Migration, query: ExceptionQuery, after: _Place | None = None, before: _Place | None = None
) -> tuple[tuple[ExceptionRow, ...], bool, bool]:
    """Return the rows of a page, and whether there are others before and after it."""
    is_backwards = after is None and before is not None
    place = tuple_(ShardException.key, ShardException.id)
    asked = _rows(migration, query)
    if after is not None:
        asked = asked.where(place > after)
    elif before is not None:
        asked = asked.where(place < before)
    order = (column.desc() if is_backwards else column.asc() for column in (ShardException.key, ShardException.id))
    found = _read(work, migration, asked.order_by(*order).limit(query.limit + 1))
    return page_of(found, query.limit, has_place=after is not None, is_backwards=is_backwards)


def _rows(migration: Migration, query: ExceptionQuery) -> Select[ShardException, int]:
    """Return the query for rows, each with the pass that it is of; of a folder there is none."""
    asked = select(ShardException, Shard.pass_number).outerjoin(Shard, ShardException.shard_id == Shard.id)
    return asked.where(*_conditions(migration, query))


def _read(work: Work, migration: Migration, asked: Select[ShardException, int]) -> list[ExceptionRow]:
    passes = (migration.plan or {}).get("passes", ())
    chosen = {each["number"] for each in passes if each["kind"] == "chosen"}
    return [
        ExceptionRow(
            row.id,
            row.kind,
            row.key,
            row.size_bytes,
            row.reason,
            row.is_passing,
            row.is_chosen,
            row.created_at,
            number in chosen,
        )
        for row, number in work.session.execute(asked)
    ]


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
