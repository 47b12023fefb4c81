"""One page of a location's artifacts, out of millions, in a bounded number of steps.

* Few rows are left by location or filter: gather them by that index, then sort.
* Else read along the index of the order until the page is full, and no further than `Budget` says: where hits are rare
  the page ends early and tells how far it came.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, select

from portal.errors import InputError
from portal.lamindb.registry import artifact_orders as orders
from portal.lamindb.registry.artifact_orders import FIRST_ID, LAST_ID, Position, Segment, opaque
from portal.lamindb.registry.artifact_queries import ArtifactQuery, drivers_of, filters_of, is_few
from portal.lamindb.registry.artifact_rows import NAMES, ArtifactRow, as_row
from portal.lamindb.registry.tables import ARTIFACT, BRANCH

_A: Final = ARTIFACT.c


@dataclass(frozen=True, slots=True)
class Budget:
    """How many rows one page may cost.

    Attributes:
        gathered: so few are sorted; more are read in order.
        own: entries of the location's own index.
        shared: entries of an index of all locations, each of which costs a look at its row.
    """

    gathered: int = 5_000
    own: int = 7_500
    shared: int = 7_500


@dataclass(frozen=True, slots=True)
class ArtifactPage:
    """A page.

    Attributes:
        previous, next: where the neighbours begin; None where there is none.
        is_cut: the page ended before it was full because enough was looked through; `next` (`previous`) goes on.
        searched_count: artifacts a search looked through so far; None where it is no scan.
        match_count: how many there are in all; None where nobody counted.
    """

    rows: tuple[ArtifactRow, ...]
    previous: Position | None
    next: Position | None
    is_cut: bool = False
    searched_count: int | None = None
    match_count: int | None = None


@dataclass(frozen=True, slots=True)
class _Reading:
    """A query with what its pages are read from.

    Attributes:
        columns: of the table, or of the few rows gathered from it.
        conditions: what every row must fulfil besides its segment's.
    """

    connection: Connection
    query: ArtifactQuery
    budget: Budget
    dialect: str
    columns: Any
    chain: tuple[Segment, ...]
    conditions: tuple[ColumnElement[bool], ...]
    is_gathered: bool


@dataclass(slots=True)
class _Found:
    """What was read so far, in reading direction. `stop`: where the budget ended; None where it did not."""

    rows: list[tuple[Position, Any]]
    searched_count: int
    stop: Position | None = None


def read_page(connection: Connection, query: ArtifactQuery, budget: Budget = Budget()) -> ArtifactPage:
    """Return one page of a location's artifacts.

    Raises:
        InputError: the position belongs to another list.
    """
    reading = _plan(connection, query, budget)
    _check_position(reading)
    found = _read(reading)
    more = len(found.rows) > query.limit
    kept = found.rows[: query.limit]
    onward = kept[-1][0] if more else found.stop
    first = query.position if not kept else kept[0][0]
    back = None if query.position is None else first
    if query.is_backwards:
        kept.reverse()
    names = {each.id: each.name for each in connection.execute(select(BRANCH.c.id, BRANCH.c.name))}
    is_scan = bool(query.text) and not reading.is_gathered
    return ArtifactPage(
        rows=tuple(as_row(row, names) for _, row in kept),
        previous=onward if query.is_backwards else back,
        next=back if query.is_backwards else onward,
        is_cut=not more and found.stop is not None,
        searched_count=found.searched_count if is_scan else None,
        match_count=_count(reading) if reading.is_gathered else None,
    )


def _plan(connection: Connection, query: ArtifactQuery, budget: Budget) -> _Reading:
    dialect = connection.dialect.name
    drivers = [driver for driver in drivers_of(query) if is_few(connection, driver, budget.gathered)]
    if drivers:
        every = [drivers[0], *filters_of(query), opaque(_A.storage_id) == query.storage_row_id]
        if query.text:
            every.append(orders.matches(_A, query.text, dialect))
        columns = [_A[name] for name in NAMES]
        rows = select(*columns).where(*every).cte("mine").prefix_with("MATERIALIZED").c
        chain = orders.sorted_chain(rows, query.sort)
        return _Reading(connection, query, budget, dialect, rows, chain, (), is_gathered=True)
    chain = orders.search_chain(_A, query.text, dialect) if query.text else orders.sorted_chain(_A, query.sort)
    return _Reading(connection, query, budget, dialect, _A, chain, filters_of(query), is_gathered=False)


def _check_position(reading: _Reading) -> None:
    """Refuse a position that a database could not compare with."""
    at = reading.query.position
    if at is None:
        return
    fits = 0 <= at.segment < len(reading.chain)
    if fits:
        by = reading.chain[at.segment].by
        fits = isinstance(at.value, int) == (by in {"", "size"})
        if fits and by in orders.TIMES:
            fits = _is_time(str(at.value))
    if not fits:
        raise InputError("This address belongs to another list.", hint="Start from the first page.", field="after")


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _read(reading: _Reading) -> _Found:
    """Read along the chain until there is one row more than a page has, or the budget is used up."""
    query, numbers = reading.query, range(len(reading.chain))
    at = query.position
    found = _Found([], at.searched_count if at else 0)
    for number in reversed(numbers) if query.is_backwards else numbers:
        if at is not None and (number > at.segment if query.is_backwards else number < at.segment):
            continue
        start = at if at is not None and number == at.segment else None
        _read_segment(reading, number, start, found)
        if found.stop is not None or len(found.rows) > query.limit:
            break
    return found


def _read_segment(reading: _Reading, number: int, start: Position | None, found: _Found) -> None:
    query, columns, dialect = reading.query, reading.columns, reading.dialect
    segment, rises = reading.chain[number], _rises(reading)
    where = [segment.where, *reading.conditions]
    if start is not None:
        where.append(orders.beyond(columns, segment, dialect, start, rises=rises))
    end = None if reading.is_gathered else _end_of_budget(reading, segment, start, rises=rises)
    if end is not None:
        where.append(orders.up_to(columns, segment, dialect, end, rises=rises))
    if not reading.is_gathered:
        where.append(_place(query, is_opaque=not segment.is_own))
    value = orders.value_of(columns, segment, dialect).label("value")
    statement = (
        select(*(columns[name] for name in NAMES), value)
        .where(*where)
        .order_by(*orders.ordered(columns, segment, dialect, rises=rises))
        .limit(query.limit + 1 - len(found.rows))
    )
    rows = reading.connection.execute(statement).mappings().all()
    is_full = len(found.rows) + len(rows) > query.limit
    last = _written(rows[-1]["value"]) if is_full else end
    before = found.searched_count
    if query.text and not reading.is_gathered and not segment.is_bytewise:
        passed = _count_passed(reading, segment, start, last)
        found.searched_count = max(0, before - passed if query.is_backwards else before + passed)
    for row in rows:
        count = before if row is rows[0] else found.searched_count
        found.rows.append((Position(number, _written(row["value"]), row["id"], count), row))
    if end is not None and not is_full:
        last_id = LAST_ID if rises else FIRST_ID
        found.stop = Position(number, end, last_id if segment.by else int(end), found.searched_count)


def _rises(reading: _Reading) -> bool:
    """Tell which way a segment is read; segments themselves stand in the order they are shown in."""
    if reading.query.text and not reading.is_gathered:
        return not reading.query.is_backwards
    return reading.query.is_falling == reading.query.is_backwards


def _place(query: ArtifactQuery, *, is_opaque: bool) -> ColumnElement[bool]:
    column = opaque(_A.storage_id) if is_opaque else _A.storage_id
    return column == query.storage_row_id


def _entries(reading: _Reading, segment: Segment, start: Position | None, *, rises: bool) -> list[ColumnElement[bool]]:
    """Return which entries of the segment's index lie from a position on."""
    found = [segment.entries]
    if segment.is_own:
        found.append(_place(reading.query, is_opaque=False))
    if start is not None:
        found.append(orders.onward(_A, segment, reading.dialect, start, rises=rises))
    return found


