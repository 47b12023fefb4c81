"""Seal a SQLite instance that moved away: its old database still reads, and a write says where the instance went.

Every ordinary table is sealed, not only LaminDB's own: `bionty_*` and other modules hold people's work as well, and
with `django_migrations` sealed a schema upgrade of the old file is refused as a whole, instead of rebuilding tables
and losing their seals with them. Left out are SQLite's own tables and virtual tables, which take no triggers.
"""

import re
from typing import Final

from sqlalchemy import Connection

from portal.errors import RegistryError

_PREFIX: Final = "storage_portal_seal"
_EVENTS: Final = ("INSERT", "UPDATE", "DELETE")
_WORDS: Final = re.compile(r"RAISE\(ABORT, '((?:[^']|'')*)'\)")
_SEALS: Final = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name GLOB 'storage_portal_seal_*'"
_TABLES: Final = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name"


def seal(connection: Connection, words: str) -> None:
    """Refuse every write from now on with these words, whole sentences; replaces an earlier seal.

    The portal's own fences stay: lift them in the same transaction.

    Raises:
        RegistryError: the database is not SQLite.
    """
    if connection.dialect.name != "sqlite":
        raise RegistryError("Only a SQLite database is sealed.")
    unseal(connection)
    action = f"SELECT RAISE(ABORT, {_quoted(words.replace(chr(0), '').strip())})"
    names = connection.exec_driver_sql(_TABLES).scalars().all()
    for number, table in enumerate(name for name in names if not name.startswith("sqlite_")):
        for event in _EVENTS:
            connection.exec_driver_sql(
                f"CREATE TRIGGER {_PREFIX}_{number}_{event.lower()} BEFORE {event} ON {_identifier(table)} "
                f"BEGIN {action}; END"
            )


def unseal(connection: Connection) -> None:
    """Take the seal off again; without one, do nothing."""
    if connection.dialect.name != "sqlite":
        return
    for name, _statement in connection.exec_driver_sql(_SEALS).all():
        connection.exec_driver_sql(f"DROP TRIGGER {_identifier(name)}")


def seal_words(connection: Connection) -> str | None:
    """Return what a write is told; None where there is no seal."""
    if connection.dialect.name != "sqlite":
        return None
    seals = connection.exec_driver_sql(_SEALS).all()
    match = _WORDS.search(seals[0].sql) if seals else None
    return match[1].replace("''", "'") if match else None


def _quoted(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
