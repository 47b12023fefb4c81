"""The portal's own database: Flask-SQLAlchemy handle, the unit of work, and schema revisions.

SQLite: a transaction that reads begins deferred, one that writes begins IMMEDIATE. A deferred transaction that turns
into a writer fails at once when somebody else wrote meanwhile, whatever the busy timeout, so the two are kept apart:
`read()` and `write()`. Nothing slow (hashing, network, rendering) belongs inside `write()`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from portal.errors import SettingsError
from portal.models import Base

__all__ = [
    "Session",
    "close_connections",
    "db",
    "init_database",
    "is_current",
    "newest_revision",
    "read",
    "telling_trouble",
    "upgrade",
    "write",
]

db = SQLAlchemy(metadata=Base.metadata)

_is_writing: ContextVar[bool] = ContextVar("is_writing", default=False)

#: How long a SQLite writer waits for another one, milliseconds.
BUSY_TIMEOUT_MS = 20_000

#: Pages a SQLite connection keeps: with the default of 2 MB a search in 100,000 locations reads most from the file.
CACHE = "cache_size=-16000"


def init_database(app: Flask, url: str) -> None:
    """Bind the handle to an app and its database."""
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(url)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)


def engine_options(url: str) -> dict[str, Any]:
    """Return the engine options for a database URL."""
    if url.startswith("sqlite"):
        return {"connect_args": {"check_same_thread": False}}
    return {"pool_pre_ping": True, "pool_size": 10, "connect_args": {"connect_timeout": 5}}


def prepare_engine(engine: Engine) -> Engine:
    """Set what SQLite needs on each connection; does nothing for PostgreSQL."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN is always deferred; `_begin_sqlite` sends ours
    pragmas = ("journal_mode=WAL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}", "synchronous=FULL", CACHE)
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if _is_writing.get() else "BEGIN")


def close_connections() -> None:
    """Close the app's idle connections, before a fork: a child must use none of its parent's.

    SQLite's locks do not pass on to a child that believes it holds them, and two processes that talk to PostgreSQL
    over one socket garble both.
    """
    db.session.remove()
    db.engine.dispose()


@contextmanager
def read() -> Iterator[Session]:
    """Give a session for reading. Whatever is left uncommitted when the block ends is rolled back."""
    session = db.session()
    try:
        yield session
    finally:
        session.rollback()


@contextmanager
def write() -> Iterator[Session]:
    """Give a session in a writing transaction: committed at the end of the block, rolled back on any error."""
    session = db.session()
    session.rollback()
    mark = _is_writing.set(True)
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        _is_writing.reset(mark)


def alembic_config(url: str) -> AlembicConfig:
    """Return what Alembic's commands need to work on the database of `url`."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(__file__).parent / "revisions"))
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the schema to a revision (the newest), creating it on an empty database. Safe to call again.

    Raises:
        SettingsError: the database does not answer, is none, or has a schema this portal does not know.
    """
    if url.startswith("sqlite:///"):
        _make_folder(Path(url.removeprefix("sqlite:///")).parent)
    with telling_trouble(url):
        command.upgrade(alembic_config(url), revision)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(
            f"The folder {folder} of the database cannot be made: {error.strerror}.",
            hint="Set PORTAL_DATA_DIR to a folder this process may write to.",
        ) from error


@contextmanager
def telling_trouble(url: str) -> Iterator[None]:
    """Turn what keeps a database from being used into an error for people. Faults of our own pass as they are.

    Raises:
        SettingsError: naming the database, without its password.
    """
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        reason = str(error.orig).strip().partition("\n")[0]
        raise SettingsError(
            f"The database {_named(url)} cannot be used: {reason.rstrip('.')}.",
            hint="See that it runs and that this process may use it; PORTAL_DATABASE_URL names another one.",
        ) from error
    except DatabaseError as error:
        if type(error) is not DatabaseError:
            raise
        # SQLite's word for a file that is no database, or a damaged one.
        raise SettingsError(
            f"The database {_named(url)} cannot be read: {error.orig}.", hint="Put back a backup of it."
        ) from error
    except CommandError as error:
        raise SettingsError(
            f"The schema of the database {_named(url)} is not known to this version of the portal.",
            hint="Start the version that last upgraded it, or a newer one.",
        ) from error


def _named(url: str) -> str:
    """Return a database URL without password and options, which may hold one."""
    return make_url(url).set(query={}).render_as_string(hide_password=True)


def is_current() -> bool:
    """Tell whether the app's database answers and its schema is at the newest revision."""
    with db.engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    return found == newest_revision()


@lru_cache(maxsize=1)
def newest_revision() -> str | None:
    """Return the revision this version of the portal brings a schema to."""
    return ScriptDirectory.from_config(alembic_config("")).get_current_head()
