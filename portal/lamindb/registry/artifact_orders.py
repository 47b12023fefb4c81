"""In which order the artifacts of a location are read: as a chain of segments, each of which one index can serve.

We may make no index in an instance's database, so each segment keeps to one that LaminDB makes (facts: lamindb docs,
(d)): (storage_id, key, hash) where key is not NULL, (storage_id, hash) where it is, and one of each single column.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, and_, cast, func, literal, literal_column, or_, true, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import DateTime, String

#: What the columns of a table, or of a query in its place, are asked by.
Columns = Any

#: Shorter words are not looked for at the beginning of uids and hashes: they would find strangers only.
FEWEST_LETTERS: Final = 4

#: Beyond every row id, and before.
LAST_ID, FIRST_ID = 2**62, -1

#: Behind everything that begins with a word.
_END: Final = "\U0010ffff"

#: Columns that hold times.
TIMES: Final = frozenset({"created_at", "updated_at"})


class _Opaque(FunctionElement[Any]):
    """A column that SQLite's planner takes no index for: without statistics it likes the wrong ones."""

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(_Opaque)
def _compile_opaque(element: _Opaque, compiler: SQLCompiler, **options: Any) -> str:
    inner = compiler.process(element.clauses, **options)
    return f"+{inner}" if compiler.dialect.name == "sqlite" else inner


