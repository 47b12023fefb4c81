"""Rows of the portal's tables as lines of JSON, the same from SQLite and from PostgreSQL, and back into either.

Tables are read as the database describes them, not as this version's models do: a backup may be older than the portal.
"""

import json
import warnings
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import JSON, Connection, DateTime, Integer, LargeBinary, MetaData, Table, func, insert, select, text
from sqlalchemy.exc import SAWarning

from portal.errors import ContentMismatch
from portal.models import Base

#: Rows sent to a database at a time.
_BATCH = 1000

_PLAIN, _TIME, _BYTES = "plain", "time", "bytes"


def tables_of(connection: Connection) -> list[Table]:
    """Return the portal's tables, as they are in this database: those others refer to first."""
    metadata, known = MetaData(), set(Base.metadata.tables)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # an index over an expression is not described; none is needed
        metadata.reflect(connection, only=lambda name, _: name in known)
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type = JSON(none_as_null=True)
    return list(metadata.sorted_tables)


def revision_of(connection: Connection) -> str:
    """Return the revision of the schema."""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def dump(connection: Connection, table: Table) -> Iterator[bytes]:
    """Yield a table as lines: its columns with their kinds, then its rows, in the order of the primary key."""
    kinds = [_kind(column.type) for column in table.columns]
    yield _line([[column.name, kind] for column, kind in zip(table.columns, kinds, strict=True)])
    query = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=_BATCH)
    writers = [_WRITERS[kind] for kind in kinds]
    for row in connection.execute(query):
        yield _line([write(value) for write, value in zip(writers, row, strict=True)])


def load(connection: Connection, table: Table, lines: Iterable[bytes]) -> int:
    """Insert the rows of `dump` and return how many there were.

    Raises:
        ContentMismatch: the lines do not fit the table.
    """
    source, count = iter(lines), 0
    try:
        columns = json.loads(next(source))
        readers = [(name, _READERS[kind]) for name, kind in columns]
        while batch := list(islice(source, _BATCH)):
            rows = [_row(readers, json.loads(line)) for line in batch]
            connection.execute(insert(table), rows)
            count += len(rows)
    except (StopIteration, ValueError, KeyError, TypeError) as error:
        raise ContentMismatch(f"The rows of {table.name} cannot be read: {error}.") from error
    return count


def empty(connection: Connection, tables: list[Table]) -> None:
    """Delete every row, those that refer to others first."""
    for table in reversed(tables):
        connection.execute(table.delete())


def set_sequences(connection: Connection, tables: list[Table]) -> None:
    """Let PostgreSQL count on from the highest id; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables:
        keys = list(table.primary_key.columns)
        if len(keys) != 1 or not isinstance(keys[0].type, Integer):
            continue
        sequence = connection.execute(select(func.pg_get_serial_sequence(table.name, keys[0].name))).scalar()
        highest = connection.execute(select(func.max(keys[0]))).scalar()
        if sequence and highest:
            connection.execute(select(func.setval(sequence, highest)))


def _kind(column_type: Any) -> str:
    if isinstance(column_type, DateTime):
        return _TIME
    return _BYTES if isinstance(column_type, LargeBinary) else _PLAIN


def _line(values: list[Any]) -> bytes:
    return json.dumps(values, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"


def _row(readers: list[tuple[str, Callable[[Any], Any]]], values: list[Any]) -> dict[str, Any]:
    return {name: read(value) for (name, read), value in zip(readers, values, strict=True)}


def _write_time(value: datetime | None) -> str | None:
    if value is None:
        return None
    return (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)).isoformat()


_WRITERS: dict[str, Callable[[Any], Any]] = {
    _PLAIN: lambda value: value,
    _TIME: _write_time,
    _BYTES: lambda value: None if value is None else b64encode(value).decode(),
}
_READERS: dict[str, Callable[[Any], Any]] = {
    _PLAIN: lambda value: value,
    _TIME: lambda value: None if value is None else datetime.fromisoformat(value),
    _BYTES: lambda value: None if value is None else b64decode(value),
}
