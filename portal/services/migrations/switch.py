"""The switch itself: one location's row names another root."""

from typing import Literal

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from portal.errors import Conflict
from portal.models import Migration, Storage
from portal.services.events import Change, record
from portal.services.work import Work


def point_to(work: Work, migration: Migration, side: Literal["source", "target"], *, run: str | None) -> None:
    """Let a migration's location name its source or target. The uid stays. `run` is noted as what made the record.

    Raises:
        Conflict: the location is gone, names another root than the migration left it with, or the root was registered
            meanwhile. The caller ends the transaction.
    """
    storage = migration.storage
    present_root = migration.source_root if side == "target" else migration.target_root
    if storage is None or storage.root != present_root:
        raise Conflict("The location's record was changed meanwhile.")
    before = _described(storage)
    storage.root = getattr(migration, f"{side}_root")
    storage.type = getattr(migration, f"{side}_type")
    storage.region = getattr(migration, f"{side}_region")
    storage.host_id = getattr(migration, f"{side}_host_id")
    storage.connection_id = getattr(migration, f"{side}_connection_id")
    storage.run, storage.updated_at = run, work.now
    try:
        work.session.flush()
    except (IntegrityError, StaleDataError) as error:
        raise Conflict("The root was registered meanwhile, or the record was changed.") from error
    record(work, "storage.moved", storage, Change(before, _described(storage), f"migration {migration.uid}"))


def _described(storage: Storage) -> dict[str, object]:
    return {
        "root": storage.root,
        "type": str(storage.type),
        "region": storage.region,
        "host_id": storage.host_id,
        "connection_id": storage.connection_id,
        "run": storage.run,
    }
