"""Put a backup back: all of it or nothing, and only after everything in it was checked.

Whatever it was made from, a backup first becomes a SQLite file of this version's schema beside the portal's data. That
is looked through; only then the portal's own database is touched, in one rename or one transaction.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic, sleep
from typing import Any, Final

from cryptography.fernet import InvalidToken
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from portal.config import Settings
from portal.errors import Conflict, ContentMismatch, SettingsError
from portal.planning.states import FINAL
from portal.services.backups.archive import DATABASE, SIGNING_KEY, sync_folder, unpack
from portal.services.backups.making import sqlite_path
from portal.services.backups.rows import dump, empty, load, set_sequences, tables_of
from portal.services.vault import open_vault

#: Brings the schema of a database (URL) to a revision; `head` is the newest.
Upgrade = Callable[[str, str], None]

#: How long PostgreSQL may take to forget a connection that was closed.
_LEAVE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back.

    Attributes:
        set_aside: what was there before, under new names.
        live_migrations: uids of moves that a runner goes on with.
        warnings: what to do before the portal is started.
    """

    made_at: str
    row_count: int
    set_aside: tuple[str, ...]
    live_migrations: tuple[str, ...]
    warnings: tuple[str, ...]


def restore_backup(settings: Settings, archive: Path, upgrade: Upgrade, now: datetime, *, force: bool) -> Restored:
    """Put a backup in the place of an empty portal, or with `force` of any; what was there is set aside.

    Raises:
        InputError: the file is no backup.
        ContentMismatch: it is damaged; nothing was touched.
        Conflict: the portal is not empty, or in use.
        SettingsError: the database cannot be used, or the backup is of a newer version.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(mkdtemp(prefix=".restore-", dir=settings.data_dir))
    try:
        about = unpack(archive, folder)
        staged = _stage(folder, about, upgrade)
        _refuse_filled(settings, upgrade, force=force)
        stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%S}"
        rows, live = _look_at(staged)
        with _ledger_in_place(settings, folder, stamp) as aside:
            if settings.is_sqlite:
                aside.extend(_replace_file(settings, staged, stamp))
            else:
                _replace_rows(settings, staged)
        aside.extend(_keep_signing_key(settings, folder, stamp))
        return Restored(about["made_at"], rows, tuple(aside), live, _warnings(settings, live))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stage(folder: Path, about: dict[str, Any], upgrade: Upgrade) -> Path:
    """Return a SQLite file of the newest schema with everything the backup's database held, looked through."""
    staged = folder / DATABASE
    if about["database"] != "sqlite":
        upgrade(f"sqlite:///{staged}", about["revision"])
        with _opened(f"sqlite:///{staged}") as engine, engine.begin() as connection:
            tables = tables_of(connection)
            empty(connection, tables)
            for table in tables:
                with (folder / "tables" / f"{table.name}.jsonl").open("rb") as file:
                    load(connection, table, file)
    upgrade(f"sqlite:///{staged}", "head")
    with closing(sqlite3.connect(staged)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise ContentMismatch("The database in the backup is damaged.", hint="Take another backup.")
        broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise ContentMismatch(
            f"A row of {broken[0]} in the backup refers to one of {broken[2]} that is not there.",
            hint="Take another backup.",
        )
    return staged


def _refuse_filled(settings: Settings, upgrade: Upgrade, *, force: bool) -> None:
    """Refuse a portal that has accounts, unless that is wanted; one that is in use in any case."""
    if settings.is_sqlite:
        path = sqlite_path(settings.database_url)
        count = _count_in_file(path) if path.exists() else 0
        in_use = path.with_name(f"{path.name}-wal").exists()
    else:
        upgrade(settings.database_url, "head")
        with _opened(settings.database_url) as engine, engine.connect() as connection:
            count = connection.execute(text("SELECT count(*) FROM account")).scalar_one()
            in_use = _has_others(connection)
    if count and not force:
        raise Conflict(
            f"This portal is not empty: it has {count} accounts.",
            hint="Restore into an empty one, or give --force: what is there is then replaced.",
        )
    if in_use:
        raise Conflict("The portal's database is in use.", hint="Stop the web process and every runner first.")


def _has_others(connection: Connection) -> bool:
    """Tell whether somebody else is connected to a PostgreSQL database; who has just left is seen a moment longer."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    query = text(f"{others} AND backend_type = 'client backend'")
    until = monotonic() + _LEAVE_SECONDS
    while connection.execute(query).scalar_one():
        if monotonic() > until:
            return True
        connection.rollback()  # within a transaction the view stays as it was first seen
        sleep(0.1)
    return False


def _count_in_file(path: Path) -> int:
    """Return the number of accounts. Being the last to close it empties the write-ahead log into the file."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'account'").fetchone()
            return int(connection.execute("SELECT count(*) FROM account").fetchone()[0]) if known else 0
    except sqlite3.Error as error:
        raise SettingsError(
            f"What is at {path} cannot be read: {error}.", hint="Move it away, then restore again."
        ) from error


