"""What tells one database from another, whatever it is called and however it is reached."""

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from portal.lamindb.registry.ways import SqliteWay, Way


def read_identity(connection: Connection, way: Way, host: str) -> str:
    """Return the database's identity. `host` is the machine that sees a SQLite file.

    A PostgreSQL cluster has a number of its own, made by initdb; where a role may not read it, address and port stand
    in for it.
    """
    if isinstance(way, SqliteWay):
        return f"sqlite:{host}:{way.path}"
    name = connection.scalar(text("SELECT current_database()"))
    try:
        with connection.begin_nested():
            number = connection.scalar(text("SELECT system_identifier FROM pg_control_system()"))
    except DBAPIError:
        return f"postgresql:{way.host}:{way.port}/{name}"
    return f"postgresql:{number}/{name}"
