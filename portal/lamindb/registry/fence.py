"""Hold writers off one location of an instance until a moment that is written into the database itself.

The fence is three triggers on `lamindb_artifact`. After its deadline, by the database's own clock, they let everything
pass although nobody removed them: a portal that dies leaves no instance locked. Reads, other locations and uploads
that are under way (`_aux.so`, facts: lamindb docs, (d) and (i)) pass all along.

On PostgreSQL deadline and sentence are in the triggers' function, not in their WHEN clauses: a function is replaced
without a lock on the table, so that a fence can be extended and lifted while other sessions read and write.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from psycopg import sql
from sqlalchemy import Connection, bindparam, func, select, text
from sqlalchemy.exc import DBAPIError

from portal.errors import RegistryChanged
from portal.lamindb.registry.uploads import UPLOADING_POSTGRES, UPLOADING_SQLITE

#: A change that relies on the fence must have been committed before the fence lifts itself.
MARGIN: Final = timedelta(seconds=5)

_PREFIX: Final = "storage_portal_fence"
_EVENTS: Final = ("insert", "update", "delete")
_DEADLINE: Final = re.compile(r"< (?:timestamptz )?'(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})")
#: Row ids of LaminDB start at 1.
_TRIAL_ID: Final = 0
_OPEN_BODY: Final = "BEGIN IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END"


def raise_fence(connection: Connection, storage_row_id: int, *, until: datetime, reason: str) -> None:
    """Refuse new, changed and deleted artifacts of a location until a moment; replaces an earlier fence.

    `reason` is a whole sentence for the people who are refused: what is moving. When and what to do is added.
    On PostgreSQL this waits for every open transaction that writes artifacts: give the connection a short lock limit.
    """
    moment, minute = _text(until), _text(until + timedelta(seconds=59))[:16]
    words = f"{reason.replace(chr(0), '').strip()} Nothing was changed. Writing is held off until {minute} UTC"
    words += ": try again then. Reading works."
    if _is_sqlite(connection):
        _remove_sqlite(connection, storage_row_id)
        for event in _EVENTS:
            condition = f"({_condition(event, storage_row_id, UPLOADING_SQLITE)}) AND {_NOW_SQLITE} < '{moment}'"
            action = f"BEGIN SELECT RAISE(ABORT, {_q(words)}); END"
            _execute(connection, _create(event, storage_row_id, condition, action))
        return
    deadline = fence_deadline(connection, storage_row_id)
    if deadline is None or deadline - _now(connection) < MARGIN:
        # Somebody may be writing already: only making the triggers anew waits for them.
        _drop_function(connection, storage_row_id)
        _replace_function(connection, storage_row_id, _body(moment, words))
        for event in _EVENTS:
            action = f"EXECUTE FUNCTION public.{_name(storage_row_id)}()"
            condition = f"({_condition(event, storage_row_id, UPLOADING_POSTGRES)})"
            _execute(connection, _create(event, storage_row_id, condition, action))
    else:
        _replace_function(connection, storage_row_id, _body(moment, words))


def lift_fence(connection: Connection, storage_row_id: int) -> bool:
    """Let writers in again. Returns False where the triggers could not be removed now: they let everything pass.

    On PostgreSQL the removal locks the table, readers too, until the transaction ends: end it soon. Repeatable.
    """
    if _is_sqlite(connection):
        _remove_sqlite(connection, storage_row_id)
        return True
    if _source(connection, storage_row_id) is None:
        return True
    _replace_function(connection, storage_row_id, _OPEN_BODY)
    before = connection.scalar(select(func.current_setting("lock_timeout")))
    try:
        with connection.begin_nested():
            _execute(connection, "SET LOCAL lock_timeout = '500ms'")
            _drop_function(connection, storage_row_id)
            connection.execute(select(func.set_config("lock_timeout", before, True)))
    except DBAPIError as error:
        if _sqlstate(error) != "55P03":
            raise
        return False
    return True


def fence_deadline(connection: Connection, storage_row_id: int) -> datetime | None:
    """Return when the fence lifts itself or did, aware UTC, as the triggers say; None where it is not whole."""
    if _is_sqlite(connection):
        found = list(_statements(connection, storage_row_id).values())
        source = found[0] if len(found) == len(_EVENTS) else ""
    else:
        is_whole = connection.scalar(_COUNT_POSTGRES, {"names": _names(storage_row_id)}) == len(_EVENTS)
        source = (_source(connection, storage_row_id) or "") if is_whole else ""
    match = _DEADLINE.search(source)
    return datetime.fromisoformat(match[1]).replace(tzinfo=UTC) if match else None


def is_fence_alive(connection: Connection, storage_row_id: int, *, margin: timedelta = timedelta()) -> bool:
    """Tell whether the fence holds now, by the database's clock, and for `margin` longer."""
    deadline = fence_deadline(connection, storage_row_id)
    return deadline is not None and deadline - _now(connection) > margin


