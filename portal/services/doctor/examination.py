"""Look at everything, in the order in which one thing needs another: folder, key, database, moves, ledger, roots."""

from collections.abc import Iterator
from datetime import datetime
from time import monotonic

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from portal.config import Settings
from portal.errors import SettingsError
from portal.services.backups.making import sqlite_path
from portal.services.doctor.findings import Case, Finding, error
from portal.services.doctor.ledger import look_at_ledger
from portal.services.doctor.leftovers import look_at_leftovers
from portal.services.doctor.moves import look_at_moves
from portal.services.doctor.place import look_at_place, look_at_secrets
from portal.services.doctor.roots import look_at_roots
from portal.services.vault import Vault, open_vault


def examine(settings: Settings, newest_revision: str | None, now: datetime, *, fix: bool = False) -> list[Finding]:
    """Return what is not as it should be; with `fix`, what is safe to put right was.

    Changes nothing without `fix`: no file is made and no schema is upgraded. Opens no instance's database.
    """
    found = list(look_at_place(settings))
    if settings.is_sqlite and not sqlite_path(settings.database_url).exists():
        return [
            *found,
            error("no-database", f"There is no database {sqlite_path(settings.database_url)}.", _NO_DATABASE),
        ]
    engine = create_engine(settings.database_url)
    try:
        with engine.connect() as connection:
            stale = list(_revision(connection, newest_revision))
        if stale:
            return found + stale
        with Session(engine) as session:
            case = Case(settings, session, _vault(settings), now, fix, monotonic)
            for look in (look_at_secrets, look_at_moves, look_at_ledger, look_at_leftovers, look_at_roots):
                found += look(case)
            session.commit()
    except SQLAlchemyError as trouble:
        reason = str(getattr(trouble, "orig", trouble)).strip().partition("\n")[0]
        found.append(error("database", f"The database cannot be used: {reason}.", "See that it runs, then look again."))
    finally:
        engine.dispose()
    return found


_NO_DATABASE = "Set PORTAL_DATA_DIR to the portal's folder; a new portal makes it by itself: portal serve"


def _vault(settings: Settings) -> Vault | None:
    try:
        return open_vault(settings.key_path) if settings.key_path.exists() else None
    except SettingsError:
        return None


def _revision(connection: Connection, newest: str | None) -> Iterator[Finding]:
    """Yield what is wrong with the schema; nothing else can be asked of another one."""
    if not inspect(connection).has_table("alembic_version"):
        yield error("no-schema", "The database has none of the portal's tables.", "portal db upgrade")
        return
    query = text("SELECT version_num FROM alembic_version")
    present = connection.execute(query).scalar()
    if present != newest:
        what = f"The schema is at revision {present}; this version of the portal needs {newest}."
        yield error("revision", what, "portal db upgrade")
