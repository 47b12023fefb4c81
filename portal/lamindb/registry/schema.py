"""Whether a database is that of a LaminDB instance, and of which version."""

import re
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, inspect, select

from portal.errors import NoRegistry
from portal.lamindb.registry.tables import STORAGE, TABLES, VERSIONS

#: Number of the newest schema version of lamindb 2.12.1, the release the portal was tried with.
KNOWN_VERSION: Final = 193
KNOWN_RELEASE: Final = "2.12"

#: What an insert must name; a column beyond these that takes no NULL and has no default stops the portal's inserts.
_NUMBER: Final = re.compile(r"^(\d{4})_")


@dataclass(frozen=True, slots=True)
class Schema:
    """What is known of a registry's schema.

    Attributes:
        version: name of the newest schema version applied there; empty where none is listed.
        number: its number; 0 where it has none.
        missing: columns of the known version that are not there, as `table.column`.
        demanded: columns of `lamindb_storage` that want a value the portal does not know.
    """

    version: str
    number: int
    missing: tuple[str, ...] = ()
    demanded: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Tell whether the portal may write: the version it was tried with, nothing missing, nothing more demanded."""
        return self.number == KNOWN_VERSION and not self.missing and not self.demanded

    @property
    def why_read_only(self) -> str:
        """Return why the portal only reads here; empty where it may write."""
        if self.is_known:
            return ""
        if self.number > KNOWN_VERSION:
            words = f"Its schema version {self.version} is newer than this portal knows ({KNOWN_VERSION:04d})."
        elif self.number < KNOWN_VERSION:
            words = (
                f"Its schema version {self.version or 'unknown'} is older than this portal knows ({KNOWN_VERSION:04d})."
            )
        else:
            words = f"Its schema is not that of version {self.version}."
        if self.missing:
            words += f" Missing: {', '.join(self.missing)}."
        if self.demanded:
            words += f" Demanded beyond what is known: {', '.join(self.demanded)}."
        return words


def read_schema(connection: Connection) -> Schema:
    """Return what a registry's schema is.

    Raises:
        NoRegistry: the tables of LaminDB are not there.
    """
    inspector = inspect(connection)
    names = set(inspector.get_table_names())
    absent = [table.name for table in TABLES if table.name not in names]
    if len(absent) == len(TABLES):
        raise NoRegistry(
            "This database is not that of a LaminDB instance: it has none of its tables.",
            hint="Check which database was named.",
        )
    if absent:
        raise NoRegistry(
            f"This database lacks tables of LaminDB: {', '.join(absent)}.",
            hint="Bring the instance's schema up to date with lamin, then attach it.",
        )
    version = _version(connection) if VERSIONS.name in names else ""
    found = {table.name: {column["name"]: column for column in inspector.get_columns(table.name)} for table in TABLES}
    missing = [
        f"{table.name}.{column.name}"
        for table in TABLES
        for column in table.columns
        if column.name not in found[table.name]
    ]
    known = {column.name for column in STORAGE.columns}
    demanded = [
        name
        for name, column in found[STORAGE.name].items()
        if name not in known and not column["nullable"] and column.get("default") is None
    ]
    number = _NUMBER.match(version)
    return Schema(version, int(number[1]) if number else 0, tuple(missing), tuple(demanded))


def _version(connection: Connection) -> str:
    names = connection.scalars(select(VERSIONS.c.name).where(VERSIONS.c.app == "lamindb")).all()
    return max(names, default="")
