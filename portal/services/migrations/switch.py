"""The switch itself: one location's row names another root."""

from typing import Literal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from portal.errors import Conflict
from portal.lamindb.registry.ways import DATABASE_KEY
from portal.models import Migration, Reference, Registry, Storage
from portal.planning.roots import parse_root
from portal.services.events import Change, record
from portal.services.migrations.intents import Step
from portal.services.placing import check_overlaps, lock_registrations, place_of
from portal.services.work import Work


def require_target(work: Work, migration: Migration) -> None:
    """Refuse a cut-over to a target that is not what it was when the move was planned, while nothing is switched yet.

    Raises:
        Conflict: the location that artifacts are re-pointed to names another root, or the root a location moves to
            shares objects with one that was registered since.
    """
    lock_registrations(work)
    if migration.target_storage_uid is not None:
        _require_root(work, migration)
        return
    root, host = parse_root(migration.target_root, home="/", cwd="/"), migration.target_host
    target = place_of(root, host.name if host else None, is_writable=True)
    try:
        check_overlaps(work, target, but=migration.storage_id)
    except Conflict as error:
        raise Conflict(f"The target is not free any more. {error.message}") from error


def _require_root(work: Work, migration: Migration) -> None:
    target = work.session.scalar(select(Storage).where(Storage.uid == migration.target_storage_uid))
    if target is None:
        raise Conflict(f"The location {migration.target_storage_uid} is not registered any more.")
    if (target.root, target.host_id) != (migration.target_root, migration.target_host_id):
        raise Conflict(
            f"The location {target.uid} names the root {target.root} now, not {migration.target_root}.",
            hint=f"Objects were copied to {migration.target_root}: cancel, then plan it again.",
        )


def point_to(work: Work, migration: Migration, side: Literal["source", "target"], *, run: str | None) -> None:
    """Let a migration's location name its source or target. The uid stays. `run` is noted as what made the record.

    Raises:
        Conflict: the location is gone, names a root that is neither of the migration's, or the root was registered
            meanwhile. The caller ends the transaction.
    """
    storage = migration.storage
    # It may name the new root already: once an instance does, comparing brings that here.
    if storage is None or storage.root not in {migration.source_root, migration.target_root}:
        raise Conflict("The location's record was changed meanwhile.")
    before = _described(storage)
    storage.root = getattr(migration, f"{side}_root")
    storage.type = getattr(migration, f"{side}_type")
    storage.region = getattr(migration, f"{side}_region")
    storage.host_id = getattr(migration, f"{side}_host_id")
    storage.connection_id = getattr(migration, f"{side}_connection_id")
    storage.run, storage.updated_at = run, work.now
    # What was tried was the other root.
    storage.last_check_at = storage.last_check_status = None
    try:
        work.session.flush()
    except (IntegrityError, StaleDataError) as error:
        raise Conflict("The root was registered meanwhile, or the record was changed.") from error
    record(work, "storage.moved", storage, Change(before, _described(storage), f"migration {migration.uid}"))


def note_registry(work: Work, step: Step, storage_uid: str) -> None:
    """Keep what a switch changed in an instance: its reference's root, and where its database is if that moved too."""
    query = (
        select(Reference, Registry)
        .join(Registry, Registry.instance_id == Reference.instance_id)
        .where(Reference.instance_id == step.instance_id, Reference.row_id == step.row_id)
    )
    found = work.session.execute(query).first()
    if found is None:
        return  # detached meanwhile
    reference, registry = found
    before, after = step.before["root"], step.after["root"]
    if reference.root != before or reference.storage.uid != storage_uid:
        return  # artifacts were re-pointed: the row keeps its root
    reference.root = after
    if registry.path == f"{before}/{DATABASE_KEY}":
        registry.path = registry.label = f"{after}/{DATABASE_KEY}"
        registry.identity = registry.identity.replace(before, after)
    registry.updated_at = work.now
    change = Change({"root": before}, {"root": after}, f"location {storage_uid}")
    record(work, "instance.root-changed", registry.instance, change)


def _described(storage: Storage) -> dict[str, object]:
    return {
        "root": storage.root,
        "type": str(storage.type),
        "region": storage.region,
        "host_id": storage.host_id,
        "connection_id": storage.connection_id,
        "run": storage.run,
    }