@contextmanager
def _ledger_in_place(settings: Settings, folder: Path, stamp: str) -> Iterator[list[str]]:
    """Give the ledger of the backup its place; should the block fail, the one before has it again."""
    new, place = folder / "ledger", settings.ledger_dir
    aside = place.with_name(f"{place.name}.replaced-{stamp}")
    had_one = place.exists()
    new.mkdir(exist_ok=True, mode=0o700)
    if had_one:
        place.rename(aside)
    try:
        new.rename(place)
        yield (said := [str(aside)] if had_one else [])
    except BaseException:
        if place.exists():
            place.rename(new)
        if had_one:
            aside.rename(place)
        raise
    sync_folder(place.parent)
    if had_one and not any(aside.iterdir()):
        aside.rmdir()
        said.clear()


def _replace_file(settings: Settings, staged: Path, stamp: str) -> list[str]:
    """Give the staged file its place in one rename; what was there keeps existing under another name."""
    place = sqlite_path(settings.database_url)
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    near = place.with_name(f".{place.name}.restore-{os.getpid()}")
    aside = place.with_name(f"{place.name}.replaced-{stamp}")
    try:
        shutil.copyfile(staged, near)
        near.chmod(0o600)
        with near.open("rb") as file:
            os.fsync(file.fileno())
        had_one = place.exists() and _count_in_file(place) > 0
        if had_one:
            os.link(place, aside)
        near.replace(place)
        sync_folder(place.parent)
    except OSError as error:
        raise SettingsError(f"{place} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(FileNotFoundError):
            near.unlink()
    return [str(aside)] if had_one else []


def _replace_rows(settings: Settings, staged: Path) -> None:
    """Replace every row in one transaction."""
    try:
        with (
            _opened(f"sqlite:///{staged}") as source,
            source.connect() as reading,
            _opened(settings.database_url) as target,
            target.begin() as writing,
        ):
            sources = {table.name: table for table in tables_of(reading)}
            tables = tables_of(writing)
            empty(writing, tables)
            for table in tables:
                load(writing, table, dump(reading, sources[table.name]))
            set_sequences(writing, tables)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        raise SettingsError(f"The rows could not be written, so nothing was changed: {reason}.") from error


def _keep_signing_key(settings: Settings, folder: Path, stamp: str) -> list[str]:
    new, place = folder / SIGNING_KEY, settings.certificate_key_path
    if not new.exists() or (place.exists() and place.read_bytes() == new.read_bytes()):
        return []
    aside = place.with_name(f"{place.name}.replaced-{stamp}")
    had_one = place.exists()
    if had_one:
        place.rename(aside)
    shutil.copyfile(new, place)
    place.chmod(0o600)
    return [str(aside)] if had_one else []


def _look_at(path: Path) -> tuple[int, tuple[str, ...]]:
    """Return how many rows a database has, and which moves are not over."""
    with _opened(f"sqlite:///{path}") as engine, engine.connect() as connection:
        counts = [connection.execute(text(f'SELECT count(*) FROM "{table.name}"')) for table in tables_of(connection)]  # noqa: S608 - names of our own tables
        over = ", ".join(f"'{state.value}'" for state in sorted(FINAL))
        live = connection.execute(text(f"SELECT uid FROM migration WHERE state NOT IN ({over}) ORDER BY id"))  # noqa: S608 - states of our own
        return sum(found.scalar_one() for found in counts), tuple(live.scalars())


def _warnings(settings: Settings, live: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    if not settings.key_path.exists():
        found.append(f"Put the key file at {settings.key_path} before the portal is started: secrets need it.")
    elif settings.certificate_key_path.exists():
        try:
            open_vault(settings.key_path).decrypt_file(settings.certificate_key_path)
        except (SettingsError, InvalidToken, OSError):
            found.append(
                f"The key file {settings.key_path} is another one than this backup's: put the right one there."
            )
    if live:
        found.append(
            f"{_moves(len(live))} not over ({', '.join(live[:5])}), and a runner goes on. See that the portal"
            " this backup is of does not run any more."
        )
    return tuple(found)


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    engine = create_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _moves(count: int) -> str:
    return "1 move is" if count == 1 else f"{count} moves are"
