"""Open an instance's own database for one transaction, within a time limit, and tell its errors in our words.

An instance's database belongs to people who work in it: a transaction is short, waits for locks only so long, and
nothing stays open between two of them.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import Any
from urllib.parse import quote

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from portal.errors import PortalError, RegistryBusy, RegistryError, RegistryRefused, RegistryUnreachable
from portal.lamindb.registry.ways import PostgresWay, SqliteWay, Way

#: How many steps of SQLite's machine between two looks at the clock.
_STEPS = 100_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take.

    Attributes:
        connect_seconds: until a server answers.
        lock_seconds: until a lock that somebody holds is given up.
        statement_seconds: until one statement is stopped; None for no limit.
    """

    connect_seconds: float = 5.0
    lock_seconds: float = 5.0
    statement_seconds: float | None = 30.0


#: While a person waits for a page.
PAGE = Limits(connect_seconds=3.0, lock_seconds=2.0, statement_seconds=5.0)

#: In a worker: listings of millions of rows take their time.
BULK = Limits(connect_seconds=10.0, lock_seconds=15.0, statement_seconds=None)


@contextmanager
def open_registry(way: Way, *, writes: bool = False, limits: Limits = Limits()) -> Iterator[Connection]:
    """Give a connection in a transaction: committed at the end of the block if `writes`, rolled back otherwise.

    A transaction that reads sees one state of the database from its beginning to its end.

    Raises:
        RegistryUnreachable: no such file or server, no answer in time, sign-in refused.
        RegistryBusy: a lock was not given in time; nothing was changed.
        RegistryRefused: a right is missing; nothing was changed.
        RegistryError: anything else the database says.
    """
    with telling(way), _engine(way, limits, writes=writes).connect() as connection:
        yield connection
        if writes:
            connection.commit()


@lru_cache(maxsize=64)
def _engine(way: Way, limits: Limits, *, writes: bool) -> Engine:
    """Return an engine that keeps no connection; kept itself, so that statements are compiled once."""
    if isinstance(way, SqliteWay):
        return _sqlite_engine(way, limits, writes=writes)
    return _postgres_engine(way, limits, writes=writes)


def _sqlite_engine(way: SqliteWay, limits: Limits, *, writes: bool) -> Engine:
    def connect() -> sqlite3.Connection:
        if not os.path.isfile(way.path):  # noqa: PTH113 - a dangling link is as absent as a missing file
            raise RegistryUnreachable(f"There is no file {way.path}.", hint="Check the path.", field="path")
        mode = "rw" if writes else "ro"
        connection = sqlite3.connect(
            f"file:{quote(way.path)}?mode={mode}", uri=True, timeout=limits.lock_seconds, isolation_level=None
        )
        connection.execute("PRAGMA foreign_keys=ON")
        if limits.statement_seconds is not None:
            until = monotonic() + limits.connect_seconds + limits.lock_seconds + limits.statement_seconds
            connection.set_progress_handler(lambda: monotonic() > until, _STEPS)
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "begin", begin)
    return engine


def _postgres_engine(way: PostgresWay, limits: Limits, *, writes: bool) -> Engine:
    statement_ms = 0 if limits.statement_seconds is None else round(limits.statement_seconds * 1000)
    options = {
        "lock_timeout": round(limits.lock_seconds * 1000),
        "statement_timeout": statement_ms,
        "idle_in_transaction_session_timeout": 600_000,
        "search_path": "public",
        "TimeZone": "UTC",
    }
    arguments: dict[str, Any] = {
        "connect_timeout": max(2, round(limits.connect_seconds)),
        "application_name": "storage portal",
        "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
        **way.driver_hosts,
    }
    return create_engine(
        way.driver_url,
        connect_args=arguments,
        poolclass=NullPool,
        isolation_level="READ COMMITTED" if writes else "REPEATABLE READ",
    )


@contextmanager
def telling(way: Way) -> Iterator[None]:
    """Turn what a database says into an error for people, without its URL.

    Raises:
        RegistryUnreachable, RegistryBusy, RegistryRefused, RegistryError: as `open_registry`.
    """
    try:
        yield
    except PortalError:
        raise
    except DBAPIError as error:
        raise error_of(way, error.orig or error) from None


def error_of(way: Way, error: BaseException) -> RegistryError:
    """Return what a driver's error means."""
    if isinstance(way, SqliteWay):
        return _sqlite_error(way, error)
    return _postgres_error(way, error)


def _sqlite_error(way: SqliteWay, error: BaseException) -> RegistryError:
    said = str(error)
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or "locked" in said:
        return RegistryBusy(
            f"Another program is writing to {way.path}.",
            hint="Try again when it has finished.",
            retryable=True,
            server_message=said,
        )
    if name.startswith("SQLITE_INTERRUPT"):
        return RegistryBusy(f"{way.path} did not answer in time.", hint="Try again.", retryable=True)
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")) or "readonly" in said:
        return RegistryRefused(
            f"{way.path} can only be read.",
            hint="Let this portal's account write to the file and its folder.",
            server_message=said,
            missing_right=f"write {way.path}",
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return RegistryUnreachable(
            f"{way.path} cannot be opened.",
            hint="Let this portal's account read the file and its folder.",
            field="path",
        )
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return RegistryError(f"{way.path} is no SQLite database, or a damaged one.", field="path", server_message=said)
    return RegistryError(f"{way.path} could not do what was asked: {said}.", server_message=said)


def _postgres_error(way: PostgresWay, error: BaseException) -> RegistryError:
    at, said = way.label, _first_line(error)
    code = (getattr(error, "sqlstate", None) or "") if isinstance(error, psycopg.Error) else ""
    if code.startswith("28") or "password authentication failed" in said or "no password supplied" in said:
        return RegistryUnreachable(
            f"The server of {at} refused the sign-in.", hint="Check user and password.", field="url"
        )
    if code == "3D000" or ("database" in said and "does not exist" in said):
        return RegistryUnreachable(f"The server has no such database: {at}.", hint="Check its name.", field="url")
    if code in {"55P03", "40001", "40P01", "57014"}:
        return RegistryBusy(
            f"{at} is in use, and did not let us in time.",
            hint="Try again; other sessions hold locks.",
            retryable=True,
            server_message=said,
        )
    if code in {"42501", "25006"}:
        return RegistryRefused(
            f"The role may not do this on {at}: {said}.",
            hint="Grant it the right, or attach the instance with another role.",
            server_message=said,
            missing_right=said,
        )
    if isinstance(error, psycopg.OperationalError) and not code:
        return RegistryUnreachable(
            f"{at} does not answer.", hint="Check host and port, and that the server runs.", field="url", retryable=True
        )
    return RegistryError(f"{at} could not do what was asked: {said}.", server_message=said)


def _first_line(error: BaseException) -> str:
    """Return the database's sentence. Drivers may put the whole connection string into later lines."""
    return str(error).strip().partition("\n")[0].removeprefix("ERROR:").strip().rstrip(".")
