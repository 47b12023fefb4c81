"""Make a migration, with every refusal that needs no look at the storage itself: looking there is the runner's."""

from portal.errors import Conflict, InputError, Refused
from portal.models import Migration, Storage
from portal.permissions import Action
from portal.planning.states import MigrationState
from portal.services.claims import find_claim
from portal.services.connections import ConnectionRow, list_connections
from portal.services.events import Change, record
from portal.services.migrations.doors import REPOINT, REWRITE
from portal.services.migrations.places import check_places
from portal.services.migrations.targets import MOVABLE, NewMigration, Target, registered_target, settle_target
from portal.services.migrations.views import MigrationView, view_of
from portal.services.placing import lock_registrations
from portal.services.storages.find import find_storage
from portal.services.work import Work
from portal.values import ConnectionKind, StorageType

__all__ = ["NewMigration", "create_migration", "list_target_connections"]


def create_migration(work: Work, new: NewMigration) -> MigrationView:
    """Write a move down as a draft; the next free runner checks both sides and makes its plan. Nothing is copied yet.

    Raises:
        NotFound, PermissionDenied: the actor is no admin of the location, or does not act for the connection's owner.
        InputError: the target cannot be a root.
        Conflict: the location is locked, moves already or gets another one's artifacts, or the target shares objects
            with another root.
        Refused: a kind, host, connection or place that a root cannot move to or from.
    """
    storage = find_storage(work, new.storage_uid, Action.STORAGE_MOVE)
    _check_source(storage)
    if new.strategy not in {REWRITE, REPOINT}:
        raise InputError("The strategy is rewrite or repoint.", field="strategy")
    settle = registered_target if new.strategy == REPOINT else settle_target
    target = settle(work, storage, new)
    lock_registrations(work)
    _refuse_held(work, storage)
    found = check_places(work, storage, target)
    migration = _row(work, storage, target, new)
    if found.warnings or found.nested:
        migration.plan = {"place_warnings": list(found.warnings), "nested": list(found.nested)}
    work.session.add(migration)
    record(
        work,
        "migration.created",
        migration,
        Change(after={"source_root": storage.root, "target_root": target.root.text, "uid": storage.uid}),
    )
    return view_of(migration)


def list_target_connections(work: Work) -> list[ConnectionRow]:
    """Return the connections the actor may move roots to."""
    return [row for row in list_connections(work) if row.kind is not ConnectionKind.ANONYMOUS]


def _check_source(storage: Storage) -> None:
    if storage.is_locked:
        raise Conflict(f"{storage.root} is locked.", hint="Unlock the record first.")
    if storage.type not in MOVABLE:
        raise Refused(f"The portal cannot move roots of type {storage.type} yet.", hint="Local and S3 roots can move.")
    if storage.type is StorageType.S3 and storage.connection_id is None:
        raise Refused(f"{storage.root} has no connection, so its objects cannot be read.", hint="Give it one first.")


def _refuse_held(work: Work, storage: Storage) -> None:
    """Refuse a location that moves already, or that artifacts are re-pointed to: they would follow to nowhere."""
    claim = find_claim(work, storage)
    if claim is None:
        return
    if claim.storage_id == storage.id:
        words = f"{storage.root} moves already: migration {claim.uid}."
    else:
        words = f"Migration {claim.uid} re-points artifacts to {storage.root}."
    raise Conflict(words, hint="Cancel it first. Once it is cut over, Keep the source or Roll back ends it.")


def _row(work: Work, storage: Storage, target: Target, new: NewMigration) -> Migration:
    return Migration(
        storage=storage,
        strategy=new.strategy,
        target_storage_uid=target.storage_uid,
        leaves_unreferenced=new.leaves_unreferenced,
        state=MigrationState.DRAFT.value,
        source_root=storage.root,
        source_type=storage.type,
        source_region=storage.region,
        source_host=storage.host,
        source_connection=storage.connection,
        target_root=target.root.text,
        target_type=target.root.type,
        target_region=target.connection.region if target.connection else None,
        target_host=target.host,
        target_connection=target.connection,
        created_by_id=work.actor.account_id,
        created_at=work.now,
        updated_at=work.now,
    )
