"""Change rows of an instance's locations and users: what is written is what was looked at, or nothing is."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, String, Table, Update, delete, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from portal.errors import InputError, RegistryChanged
from portal.lamindb.registry.fence import require_fence
from portal.lamindb.registry.tables import ARTIFACT, BRANCH, MAIN, SPACE, STORAGE, USER

#: What people may edit about a location without moving it.
EDITABLE: Final = frozenset({"description", "space_id", "branch_id", "region"})


@dataclass(frozen=True, slots=True)
class RootChange:
    """A location's row that gets another root; `new_root` in LaminDB's exact form, `new_region` the host if local."""

    row_id: int
    uid: str
    old_root: str
    new_root: str
    new_type: str
    new_region: str | None


@dataclass(frozen=True, slots=True)
class NewStorage:
    """A location to add to an instance; `region` holds the host of a local root, `instance_uid` None: unmanaged."""

    uid: str
    root: str
    type: str
    region: str | None
    description: str | None
    instance_uid: str | None
    space_id: int
    branch_id: int
    created_by_id: int


def change_root(connection: Connection, change: RootChange, *, needs_fence: bool, now: datetime) -> bool:
    """Give a location another root, its uid stays. Returns False where it has that root already.

    Raises:
        RegistryChanged: the row is gone or another, has neither the old root nor the new one, the new root is
            another row's, or `needs_fence` and the fence does not outlast this transaction.
        InputError: the root is longer than the database takes.
    """
    values = {"root": change.new_root, "type": change.new_type, "region": change.new_region}
    _check_lengths(connection, STORAGE, values)
    row = _locked(connection, change.row_id, change.uid)
    if row["root"] == change.new_root:
        return False
    if row["root"] != change.old_root:
        raise RegistryChanged(
            f"The root was {change.old_root} when this was planned and is {row['root']} now.",
            hint="Look at what changed it, then plan again.",
            field="root",
        )
    _refuse_others(connection, {"root": change.new_root})
    statement = update(STORAGE).where(
        STORAGE.c.id == change.row_id, STORAGE.c.uid == change.uid, STORAGE.c.root == change.old_root
    )
    _write(connection, statement.values(**values, updated_at=_stamp(connection, now)), {"root": change.new_root})
    if needs_fence:
        require_fence(connection, change.row_id)
    return True


def insert_storage(connection: Connection, new: NewStorage, *, now: datetime) -> int:
    """Add a location as LaminDB does, and return its row id.

    Raises:
        RegistryChanged: another row has this root or uid, or the space, branch or user is gone.
        InputError: a text is longer than the database takes.
    """
    values = asdict(new)
    _check_lengths(connection, STORAGE, values)
    _require(connection, SPACE, new.space_id)
    _require(connection, BRANCH, new.branch_id)
    _require(connection, USER, new.created_by_id)
    unique = {"root": new.root, "uid": new.uid}
    _refuse_others(connection, unique)
    moment = _stamp(connection, now)
    # LaminDB notes the branch a record was made on; nothing is made in the archive or the trash.
    made_on = new.branch_id if new.branch_id >= MAIN else MAIN
    statement = insert(STORAGE).values(
        **values, created_on_id=made_on, is_locked=False, created_at=moment, updated_at=moment
    )
    with _unless_taken(connection, unique):
        return int(connection.scalars(statement.returning(STORAGE.c.id)).one())


def delete_storage(connection: Connection, row_id: int, uid: str) -> bool:
    """Remove a location without artifacts. Returns False where it is gone already.

    Raises:
        RegistryChanged: artifacts refer to it, whatever their branch, or the row is another location's.
    """
    if connection.scalar(select(STORAGE.c.id).where(STORAGE.c.id == row_id)) is None:
        return False
    _locked(connection, row_id, uid)
    count = connection.scalar(select(func.count()).where(ARTIFACT.c.storage_id == row_id)) or 0
    if count:
        raise RegistryChanged(
            f"{count} artifacts refer to this location, those in trash and archive counted.",
            hint="Delete them for good or move them to another location.",
        )
    return connection.execute(delete(STORAGE).where(STORAGE.c.id == row_id, STORAGE.c.uid == uid)).rowcount == 1


def update_storage(
    connection: Connection, row_id: int, *, expected: Mapping[str, Any], values: Mapping[str, Any], now: datetime
) -> None:
    """Change `EDITABLE` columns of a location, if its row still is as `expected`, column by column.

    Raises:
        RegistryChanged: the row is gone, is not as expected, or the space or branch is gone.
        InputError: a text is longer than the database takes.
    """
    if wrong := set(values) - EDITABLE:
        raise ValueError(f"not to be edited: {', '.join(sorted(wrong))}")
    _check_lengths(connection, STORAGE, values)
    row = _locked(connection, row_id)
    if different := [name for name in expected if row[name] != expected[name]]:
        told = "; ".join(f"{name} was {_told(expected[name])} and is {_told(row[name])} now" for name in different)
        raise RegistryChanged(f"The row was changed meanwhile: {told}.", hint="Look at it again.", field=different[0])
    if "space_id" in values:
        _require(connection, SPACE, values["space_id"])
    if "branch_id" in values:
        _require(connection, BRANCH, values["branch_id"])
    statement = update(STORAGE).where(STORAGE.c.id == row_id)
    _write(connection, statement.values(**values, updated_at=_stamp(connection, now)), {})


def ensure_user(connection: Connection, uid: str, handle: str, name: str | None) -> int:
    """Return the row id of the user with this uid, else with this handle; added where there is neither.

    Raises:
        InputError: a text is longer than the database takes.
    """
    for column, value in ((USER.c.uid, uid), (USER.c.handle, handle)):
        found = connection.scalar(select(USER.c.id).where(column == value))
        if found is not None:
            return int(found)
    values = {"uid": uid, "handle": handle, "name": name}
    _check_lengths(connection, USER, values)
    return int(connection.scalars(insert(USER).values(**values).returning(USER.c.id)).one())


def _locked(connection: Connection, row_id: int, uid: str | None = None) -> RowMapping:
    """Return a location's row, which nobody else changes until the transaction ends."""
    row = connection.execute(select(STORAGE).where(STORAGE.c.id == row_id).with_for_update()).mappings().first()
    if row is None:
        raise RegistryChanged("The location's row is gone from the instance.", hint="Compare the instance again.")
    if uid is not None and row["uid"] != uid:
        raise RegistryChanged(
            f"Row {row_id} is another location now: its uid is {row['uid']}, not {uid}.",
            hint="Compare the instance again.",
            field="uid",
        )
    return row


