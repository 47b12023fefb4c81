"""Uploads that are under way: lamindb makes the row, uploads, then takes the mark off again (facts, (d) and (i))."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, literal_column, select

from portal.lamindb.registry.tables import ARTIFACT

#: Whether a row carries the mark, never NULL; `{row}` is `OLD.` or a table's name and a point.
UPLOADING_SQLITE: Final = "coalesce(json_extract({row}_aux, '$.so'), 0) = 1"
UPLOADING_POSTGRES: Final = "coalesce({row}_aux ->> 'so', '') IN ('1', 'true')"


def is_uploading(aux: Any) -> bool:
    """Tell whether what a row has in `_aux` says so: JSON text as SQLite gives it, or its value as PostgreSQL does."""
    if isinstance(aux, str):
        try:
            aux = json.loads(aux)
        except ValueError:
            return False
    return isinstance(aux, dict) and str(aux.get("so")) in {"1", "True", "true"}


@dataclass(frozen=True, slots=True)
class Upload:
    """An artifact whose upload is going on, or was broken off: uid, key (None: it has none), aware UTC of its row."""

    uid: str
    key: str | None
    created_at: datetime


def uploads_under_way(connection: Connection, storage_row_id: int, limit: int = 20) -> tuple[int, tuple[Upload, ...]]:
    """Return how many artifacts of a location are being uploaded, and the oldest `limit` of them."""
    chosen = (ARTIFACT.c.storage_id == storage_row_id) & _is_uploading(connection)
    count = connection.scalar(select(func.count()).select_from(ARTIFACT).where(chosen)) or 0
    query = select(ARTIFACT.c.uid, ARTIFACT.c.key, ARTIFACT.c.created_at).where(chosen).order_by(ARTIFACT.c.id)
    rows = connection.execute(query.limit(limit)) if count else ()
    return count, tuple(Upload(uid, key, _utc(created_at)) for uid, key, created_at in rows)


def _is_uploading(connection: Connection) -> ColumnElement[bool]:
    condition = UPLOADING_SQLITE if connection.dialect.name == "sqlite" else UPLOADING_POSTGRES
    return literal_column(f"({condition.format(row=f'{ARTIFACT.name}.')})").is_(True)


def _utc(moment: datetime) -> datetime:
    """Return an aware time: SQLite keeps UTC without saying so."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