def opaque(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column as something no index of SQLite is taken for."""
    return _Opaque(column)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the chain: rows that fulfil `where`, by a column and then the row id.

    Attributes:
        entries: the part of `where` that the index itself knows.
        by: the column; empty for the row id alone. It is never NULL here.
        is_own: whether its index begins with the location, so that no other location's rows are read.
        is_bytewise: whether PostgreSQL compares bytes, as the index for beginnings of words does.
    """

    where: ColumnElement[bool]
    entries: ColumnElement[bool]
    by: str = ""
    is_own: bool = False
    is_bytewise: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two rows: beside the row with this value and id, in the segment of this number.

    Attributes:
        value: text or a number; times as the database writes them.
        searched_count: how many artifacts were looked through before it.
    """

    segment: int
    value: str | int
    row_id: int
    searched_count: int = 0


def sorted_chain(columns: Columns, sort: str) -> tuple[Segment, ...]:
    """Return the chain of a sorted list: by `key`, `size`, `created` or `updated`; what has no value comes last."""
    if sort == "size":
        return (_plain(columns.size.is_not(None), "size"), _plain(columns.size.is_(None)))
    if sort in {"created", "updated"}:
        return (_plain(true(), f"{sort}_at"),)
    return (
        _plain(columns.key.is_not(None), "key", is_own=True),
        _plain(and_(columns.key.is_(None), columns.hash.is_not(None)), "hash", is_own=True),
        _plain(and_(columns.key.is_(None), columns.hash.is_(None)), is_own=True),
    )


def _plain(entries: ColumnElement[bool], by: str = "", *, is_own: bool = False) -> Segment:
    return Segment(entries, entries, by, is_own)


def search_chain(columns: Columns, text: str, dialect: str) -> tuple[Segment, ...]:
    """Return the chain of a search: what begins with the words, by indexes; then what contains them, one by one."""
    found = _beginnings(columns, text, dialect)
    chain: list[Segment] = []
    earlier: list[ColumnElement[bool]] = []
    for by, condition in found:
        is_own = by == "key" and dialect == "sqlite"
        chain.append(Segment(and_(condition, *map(_not, earlier)), condition, by, is_own, is_bytewise=True))
        earlier.append(condition)
    rest = and_(contains(columns, text, dialect), *map(_not, earlier))
    for each in sorted_chain(columns, "key"):
        chain.append(Segment(and_(each.where, rest), each.entries, each.by, is_own=True))
    return tuple(chain)


def matches(columns: Columns, text: str, dialect: str) -> ColumnElement[bool]:
    """Return the condition that an artifact is found by a search, for few rows."""
    return or_(contains(columns, text, dialect), *(condition for _, condition in _beginnings(columns, text, dialect)))


def contains(columns: Columns, text: str, dialect: str) -> ColumnElement[bool]:
    """Return the condition that key or description holds the text; upper and lower case are one."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = f"%{escaped}%"
    # LIKE of SQLite knows no case (of ASCII) anyway.
    if dialect == "sqlite":
        return or_(*(opaque(column).like(pattern, escape="\\") for column in (columns.key, columns.description)))
    return or_(columns.key.ilike(pattern, escape="\\"), columns.description.ilike(pattern, escape="\\"))


def _beginnings(columns: Columns, text: str, dialect: str) -> list[tuple[str, ColumnElement[bool]]]:
    names = ("uid", "hash", "key") if len(text) >= FEWEST_LETTERS else ("key",)
    return [(name, _begins(columns[name], text, dialect)) for name in names]


def _begins(column: ColumnElement[Any], text: str, dialect: str) -> ColumnElement[bool]:
    first, beyond = literal(text, String), literal(text + _END, String)
    if dialect == "sqlite":
        return and_(column >= first, column < beyond)
    return and_(column.op("~>=~", is_comparison=True)(first), column.op("~<~", is_comparison=True)(beyond))


def _not(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return that a condition is false or, for want of a value, unknown."""
    return ~func.coalesce(condition, literal_column("false"))


def value_of(columns: Columns, segment: Segment, dialect: str) -> ColumnElement[Any]:
    """Return what the segment is ordered by."""
    if not segment.by:
        return columns.id  # type: ignore[no-any-return]  # columns of a table or a query alike
    column = columns[segment.by]
    if segment.by in TIMES and dialect == "sqlite":
        return type_coerce(column, String)  # as it is written there: some have three decimals, some six
    return column  # type: ignore[no-any-return]


def ordered(columns: Columns, segment: Segment, dialect: str, *, rises: bool) -> Sequence[ColumnElement[Any]]:
    """Return what to order by."""
    row_id = columns.id.asc() if rises else columns.id.desc()
    if not segment.by:
        return (row_id,)
    value = value_of(columns, segment, dialect)
    if segment.is_bytewise and dialect != "sqlite":
        return (value.op("USING")(literal_column("~<~" if rises else "~>~")), row_id)
    return (value.asc() if rises else value.desc(), row_id)


def beyond(columns: Columns, segment: Segment, dialect: str, position: Position, *, rises: bool) -> ColumnElement[bool]:
    """Return the condition that a row lies beyond a position, in reading direction."""
    row_id = literal(position.row_id, BigInteger)
    by_id: ColumnElement[bool] = columns.id > row_id if rises else columns.id < row_id
    if not segment.by:
        return by_id
    here, further = _compared(columns, segment, dialect, position.value, rises=rises)
    return and_(here, or_(further, by_id))


def onward(columns: Columns, segment: Segment, dialect: str, position: Position, *, rises: bool) -> ColumnElement[bool]:
    """Return as `beyond`, asking the value alone: rows that have the position's own value may be among them."""
    here, further = _compared(columns, segment, dialect, position.value, rises=rises)
    return further if position.row_id in {FIRST_ID, LAST_ID} else here


def up_to(columns: Columns, segment: Segment, dialect: str, value: str | int, *, rises: bool) -> ColumnElement[bool]:
    """Return the condition that a row lies before a value or at it, in reading direction."""
    return _compared(columns, segment, dialect, value, rises=not rises)[0]


def _compared(
    columns: Columns, segment: Segment, dialect: str, value: str | int, *, rises: bool
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return (at the value or beyond, beyond it)."""
    column = value_of(columns, segment, dialect)
    bound: ColumnElement[Any] = literal(value, BigInteger if isinstance(value, int) else String)
    if segment.by in TIMES and dialect != "sqlite":
        bound = cast(bound, DateTime(timezone=True))
    if segment.is_bytewise and dialect != "sqlite":
        sign = ">" if rises else "<"
        return (
            column.op(f"~{sign}=~", is_comparison=True)(bound),
            column.op(f"~{sign}~", is_comparison=True)(bound),
        )
    return (column >= bound, column > bound) if rises else (column <= bound, column < bound)
