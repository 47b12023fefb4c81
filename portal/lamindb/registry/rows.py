"""Read what an instance knows: its storage locations, spaces, branches, users, and how much lies where."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, case, func, select

from portal.lamindb.registry.tables import ARTIFACT, BRANCH, SPACE, STORAGE, TRASH, USER


@dataclass(frozen=True, slots=True)
class RegistryStorage:
    """A row of `lamindb_storage`, with the names its ids stand for.

    Attributes:
        row_id: the row's id in this instance.
        host: for local roots what `region` holds (facts: LaminDB has no column for the host); None where it says none.
        space_uid, space_name, branch_id, branch_name, creator_uid, creator_handle: what the ids stand for.
        updated_at: aware UTC.
    """

    row_id: int
    uid: str
    root: str
    description: str | None
    type: str
    region: str | None
    instance_uid: str | None
    space_id: int
    space_uid: str
    space_name: str
    branch_id: int
    branch_name: str
    creator_uid: str
    creator_handle: str
    is_locked: bool
    created_at: datetime
    updated_at: datetime

    @property
    def host(self) -> str | None:
        """Return the host of a local root; None where none is recorded, and for every other type."""
        return self.region if self.type == "local" else None


@dataclass(frozen=True, slots=True)
class Amount:
    """How much a location holds: artifacts of every branch and version, their bytes as recorded, those in trash."""

    artifact_count: int = 0
    total_bytes: int = 0
    trash_count: int = 0


@dataclass(frozen=True, slots=True)
class Named:
    """A space, branch or user: row id, uid and name (a user's handle)."""

    row_id: int
    uid: str
    name: str


@dataclass(frozen=True, slots=True)
class RegistryContent:
    """All that is compared with the portal. `amounts` by the row id of the location."""

    storages: tuple[RegistryStorage, ...]
    spaces: tuple[Named, ...]
    branches: tuple[Named, ...]
    users: tuple[Named, ...]
    amounts: dict[int, Amount]

    @property
    def artifact_count(self) -> int:
        """Return the number of artifacts in all locations."""
        return sum(amount.artifact_count for amount in self.amounts.values())


_SELECT = (
    select(
        STORAGE,
        SPACE.c.uid.label("space_uid"),
        SPACE.c.name.label("space_name"),
        BRANCH.c.name.label("branch_name"),
        USER.c.uid.label("creator_uid"),
        USER.c.handle.label("creator_handle"),
    )
    .join(SPACE, SPACE.c.id == STORAGE.c.space_id)
    .join(BRANCH, BRANCH.c.id == STORAGE.c.branch_id)
    .join(USER, USER.c.id == STORAGE.c.created_by_id)
)


def read_content(connection: Connection) -> RegistryContent:
    """Return everything but the artifacts themselves: six queries, one over all artifacts."""
    return RegistryContent(
        storages=list_storages(connection),
        spaces=_named(connection, SPACE, SPACE.c.name),
        branches=_named(connection, BRANCH, BRANCH.c.name),
        users=_named(connection, USER, USER.c.handle),
        amounts=read_amounts(connection),
    )


def list_storages(connection: Connection) -> tuple[RegistryStorage, ...]:
    """Return every storage location of the instance, by row id."""
    return tuple(_storage(row) for row in connection.execute(_SELECT.order_by(STORAGE.c.id)).mappings())


def find_storage(connection: Connection, row_id: int) -> RegistryStorage | None:
    """Return one location; None where the row is gone."""
    row = connection.execute(_SELECT.where(STORAGE.c.id == row_id)).mappings().first()
    return None if row is None else _storage(row)


def read_amounts(connection: Connection, row_id: int | None = None) -> dict[int, Amount]:
    """Return how much each location holds, or one of them."""
    query = select(
        ARTIFACT.c.storage_id,
        func.count(),
        func.coalesce(func.sum(ARTIFACT.c.size), 0),
        func.coalesce(func.sum(case((ARTIFACT.c.branch_id == TRASH, 1), else_=0)), 0),
    ).group_by(ARTIFACT.c.storage_id)
    if row_id is not None:
        query = query.where(ARTIFACT.c.storage_id == row_id)
    return {
        storage_id: Amount(count, int(total), int(trash))
        for storage_id, count, total, trash in connection.execute(query)
    }


def _named(connection: Connection, table: Any, name: Any) -> tuple[Named, ...]:
    query = select(table.c.id, table.c.uid, name).order_by(table.c.id)
    return tuple(Named(row_id, uid, text) for row_id, uid, text in connection.execute(query))


def _storage(row: Any) -> RegistryStorage:
    return RegistryStorage(
        row_id=row["id"],
        **{
            name: row[name]
            for name in RegistryStorage.__dataclass_fields__
            if name not in {"row_id", "created_at", "updated_at", "is_locked"}
        },
        is_locked=bool(row["is_locked"]),
        created_at=_utc(row["created_at"]),
        updated_at=_utc(row["updated_at"]),
    )


def _utc(moment: datetime) -> datetime:
    """Return an aware time: SQLite keeps UTC without saying so."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
