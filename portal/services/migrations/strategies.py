"""The two ways to move: rewrite the root of the location's record, or re-point its artifacts to another location.

Rewriting keeps the uid, so that everything which refers to the location follows; it needs a root that is registered
nowhere. Re-pointing stays within one instance; the location itself, and a database in it, stay where they are.
"""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from portal.errors import Conflict, InputError, PortalError, Refused
from portal.lamindb.registry.ways import DATABASE_KEY
from portal.models import Reference, Registry, Storage
from portal.permissions import Action
from portal.services.migrations.doors import REPOINT, REWRITE
from portal.services.storages.find import find_storage
from portal.services.work import Work
from portal.values import Mode

#: Targets offered for re-pointing; any other is taken by its uid.
_MOST_OFFERED = 50


@dataclass(frozen=True, slots=True)
class Strategy:
    """One way to move, and whether it fits a location.

    Attributes:
        name: `rewrite` or `repoint`.
        why_not: why it does not fit, one sentence; empty where it does.
        remarks: what to know where it fits.
        targets: locations that artifacts can be re-pointed to: (uid, root).
        knows_artifacts: an attached instance refers to the location, so that it is known what no artifact refers to.
    """

    name: str
    why_not: str = ""
    remarks: tuple[str, ...] = ()
    targets: tuple[tuple[str, str], ...] = ()
    knows_artifacts: bool = False


def list_strategies(work: Work, storage_uid: str) -> tuple[Strategy, Strategy]:
    """Return both ways for a location, as far as can be said without its target.

    Raises:
        NotFound, PermissionDenied: the actor is no admin of the location.
    """
    storage = find_storage(work, storage_uid, Action.STORAGE_MOVE)
    return _rewriting(work, storage), _repointing(work, storage)


def _rewriting(work: Work, storage: Storage) -> Strategy:
    remarks, why_not = [], ""
    registries = _registries(work, storage)
    for registry in registries:
        name = registry.instance.slug
        is_inside = registry.path == f"{storage.root}/{DATABASE_KEY}"
        if is_inside and not (registry.can_write and registry.instance_uid == storage.instance_uid):
            why_not = f"The database of {name} lies in this root, and the portal may not move it."
        elif is_inside:
            remarks.append(
                f"The database of {name} lies in this root and moves along, so the target must be a directory here."
            )
        elif not registry.can_write:
            remarks.append(f"The portal may not write to {name}: its row is changed by hand.")
    return Strategy(REWRITE, why_not, tuple(remarks), knows_artifacts=bool(registries))


def _repointing(work: Work, storage: Storage) -> Strategy:
    try:
        _check_origin(work, storage)
    except PortalError as error:
        return Strategy(REPOINT, why_not=error.message)
    query = (
        select(Storage.uid, Storage.root)
        .join(Reference, Reference.storage_id == Storage.id)
        .where(
            Reference.instance_id == storage.instance_id,
            Storage.instance_id == storage.instance_id,
            Storage.space_id == storage.space_id,
            Storage.mode == Mode.WRITABLE,
            Storage.id != storage.id,
        )
        .order_by(Storage.root)
        .limit(_MOST_OFFERED)
    )
    targets = tuple((uid, root) for uid, root in work.session.execute(query))
    if not targets:
        return Strategy(REPOINT, why_not="The instance has no other location it writes to in the same space.")
    return Strategy(REPOINT, targets=targets, knows_artifacts=True)


def find_target(work: Work, storage: Storage, wanted: str) -> Storage:
    """Return the location that artifacts are re-pointed to, by uid or root.

    Raises:
        NotFound, PermissionDenied: there is none, or the actor is no admin of it.
        Refused, Conflict: re-pointing does not fit; the sentence says why.
    """
    _check_origin(work, storage)
    target = find_storage(work, wanted, Action.STORAGE_MOVE)
    field = "target_root"
    if target.id == storage.id:
        raise InputError("This is the location itself.", hint="Choose another one.", field=field)
    if target.instance_id != storage.instance_id or target.mode is not Mode.WRITABLE:
        raise Refused(
            f"{target.root} is not a location that the same instance writes to.",
            hint="LaminDB keeps artifacts only in locations its instance manages. Rewrite the root instead.",
            field=field,
        )
    if target.space_id != storage.space_id:
        raise Refused(
            f"{target.root} is in another space.",
            hint="LaminDB wants an artifact and its location in one space: put both locations into one first.",
            field=field,
        )
    if target.is_locked:
        raise Conflict(f"{target.root} is locked.", hint="Unlock the record first.", field=field)
    known = select(Reference.id).where(Reference.storage_id == target.id, Reference.instance_id == storage.instance_id)
    if work.session.scalar(known) is None:
        raise Refused(
            f"{target.root} is not known to be in the instance's database.",
            hint="Compare the instance with the portal first.",
            field=field,
        )
    return target


def _check_origin(work: Work, storage: Storage) -> None:
    """Refuse to re-point where the portal cannot change the artifacts, or another instance has some there."""
    registries = _registries(work, storage)
    writer = next((registry for registry in registries if registry.instance_id == storage.instance_id), None)
    if storage.instance_id is None or writer is None:
        raise Refused(
            "Re-pointing changes artifacts, and the writing instance is not attached.",
            hint="Attach it, or rewrite the root.",
        )
    if not writer.can_write:
        raise Refused(
            f"The portal may not write to {writer.instance.slug}.",
            hint="Attach it with more rights, or rewrite the root.",
        )
    others = [registry.instance.slug for registry in registries if registry is not writer]
    if others:
        raise Refused(
            f"Another instance refers to this location too: {', '.join(others)}.",
            hint="Its artifacts would stay behind. Rewrite the root instead.",
        )


def _registries(work: Work, storage: Storage) -> list[Registry]:
    query = (
        select(Registry)
        .join(Reference, Reference.instance_id == Registry.instance_id)
        .where(Reference.storage_id == storage.id)
        .options(joinedload(Registry.instance))
        .order_by(Registry.id)
    )
    return list(work.session.scalars(query))
