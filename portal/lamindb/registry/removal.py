"""Take a location's row out of an instance and, if the rest of a deletion fails, put it back as it was.

A kept row is every column as the database tells it, also those the portal has no name for, in values that JSON holds.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, or_, select, text

from portal.errors import RegistryChanged
from portal.lamindb.registry.artifacts import count_artifacts
from portal.lamindb.registry.changes import delete_storage
from portal.lamindb.registry.tables import ARCHIVE, ARTIFACT, STORAGE, TRASH

_HIDDEN_BRANCHES: Final = {TRASH: "in the trash", ARCHIVE: "in the archive"}


@dataclass(frozen=True, slots=True)
class Blocking:
    """Artifacts that keep a location from being deleted: how many of every branch, and names of the newest."""

    count: int
    names: tuple[str, ...]


def find_blocking(connection: Connection, row_id: int, most: int = 5) -> Blocking:
    """Return the artifacts of a location; of `most` of them the key, else description, else uid."""
    columns = ARTIFACT.c.key, ARTIFACT.c.description, ARTIFACT.c.uid, ARTIFACT.c.branch_id
    query = select(*columns).where(ARTIFACT.c.storage_id == row_id).order_by(ARTIFACT.c.id.desc()).limit(most)
    names = tuple(
        _name(key or description or uid, branch) for key, description, uid, branch in connection.execute(query)
    )
    return Blocking(count_artifacts(connection, row_id), names)


def _name(name: str, branch_id: int) -> str:
    where = _HIDDEN_BRANCHES.get(branch_id)
    return f"{name} ({where})" if where else name


def keep_row(connection: Connection, row_id: int) -> dict[str, Any] | None:
    """Return a location's whole row; None where it is gone."""
    if connection.dialect.name == "sqlite":
        row = (
            connection.execute(text("SELECT * FROM lamindb_storage WHERE id = :id"), {"id": row_id}).mappings().first()
        )
        return None if row is None else dict(row)
    query = text("SELECT CAST(row_to_json(kept) AS text) FROM lamindb_storage kept WHERE id = :id")
    found = connection.scalar(query, {"id": row_id})
    return None if found is None else dict(json.loads(found))


def delete_kept(connection: Connection, kept: dict[str, Any]) -> bool:
    """Delete a row that still is as it was kept. Returns False where it is gone already.

    Raises:
        RegistryChanged: it is another one now, or artifacts refer to it.
    """
    now = keep_row(connection, kept["id"])
    if now is None:
        return False
    if now != kept:
        names = ", ".join(sorted(name for name in now if now[name] != kept.get(name)))
        raise RegistryChanged(f"The row was changed meanwhile: {names}.", hint="Look at it again.")
    return delete_storage(connection, kept["id"], kept["uid"])


def put_row_back(connection: Connection, kept: dict[str, Any]) -> bool:
    """Insert a kept row again, with its id and every value. Returns False where it is still there.

    Raises:
        RegistryChanged: another row has its id, root or uid by now.
    """
    clash = or_(STORAGE.c.id == kept["id"], STORAGE.c.root == kept["root"], STORAGE.c.uid == kept["uid"])
    for row in connection.execute(select(STORAGE.c.id, STORAGE.c.uid, STORAGE.c.root).where(clash)):
        if (row.id, row.uid) == (kept["id"], kept["uid"]):
            return False
        raise RegistryChanged(
            f"Row {row.id} took its place: {row.root}, uid {row.uid}.", hint="Compare the instance, then look at both."
        )
    if connection.dialect.name == "sqlite":
        names = ", ".join(f'"{name}"' for name in kept)
        marks = ", ".join("?" for _ in kept)
        statement = f"INSERT INTO lamindb_storage ({names}) VALUES ({marks})"  # noqa: S608 - names the database gave
        connection.exec_driver_sql(statement, tuple(kept.values()))
        return True
    record = "json_populate_record(CAST(NULL AS lamindb_storage), CAST(:kept AS json))"
    connection.execute(
        text(f"INSERT INTO lamindb_storage SELECT * FROM {record}"),  # noqa: S608 - no value in it
        {"kept": json.dumps(kept)},
    )
    return True