def _end_of_budget(reading: _Reading, segment: Segment, start: Position | None, *, rises: bool) -> str | int | None:
    """Return the value at which enough was read; None where the segment ends before."""
    budget = reading.budget.own if segment.is_own else reading.budget.shared
    query = (
        select(orders.value_of(_A, segment, reading.dialect))
        .where(*_entries(reading, segment, start, rises=rises))
        .order_by(orders.ordered(_A, segment, reading.dialect, rises=rises)[0])
        .limit(1)
        .offset(budget)
    )
    row = reading.connection.execute(query).first()
    return None if row is None else _written(row[0])


def _count_passed(reading: _Reading, segment: Segment, start: Position | None, last: str | int | None) -> int:
    """Return how many artifacts lie between two places."""
    rises = _rises(reading)
    where = _entries(reading, segment, start, rises=rises)
    if last is not None:
        where.append(orders.up_to(_A, segment, reading.dialect, last, rises=rises))
    return reading.connection.scalar(select(func.count()).select_from(ARTIFACT).where(*where)) or 0


def _count(reading: _Reading) -> int:
    rows = select(reading.columns.id).subquery()
    return reading.connection.scalar(select(func.count()).select_from(rows)) or 0


def _written(value: Any) -> str | int:
    """Return a value as a position keeps it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value if isinstance(value, int) else str(value)
