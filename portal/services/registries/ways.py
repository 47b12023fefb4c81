"""The way into an instance's own database: what may be named, whom it is open to, and opening it.

A database is opened outside of the portal's own transactions only, and each time its way is checked again.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from portal.config import Settings
from portal.errors import AccessRefused, InputError, Refused, RegistryRefused, RegistryUnreachable, Unreachable
from portal.lamindb.registry.opening import Limits, open_registry
from portal.lamindb.registry.ways import PostgresWay, SqliteWay, Way, parse_url
from portal.models import Registry
from portal.planning.endpoints import check_endpoint
from portal.planning.roots import local_root
from portal.services.reach import addresses_of, bases_hint, check_directory, within
from portal.services.server_grants import is_open
from portal.services.work import Work
from portal.values import MANAGED_FOLDER, Root

SQLITE, POSTGRES = "sqlite", "postgresql"

#: Where nothing is said of how long things may take.
USUAL: Final = Limits()

#: How long a path may take to be looked at, seconds: a dead network file system never answers.
_LOOK_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A way, and the portal's rules for it.

    Attributes:
        way: secret included; never shown, kept in the clear or logged.
        host: the machine that sees a SQLite file; None for a server.
        settings: whose base directories and endpoints count.
    """

    way: Way
    host: str | None
    settings: Settings

    @property
    def kind(self) -> str:
        """Return `sqlite` or `postgresql`."""
        return SQLITE if isinstance(self.way, SqliteWay) else POSTGRES


def parse_entry(settings: Settings, path: str, url: str) -> Entry:
    """Return the entry that a path or a URL describes; exactly one of them is given. It may touch the disk.

    Raises:
        InputError: neither or both, no absolute path, or no URL of a PostgreSQL database.
        Refused: the path is outside of the base directories, or the portal's own.
        Unreachable: the file system does not answer.
    """
    path, url = path.strip(), url.strip()
    if bool(path) == bool(url):
        raise InputError("Name one database: a SQLite file or a PostgreSQL URL.", field="path")
    if url:
        return Entry(parse_url(url), None, settings)
    if not path.startswith("/"):
        raise InputError("Type the whole path of the file, from / on.", field="path")
    real = within(_LOOK_SECONDS, lambda: os.path.realpath(path), f"{path} does not answer.")
    _check_file(settings, real)
    return Entry(SqliteWay(real), settings.host, settings)


def _check_file(settings: Settings, real: str) -> None:
    """Refuse a file the portal may not open whoever asks."""
    path = Path(real)
    if not any(path.is_relative_to(base) and path != base for base in settings.local_bases):
        raise Refused(f"{real} is not allowed.", hint=bases_hint(settings.local_bases), field="path")
    if path.is_relative_to(settings.data_dir):
        raise Refused(f"{real} is the portal's own data.", hint="Choose another file.", field="path")


def require_open(work: Work, entry: Entry) -> None:
    """Refuse a SQLite file whose directory is not open to the actor; a server asks for its own password.

    Raises:
        Refused: a portal admin has opened it, or one around it, to nobody this actor acts for.
    """
    if isinstance(entry.way, SqliteWay) and not is_open(work, folder_of(entry.way)):
        raise Refused(
            f"The directory of {entry.way.path} is not open to you.",
            hint="Ask a portal admin to open it, or one around it, to your account.",
            field="path",
        )


def folder_of(way: SqliteWay) -> Root:
    """Return the directory that must be open: the root a database belongs to, else the one it lies in."""
    before, found, _ = way.path.partition(f"/{MANAGED_FOLDER}/")
    return local_root(before if found else str(Path(way.path).parent))


def entry_of(work: Work, registry: Registry) -> Entry:
    """Return the way into an attached instance's database. The caller has asked for the right.

    Raises:
        Conflict: the URL was encrypted with another key file.
    """
    if registry.url_encrypted is not None:
        return Entry(PostgresWay(work.vault.decrypt(registry.url_encrypted.encode())), None, work.settings)
    host = registry.host.name if registry.host else None
    return Entry(SqliteWay(registry.path or ""), host, work.settings)


@contextmanager
def opened(entry: Entry, *, writes: bool = False, limits: Limits = USUAL) -> Iterator[Connection]:
    """Open an instance's database for one transaction, having checked the way.

    Raises:
        RegistryError: as `portal.lamindb.registry.opening.open_registry`; also where the portal's rules forbid the way.
    """
    way = check_entry(entry)
    with open_registry(way, writes=writes, limits=limits) as connection:
        yield connection


def check_entry(entry: Entry) -> Way:
    """Return the way to take, having refused one that must not be taken (any more); nothing was sent through it.

    A server's way holds the addresses that were judged: a second look-up could lead elsewhere.

    Raises:
        RegistryUnreachable: the file is seen by another host, or the server's name is unknown.
        RegistryRefused: the file lies outside of the base directories now, or the server is not listed.
    """
    if entry.host is not None and entry.host != entry.settings.host:
        raise RegistryUnreachable(
            f"{entry.way.label} lies on the host {entry.host}; this is {entry.settings.host}.",
            hint="Use the portal of that host.",
            field="path",
        )
    field = "path" if isinstance(entry.way, SqliteWay) else "url"
    try:
        if isinstance(entry.way, SqliteWay):
            path = entry.way.path
            within(_LOOK_SECONDS, lambda: _check_now(entry.settings, path), f"{path} does not answer.")
        else:
            # An IPv6 address needs its brackets.
            host = f"[{entry.way.host}]" if ":" in entry.way.host else entry.way.host
            url = f"https://{host}:{entry.way.port}"
            addresses = addresses_of(url)
            check_endpoint(url, entry.settings.allowed_endpoints, addresses)
            return replace(entry.way, addresses=addresses)
    except Unreachable as error:
        raise RegistryUnreachable(error.message, hint=error.hint, field=field, retryable=True) from error
    except (AccessRefused, Refused) as error:
        raise RegistryRefused(error.message, hint=error.hint, field=field) from error
    return entry.way


def _check_now(settings: Settings, path: str) -> None:
    check_directory(path, settings.local_bases)
    _check_file(settings, path)
    if os.path.lexists(path) and not os.path.isfile(path):  # noqa: PTH113 - as open_registry asks
        raise Refused(f"{path} is no regular file.", hint="Name the database's file.", field="path")