def require_fence(connection: Connection, storage_row_id: int) -> None:
    """Refuse to go on without a fence that outlasts this transaction.

    Raises:
        RegistryChanged: there is none, or it lifts itself within `MARGIN`.
    """
    if not is_fence_alive(connection, storage_row_id, margin=MARGIN):
        raise RegistryChanged(
            "The fence has lifted itself: artifacts may have been written since.",
            hint="Raise it again, and compare what is new before going on.",
            retryable=True,
        )


@contextmanager
def fences_let_pass(connection: Connection, *storage_row_ids: int) -> Iterator[None]:
    """Let this transaction, and nobody else, write through the fences of some locations; they stand again after."""
    with ExitStack() as stack:
        for row_id in sorted(set(storage_row_ids)):
            stack.enter_context(_fence_lets_pass(connection, row_id))
        yield


@contextmanager
def _fence_lets_pass(connection: Connection, row_id: int) -> Iterator[None]:
    if _is_sqlite(connection):
        statements = _statements(connection, row_id)
        _remove_sqlite(connection, row_id)
        yield
        for statement in statements.values():
            _execute(connection, statement)
        return
    source = _source(connection, row_id)
    if source is None:
        yield
        return
    _replace_function(connection, row_id, _OPEN_BODY)
    yield
    _replace_function(connection, row_id, source)


def has_fence_rights(connection: Connection) -> str | None:
    """Return the exact right that is missing for a fence; None where it can be raised. Leaves nothing behind.

    Tried for real on a connection opened to write. Where another session's lock prevents that, the grants count.
    """
    missing = None if _is_sqlite(connection) else _missing_grant(connection)
    if missing is not None:
        return missing
    until = datetime(2000, 1, 1, tzinfo=UTC)
    try:
        with connection.begin_nested() as trial:
            if not _is_sqlite(connection):
                _execute(connection, "SET LOCAL lock_timeout = '500ms'")
            raise_fence(connection, _TRIAL_ID, until=until, reason="Tried by the storage portal.")
            trial.rollback()
    except DBAPIError as error:
        return None if _sqlstate(error) == "55P03" else _told(connection, error)
    return None


def _missing_grant(connection: Connection) -> str | None:
    table, schema = func.has_table_privilege, func.has_schema_privilege
    query = select(table("public.lamindb_artifact", "TRIGGER"), schema("public", "CREATE"))
    may_trigger, may_create = connection.execute(query).one()
    if not may_trigger:
        return "TRIGGER on lamindb_artifact"
    return None if may_create else "CREATE on schema public"


def _told(connection: Connection, error: DBAPIError) -> str:
    if _is_sqlite(connection):
        path = _execute(connection, "PRAGMA database_list").first()
        return f"write {path[2] if path else 'the file'}"
    return str(error.orig).partition("\n")[0]


