"""The orders of the list: which columns, which index, what a cursor holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, literal, literal_column, tuple_

from portal.models import Storage
from portal.planning.cursors import Part, decode_cursor, encode_cursor

#: What a location that was never checked counts as, so that no order has to deal with NULL.
NEVER = datetime(1900, 1, 1, tzinfo=UTC)

#: The same in the words of the index `ix_storage_by_checked`; a bound value would not match it.
_NEVER_IN_SQL = {
    "sqlite": "'1900-01-01 00:00:00.000000'",
    "postgresql": "TIMESTAMPTZ '1900-01-01 00:00:00+00'",
}

_COLUMNS: dict[str, Any] = {
    "type": Storage.type,
    "place": Storage.sort_place,
    "space": Storage.sort_space,
    "instance": Storage.sort_instance,
    "mode": Storage.mode,
    "default": Storage.is_default,
    "by": Storage.sort_creator,
    "created": Storage.created_at,
    "checked": Storage.last_check_at,
}


@dataclass(frozen=True, slots=True)
class Order:
    """One order: by a key, then root, then id, so that no two rows are equal in it."""

    name: str
    key: str

    @property
    def is_by_root(self) -> bool:
        """Tell whether the root itself is the key."""
        return self.key == "root"

    def expressions(self, dialect: str) -> tuple[ColumnElement[Any], ...]:
        """Return what to sort by, most important first."""
        if self.is_by_root:
            return (Storage.root, Storage.id)  # type: ignore[return-value]  # mapped attributes are expressions
        column: ColumnElement[Any] = _COLUMNS[self.key]
        if self.key == "checked":
            never = literal_column(_NEVER_IN_SQL[dialect], Storage.last_check_at.type)
            column = func.coalesce(Storage.last_check_at, never)
        return (column, Storage.root, Storage.id)  # type: ignore[return-value]  # as above

    def cursor_of(self, key: object, root: str, row_id: int) -> str:
        """Return the cursor of a row."""
        return encode_cursor(self.name, (root, row_id) if self.is_by_root else (_to_part(key), root, row_id))

    def values_of(self, cursor: str | None) -> tuple[Any, ...] | None:
        """Return the values a cursor stands for; None for no cursor of this order."""
        kinds = (str, int) if self.is_by_root else (int if self.key == "default" else str, str, int)
        parts = decode_cursor(cursor, self.name, kinds)
        if parts is None or self.key not in {"created", "checked", "default"}:
            return parts
        value = _to_bool(parts[0]) if self.key == "default" else _to_moment(parts[0])
        return None if value is None else (value, *parts[1:])


def beyond(columns: Sequence[ColumnElement[Any]], values: Sequence[Any], is_falling: bool) -> ColumnElement[bool]:
    """Return the condition for rows after `values`: one comparison of whole rows, which an index can follow."""
    here = tuple_(*columns)
    # Compared as plain text: a type or mode that does not exist is a place in the order like any other.
    there = tuple_(*(literal(value) if isinstance(value, str) else literal(value, column.type)
                     for column, value in zip(columns, values, strict=True)))  # fmt: skip
    return here < there if is_falling else here > there


def _to_part(key: object) -> Part:
    if key is None:
        key = NEVER
    if isinstance(key, datetime):
        return key.astimezone(UTC).isoformat()
    return int(key) if isinstance(key, bool) else str(key)


def _to_bool(part: Part) -> bool | None:
    return bool(part) if part in {0, 1} else None


def _to_moment(part: Part) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(part))
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
