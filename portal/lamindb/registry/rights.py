"""What a role may do in a registry, found out by doing it in a transaction that is rolled back.

No row is changed: each statement meets none, and databases refuse a missing right all the same.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, Table, false, literal, select, text
from sqlalchemy.exc import DBAPIError

from portal.errors import RegistryError, RegistryRefused
from portal.lamindb.registry.fence import has_fence_rights
from portal.lamindb.registry.opening import error_of
from portal.lamindb.registry.tables import ARTIFACT, STORAGE, USER
from portal.lamindb.registry.ways import Way

#: Names of the rights the portal needs before it changes anything, in the order in which they are tried.
RIGHTS: Final = ("update", "insert", "trigger")

_STORAGE_COLUMNS: Final = (
    "root", "type", "region", "description", "space_id", "branch_id", "instance_uid", "updated_at",
)  # fmt: skip
_ARTIFACT_COLUMNS: Final = ("storage_id", "space_id", "updated_at")


def try_right(connection: Connection, way: Way, right: str) -> RegistryError | None:
    """Return what keeps the role from using a right; None when it may. The caller rolls the transaction back."""
    if right == "trigger":
        missing = has_fence_rights(connection)
        return _refused(missing) if missing else None
    try:
        with connection.begin_nested() as savepoint:
            _TRIES[right](connection)
            savepoint.rollback()
    except DBAPIError as error:
        return error_of(way, error.orig or error)
    return None


def _refused(missing: str) -> RegistryRefused:
    return RegistryRefused(
        f"The right is missing: {missing}.",
        hint="Grant it to the role, or attach the instance with another one.",
        missing_right=missing,
    )


def is_filtered(connection: Connection) -> bool:
    """Tell whether the database hides rows of locations or artifacts from this role (row-level security)."""
    if connection.dialect.name != "postgresql":
        return False
    asked = text("SELECT row_security_active('lamindb_storage') OR row_security_active('lamindb_artifact')")
    return bool(connection.scalar(asked))


def _update(connection: Connection) -> None:
    for table, names in ((STORAGE, _STORAGE_COLUMNS), (ARTIFACT, _ARTIFACT_COLUMNS)):
        connection.execute(table.update().where(false()).values({name: table.c[name] for name in names}))


def _insert(connection: Connection) -> None:
    for table in (STORAGE, USER):
        _insert_nothing(connection, table)
    # What a foreign key of a deleted location needs, and the removal of a row that was added in vain.
    connection.execute(STORAGE.delete().where(false()))


def _insert_nothing(connection: Connection, table: Table) -> None:
    columns = [column for column in table.columns if column.name != "id"]
    nothing = select(*(literal(None, column.type) for column in columns)).where(false())
    connection.execute(table.insert().from_select([column.name for column in columns], nothing))


_TRIES: Final[dict[str, Callable[[Connection], None]]] = {"update": _update, "insert": _insert}
