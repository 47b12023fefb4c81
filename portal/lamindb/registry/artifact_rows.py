"""Artifacts as frozen rows for pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from portal.lamindb.paths import ArtifactFacts, key_of
from portal.lamindb.registry.tables import ARTIFACT, BRANCH
from portal.lamindb.registry.uploads import is_uploading

#: The columns of `lamindb_artifact` that a row is made of.
NAMES: Final = (
    "id", "uid", "key", "_real_key", "description", "suffix", "kind", "size", "hash", "_hash_type", "n_files",
    "_key_is_virtual", "_overwrite_versions", "is_latest", "version_tag", "branch_id", "created_at", "updated_at",
    "_aux",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """An artifact as its row says. Times are aware UTC.

    Attributes:
        place: where its bytes lie below the root.
        is_uploading: its upload has not ended, so its object is not there, or not whole.
    """

    uid: str
    key: str | None
    description: str | None
    suffix: str
    kind: str | None
    size_bytes: int | None
    hash: str | None
    hash_type: str | None
    file_count: int | None
    version_tag: str | None
    is_latest: bool
    branch_id: int
    branch: str
    created_at: datetime
    updated_at: datetime
    place: str
    is_folder: bool
    is_uploading: bool


def read_rows(
    connection: Connection, storage_row_id: int, uids: Sequence[str], space_ids: Sequence[int] | None = None
) -> tuple[ArtifactRow, ...]:
    """Return the location's artifacts with these uids; of these spaces only, unless None."""
    query = select(*(ARTIFACT.c[name] for name in NAMES)).where(
        ARTIFACT.c.uid.in_(list(uids)), ARTIFACT.c.storage_id == storage_row_id
    )
    if space_ids is not None:
        query = query.where(ARTIFACT.c.space_id.in_(space_ids))
    return tuple(as_row(row, {}) for row in connection.execute(query).mappings())


def list_branches(connection: Connection) -> tuple[tuple[int, str], ...]:
    """Return every branch as (row id, name), main first, trash and archive last."""
    rows = connection.execute(select(BRANCH.c.id, BRANCH.c.name)).all()
    return tuple((row_id, name) for row_id, name in sorted(rows, key=lambda row: (row[0] < 1, abs(row[0]))))


def as_row(row: Any, branches: Mapping[int, str]) -> ArtifactRow:
    """Return what the columns of NAMES say."""
    facts = ArtifactFacts(
        row["uid"], row["key"], row["_real_key"], row["suffix"] or "", bool(row["_key_is_virtual"]),
        bool(row["_overwrite_versions"]), row["n_files"],
    )  # fmt: skip
    return ArtifactRow(
        uid=row["uid"],
        key=row["key"],
        description=row["description"],
        suffix=row["suffix"] or "",
        kind=row["kind"],
        size_bytes=row["size"],
        hash=row["hash"],
        hash_type=row["_hash_type"],
        file_count=row["n_files"],
        version_tag=row["version_tag"],
        is_latest=bool(row["is_latest"]),
        branch_id=row["branch_id"],
        branch=branches.get(row["branch_id"], str(row["branch_id"])),
        created_at=_utc(row["created_at"]),
        updated_at=_utc(row["updated_at"]),
        place=key_of(facts),
        is_folder=facts.is_folder,
        is_uploading=is_uploading(row["_aux"]),
    )


def _utc(moment: datetime) -> datetime:
    """Return an aware time: SQLite keeps UTC without saying so."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
