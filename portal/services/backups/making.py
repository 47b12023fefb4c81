"""Make a backup while the portal runs: one moment of the database, then the ledger.

The database first: what its rows name was written to the ledger before them, and segments do not change.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, create_engine, text

from portal import __version__
from portal.config import Settings
from portal.errors import InputError, SettingsError
from portal.services.backups.archive import DATABASE, FORMAT, INVENTORY, MANIFEST, SIGNING_KEY, Writer, writing
from portal.services.backups.rows import dump, revision_of, tables_of

_INVENTORY = """
    SELECT s.uid, s.root, s.type, s.region, h.name AS host, s.instance_uid, s.instance_slug, c.uid AS connection
    FROM storage s LEFT JOIN host h ON h.id = s.host_id LEFT JOIN connection c ON c.id = s.connection_id
    ORDER BY s.id
"""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup as made. `key_path`: the key file that is not in it and belongs to it."""

    path: Path
    size_bytes: int
    file_count: int
    location_count: int
    revision: str
    key_path: Path


def make_backup(settings: Settings, where: Path, now: datetime) -> Made:
    """Write a backup to a new file, or to a new file in a folder.

    Raises:
        InputError: the file is there already or cannot be written.
        SettingsError: the database or the ledger cannot be read.
    """
    path = where / f"portal-backup-{now:%Y%m%dT%H%M%S}Z.tar.gz" if where.is_dir() else where
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent}.", field="file")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputError(f"The folder {path.parent} cannot be written to.", field="file")
    with TemporaryDirectory(prefix=".portal-backup-", dir=path.parent) as folder, writing(path, now) as writer:
        kind = "sqlite" if settings.is_sqlite else "postgresql"
        add = _add_sqlite if settings.is_sqlite else _add_tables
        revision, inventory = add(settings, Path(folder), writer)
        writer.add_json(INVENTORY, inventory)
        for name, file in ledger_files(settings.ledger_dir):
            _add_present(writer, f"ledger/{name}", file)
        if settings.certificate_key_path.exists():
            writer.add(SIGNING_KEY, settings.certificate_key_path)
        about = {
            "format": FORMAT,
            "made_at": now.isoformat(),
            "portal_version": __version__,
            "portal_address": settings.url,
            "database": kind,
            "revision": revision,
            "files": dict(writer.files),
        }
        writer.add_json(MANIFEST, about)
    return Made(path, path.stat().st_size, len(about["files"]), len(inventory), revision, settings.key_path)


def ledger_files(ledger: Path) -> Iterator[tuple[str, Path]]:
    """Yield the ledger's files with their names below it, without what only matters while a worker runs."""
    for folder, folders, names in os.walk(ledger):
        folders.sort()
        for name in sorted(names):
            if not name.startswith((".", "stop-", "progress-")):
                path = Path(folder, name)
                yield str(path.relative_to(ledger)), path


def _add_present(writer: Writer, name: str, path: Path) -> None:
    try:
        writer.add(name, path)
    except FileNotFoundError:
        return  # removed since it was listed: a journal of a move that ended


def _add_sqlite(settings: Settings, folder: Path, writer: Writer) -> tuple[str, list[dict[str, Any]]]:
    source, copy = sqlite_path(settings.database_url), folder / DATABASE
    if not source.exists():
        raise SettingsError(f"There is no database {source}.", hint="Set PORTAL_DATA_DIR to the portal's folder.")
    try:
        with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old, closing(sqlite3.connect(copy)) as new:
            copy.chmod(0o600)
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")
            if new.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise SettingsError(f"The database {source} is damaged.", hint="Put back a backup of it.")
    except sqlite3.Error as error:
        raise SettingsError(f"The database {source} cannot be read: {error}.") from error
    engine = create_engine(f"sqlite:///{copy}")
    try:
        with engine.connect() as connection:
            found = revision_of(connection), _inventory(connection)
    finally:
        engine.dispose()
    writer.add(DATABASE, copy)
    return found


def _add_tables(settings: Settings, folder: Path, writer: Writer) -> tuple[str, list[dict[str, Any]]]:
    """Export every table as of one moment."""
    engine = create_engine(settings.database_url, isolation_level="REPEATABLE READ")
    try:
        with engine.connect() as connection:
            connection.execute(text("SET TRANSACTION READ ONLY"))
            for table in tables_of(connection):
                path = folder / f"{table.name}.jsonl"
                with path.open("wb") as file:
                    file.writelines(dump(connection, table))
                writer.add(f"tables/{table.name}.jsonl", path)
                path.unlink()
            return revision_of(connection), _inventory(connection)
    finally:
        engine.dispose()


def _inventory(connection: Connection) -> list[dict[str, Any]]:
    """Return which markers are to lie where: uid, root and writing instance of every location."""
    return [dict(row) for row in connection.execute(text(_INVENTORY)).mappings()]


def sqlite_path(url: str) -> Path:
    """Return the file of a SQLite URL."""
    return Path(url.removeprefix("sqlite:///"))
