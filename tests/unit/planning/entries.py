"""Builders for the tables of this folder."""

from dataclasses import dataclass
from datetime import UTC, datetime

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 1, 13, tzinfo=UTC)


@dataclass(frozen=True)
class Thing:
    key: str
    size_bytes: int = 3
    modified_at: datetime | None = NOON
    etag: str | None = None