_FIND_SQLITE: Final = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name IN :names").bindparams(
    bindparam("names", expanding=True)
)
_FIND_POSTGRES: Final = text(
    "SELECT prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = :name"
)
_COUNT_POSTGRES: Final = text(
    "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'public.lamindb_artifact'::regclass "
    "AND tgname = ANY(CAST(:names AS text[])) AND tgenabled IN ('O', 'A')"
)
_NOW_SQLITE: Final = "strftime('%Y-%m-%d %H:%M:%f', 'now')"


def _condition(event: str, row_id: int, uploading: str) -> str:
    so = uploading.format(row="OLD.")
    if event == "insert":
        return f"NEW.storage_id = {row_id:d}"
    if event == "delete":
        return f"OLD.storage_id = {row_id:d} AND NOT ({so})"
    touched = f"(OLD.storage_id = {row_id:d} OR NEW.storage_id = {row_id:d})"
    return f"{touched} AND NOT (OLD.storage_id = {row_id:d} AND NEW.storage_id = {row_id:d} AND {so})"


def _create(event: str, row_id: int, condition: str, action: str) -> str:
    return (
        f"CREATE TRIGGER {_name(row_id, event)} BEFORE {event.upper()} ON lamindb_artifact "
        f"FOR EACH ROW WHEN ({condition}) {action}"
    )


def _body(moment: str, words: str) -> str:
    # Class 23: lamindb hands an IntegrityError through as it is, as on SQLite.
    return (
        f"BEGIN IF clock_timestamp() < timestamptz '{moment}+00' THEN "
        f"RAISE EXCEPTION USING MESSAGE = {_literal(words)}, ERRCODE = 'integrity_constraint_violation'; END IF; "
        + _OPEN_BODY.removeprefix("BEGIN ")
    )


def _replace_function(connection: Connection, row_id: int, body: str) -> None:
    head = f"CREATE OR REPLACE FUNCTION public.{_name(row_id)}() RETURNS trigger LANGUAGE plpgsql"
    _execute(connection, f"{head} SET search_path = pg_catalog AS {_literal(body)}")


def _drop_function(connection: Connection, row_id: int) -> None:
    # Only the table's owner may drop a trigger, but whoever made the function may drop it with all that hangs on it.
    _execute(connection, f"DROP FUNCTION IF EXISTS public.{_name(row_id)}() CASCADE")


def _source(connection: Connection, row_id: int) -> str | None:
    source: str | None = connection.scalar(_FIND_POSTGRES, {"name": _name(row_id)})
    return source


def _statements(connection: Connection, row_id: int) -> dict[str, str]:
    return {row.name: row.sql for row in connection.execute(_FIND_SQLITE, {"names": _names(row_id)})}


def _remove_sqlite(connection: Connection, row_id: int) -> None:
    for event in _EVENTS:
        _execute(connection, f"DROP TRIGGER IF EXISTS {_name(row_id, event)}")


def _name(row_id: int, event: str = "") -> str:
    return f"{_PREFIX}_{row_id:d}_{event}" if event else f"{_PREFIX}_{row_id:d}"


def _names(row_id: int) -> list[str]:
    return [_name(row_id, event) for event in _EVENTS]


def _execute(connection: Connection, statement: str) -> Any:
    # The driver of PostgreSQL reads a lone % as the place of a value.
    return connection.exec_driver_sql(statement if _is_sqlite(connection) else statement.replace("%", "%%"))


def _q(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"


def _literal(words: str) -> str:
    # Unlike `_q` right for backslashes, whatever the session that parses it is set to.
    return sql.Literal(words).as_string(None)


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def _now(connection: Connection) -> datetime:
    if _is_sqlite(connection):
        return datetime.fromisoformat(_execute(connection, f"SELECT {_NOW_SQLITE}").scalar_one()).replace(tzinfo=UTC)
    moment: datetime = _execute(connection, "SELECT clock_timestamp()").scalar_one()
    return moment.astimezone(UTC)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