def _refuse_others(connection: Connection, unique: Mapping[str, Any]) -> None:
    for name, value in unique.items():
        row = connection.execute(select(STORAGE.c.id, STORAGE.c.uid).where(STORAGE.c[name] == value)).first()
        if row is not None:
            raise RegistryChanged(
                f"The instance has a location of {name} {value} already: row {row.id}, uid {row.uid}.",
                hint="LaminDB takes each root and each uid once in an instance, whatever the host.",
                field=name,
            )


def _write(connection: Connection, statement: Update, unique: Mapping[str, Any]) -> None:
    """Run a change that must meet exactly one row."""
    with _unless_taken(connection, unique):
        count = connection.execute(statement).rowcount
    if count != 1:
        raise RegistryChanged(
            f"The change met {count} rows, not one.", hint="Compare the instance again; the role may not see the row."
        )


@contextmanager
def _unless_taken(connection: Connection, unique: Mapping[str, Any]) -> Iterator[None]:
    """Tell whose row is in the way if another session was quicker."""
    try:
        with connection.begin_nested():
            yield
    except IntegrityError:
        _refuse_others(connection, unique)
        raise


def _require(connection: Connection, table: Table, row_id: int) -> None:
    if connection.scalar(select(table.c.id).where(table.c.id == row_id)) is None:
        noun = table.name.removeprefix("lamindb_")
        raise RegistryChanged(
            f"The instance has no {noun} of row id {row_id} any more.",
            hint="Compare the instance again.",
            field=f"{noun}_id",
        )


def _check_lengths(connection: Connection, table: Table, values: Mapping[str, Any]) -> None:
    """Refuse what PostgreSQL would: SQLite takes any length, and LaminDB with it."""
    if connection.dialect.name == "sqlite":
        return
    for name, value in values.items():
        limit = getattr(table.c[name].type, "length", None)
        if limit is not None and isinstance(value, str) and len(value) > limit:
            raise InputError(
                f"The {name} has {len(value)} characters; the instance's database takes {limit}.",
                hint="Choose a shorter one.",
                field=name,
            )


def _stamp(connection: Connection, now: datetime) -> Any:
    """Return a time as LaminDB's own default writes it: on SQLite a text in UTC, with milliseconds."""
    if connection.dialect.name != "sqlite":
        return now
    return literal(now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3], String)


def _told(value: Any) -> str:
    return "empty" if value in (None, "") else str(value)
