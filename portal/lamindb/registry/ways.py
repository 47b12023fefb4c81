"""Where an instance's own database is: a SQLite file or a PostgreSQL server."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from portal.errors import InputError
from portal.values import MANAGED_FOLDER

#: Below the default root of a SQLite instance (facts: lamindb docs, (g) 3).
DATABASE_KEY: Final = f"{MANAGED_FOLDER}/lamin.db"

_POSTGRES: Final = re.compile(r"^postgres(?:ql)?(?:\+\w+)?://", re.IGNORECASE)

#: What a URL may ask for besides host and database. Others could name files of the portal's own machine.
_ALLOWED_OPTIONS: Final = frozenset({"sslmode"})


@dataclass(frozen=True, slots=True)
class SqliteWay:
    """A SQLite file on this machine.

    Attributes:
        path: absolute, links resolved.
    """

    path: str

    @property
    def label(self) -> str:
        """Return the database in words that hold no secret."""
        return self.path

    @property
    def default_root(self) -> str | None:
        """Return the root the file is the database of; None where it lies elsewhere than LaminDB puts it."""
        root = str(PurePosixPath(self.path).parent.parent)
        return root if self.path == f"{root}/{DATABASE_KEY}" else None


@dataclass(frozen=True, slots=True, repr=False)
class PostgresWay:
    """A database on a PostgreSQL server.

    Attributes:
        url: `postgresql://user:password@host:port/database`, secret included: never shown, logged or kept in the clear.
        addresses: the only ones to connect to, since the name may lead elsewhere by then; empty: look the host up.
    """

    url: str
    addresses: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Return the database in words that hold no secret."""
        parts = make_url(self.url)
        at = f"{parts.host}:{parts.port or 5432}/{parts.database}"
        return f"{at} as {parts.username}" if parts.username else at

    @property
    def host(self) -> str:
        """Return the server's name or address."""
        return make_url(self.url).host or ""

    @property
    def port(self) -> int:
        """Return the server's port."""
        return make_url(self.url).port or 5432

    @property
    def driver_hosts(self) -> dict[str, str]:
        """Return where the driver connects to, in place of the URL's host: the name is for certificates only then.

        Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-HOSTADDR
        """
        if not self.addresses:
            return {}
        return {"host": ",".join([self.host] * len(self.addresses)), "hostaddr": ",".join(self.addresses)}

    @property
    def driver_url(self) -> URL:
        """Return the URL for the portal's driver."""
        return make_url(self.url).set(drivername="postgresql+psycopg")

    def __repr__(self) -> str:
        return f"PostgresWay({self.label})"


Way = SqliteWay | PostgresWay


def parse_url(text: str) -> PostgresWay:
    """Return the way a PostgreSQL URL describes.

    Raises:
        InputError: it is none, names no host or database, or asks for more than `sslmode`. The message never holds it.
    """
    if not _POSTGRES.match(text.strip()):
        raise InputError(
            "This is not the URL of a PostgreSQL database.",
            hint="Type postgresql://user:password@host/name.",
            field="url",
        )
    try:
        parts = make_url(_POSTGRES.sub("postgresql://", text.strip()))
        port = parts.port
    except (ArgumentError, ValueError):
        raise InputError(
            "This URL cannot be read.",
            hint="Characters such as @ / : in a password are written as %40 %2F %3A.",
            field="url",
        ) from None
    if not parts.host or not parts.database or (port is not None and not 0 < port < 65536):
        raise InputError(
            "The URL names no host or no database.", hint="Type postgresql://user:password@host/name.", field="url"
        )
    if "/" in parts.host or parts.host.startswith("@"):
        raise InputError("The URL names a socket, not a host.", field="url")
    if more := sorted(set(parts.query) - _ALLOWED_OPTIONS):
        raise InputError(
            f"The URL has options that are not taken: {', '.join(more)}.", hint="Leave them out.", field="url"
        )
    return PostgresWay(parts.render_as_string(hide_password=False))
