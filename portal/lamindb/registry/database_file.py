"""Publish a copy of a SQLite instance's database in another folder: whole and edited, or not at all."""

import errno
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final
from urllib.parse import quote

from sqlalchemy import Connection

from portal.errors import RegistryBusy, RegistryError, RegistryUnreachable
from portal.lamindb.registry.opening import BULK, error_of, open_registry
from portal.lamindb.registry.ways import SqliteWay

#: Until a source that somebody locks against readers is given up.
_WAIT_SECONDS: Final = BULK.lock_seconds

#: Some network and memory-card file systems know no hard links.
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})

_SIDE_FILES: Final = ("-journal", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Published:
    """A database that was put in place: where, its size, and the SHA-256 of its bytes in hex."""

    path: str
    size_bytes: int
    sha256: str


def publish_copy(
    source_path: str,
    temporary_path: str,
    edit: Callable[[Connection], None],
    final_path: str,
    *,
    replaces: bool = False,
) -> Published:
    """Copy a database to `temporary_path`, `edit` the copy, check it and rename it to `final_path` in the same folder.

    The copy holds what is committed in the source: hold a write transaction there, without changes of its own, so
    that nobody commits meanwhile. A leftover of an earlier try is replaced; `final_path` only if `replaces`. Mode,
    owner (where allowed) and way of journalling are the source's.

    Raises:
        RegistryUnreachable: the source cannot be opened.
        RegistryBusy: somebody keeps the source from being read.
        RegistryError: `final_path` exists, the copy is damaged, or the folder takes no file.
    """
    temporary, final = Path(temporary_path), Path(final_path)
    if temporary.parent != final.parent or temporary == final:
        raise ValueError("a rename is atomic only within one folder, and between two names")
    if not replaces and final.exists():
        raise _occupied(final)
    with _telling(final), _removed_at_last(temporary):
        _remove(temporary)
        temporary.touch(mode=0o600, exist_ok=False)
        journal = _back_up(source_path, temporary)
        with open_registry(SqliteWay(str(temporary)), writes=True, limits=BULK) as connection:
            edit(connection)
        _finish(temporary, journal)
        _take_after(Path(source_path), temporary)
        published = Published(final_path, *_sync(temporary))
        _put_in_place(temporary, final, replaces=replaces)
    return published


def _back_up(source_path: str, temporary: Path) -> str:
    """Copy the committed pages; return the source's way of journalling. The copy keeps a rollback journal for now."""
    way = SqliteWay(source_path)
    if not Path(source_path).is_file():
        raise RegistryUnreachable(f"There is no file {source_path}.", hint="Check the path.", field="path")
    # Not `ro`: that could not undo what a program left half written when it was killed.
    address = f"file:{quote(source_path)}?mode=rw"
    until = monotonic() + _WAIT_SECONDS

    def give_up(status: int, _remaining: int, _total: int) -> None:
        # Python tries again for ever.
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and monotonic() > until:
            raise sqlite3.OperationalError("database is locked")

    try:
        with closing(sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS)) as source:
            journal: str = source.execute("PRAGMA journal_mode").fetchone()[0]
            with closing(sqlite3.connect(temporary)) as copy:
                source.backup(copy, progress=give_up)
                copy.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.Error as error:
        if (getattr(error, "sqlite_errorname", "") or "").startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            raise OSError(errno.EIO, str(error)) from None
        raise error_of(way, error) from None
    return journal


def _finish(temporary: Path, journal: str) -> None:
    with closing(sqlite3.connect(temporary)) as copy:
        found: str = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            raise RegistryError(
                f"The copy of the database is damaged: {found}.",
                hint="The original may be damaged too: check it with PRAGMA integrity_check.",
            )
        if journal == "wal":
            copy.execute("PRAGMA journal_mode=WAL").fetchone()
    if left := [suffix for suffix in _SIDE_FILES if Path(f"{temporary}{suffix}").exists()]:
        raise RegistryBusy(f"The copy is in use: {temporary.name}{left[0]} is there.", retryable=True)


def _take_after(source: Path, temporary: Path) -> None:
    """Let the same people in as before; only root may give a file to another owner."""
    facts = source.stat()
    with suppress(PermissionError):
        os.chown(temporary, facts.st_uid, facts.st_gid)
    temporary.chmod(facts.st_mode & 0o7777)


def _sync(path: Path) -> tuple[int, str]:
    """Bring a file's bytes to the disk; return how many there are and their SHA-256."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size, digest


def _put_in_place(temporary: Path, final: Path, *, replaces: bool) -> None:
    if replaces:
        if found := [suffix for suffix in _SIDE_FILES if Path(f"{final}{suffix}").exists()]:
            # SQLite would take another file's journal for the new one's, and damage it.
            raise RegistryBusy(
                f"{final} is in use, or was left in the middle of a write: {final.name}{found[0]} is there.",
                hint="Let every program close it, then try again.",
                retryable=True,
            )
        temporary.replace(final)
    else:
        _link(temporary, final)
    folder = os.open(final.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _link(temporary: Path, final: Path) -> None:
    try:
        os.link(temporary, final)
    except FileExistsError:
        raise _occupied(final) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if final.exists():
            raise _occupied(final) from None
        temporary.rename(final)


def _occupied(final: Path) -> RegistryError:
    return RegistryError(
        f"There is a database already: {final}.", hint="Look whose it is; move it away if nobody's.", field="path"
    )


@contextmanager
def _telling(final: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RegistryError(
            f"{final} could not be written: {error.strerror or error}.",
            hint="Check the folder's permissions and the room on its disk.",
            server_message=str(error),
        ) from error


@contextmanager
def _removed_at_last(temporary: Path) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(OSError):
            _remove(temporary)


def _remove(path: Path) -> None:
    for suffix in ("", *_SIDE_FILES):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
