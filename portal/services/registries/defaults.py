"""An instance's default storage location, and whether it keeps artifacts local: shown, and switched.

Neither is in LaminDB's database: both stand in a settings file on each user's machine (facts: lamindb docs, (f) and
(g) 2). So a switch here changes the portal's records, and what each user changes is told beside it.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import or_, select

from portal.errors import Conflict, Refused, RegistryChanged
from portal.lamindb import settings_file
from portal.lamindb.registry.opening import PAGE
from portal.lamindb.registry.rows import list_storages
from portal.models import Instance, Reference, Registry, Storage
from portal.permissions import Action, InstanceTarget, allows
from portal.services.access import storage_target, visible_storages
from portal.services.claims import is_moving
from portal.services.events import Change, record
from portal.services.instances import find_instance
from portal.services.marking import unset_default
from portal.services.reach import Door, door_of
from portal.services.registries.attach import find_registry, require_registry
from portal.services.registries.default_rules import (
    database_root_of,
    why_not_default,
    why_not_managed,
    why_not_registered,
)
from portal.services.registries.ways import entry_of, opened
from portal.services.removals import read_kept_marker
from portal.services.storages.find import find_storage
from portal.services.units import Units
from portal.services.work import Work
from portal.values import Branch, StorageType

#: Locations a page offers; the command line takes any.
MOST_CHOICES = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A location in words. `host` None: a bucket."""

    uid: str
    root: str
    host: str | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A location that may become one of the two; `why_not…` is empty where it can."""

    place: Place
    is_default: bool
    is_local_default: bool
    why_not_default: str
    why_not_local: str


@dataclass(frozen=True, slots=True)
class DefaultsView:
    """What is the default of an instance, and what each user's machine must say.

    Attributes:
        default, local: the locations; None where there is none or the actor may not see it.
        has_default: whether there is one at all.
        database_root: the root that the database of a SQLite instance lies in; None otherwise.
        file: the settings file's place on each machine; empty where no default is known to the actor.
        lines: what must stand in it; `command` puts them there, `python` does it for one session.
    """

    slug: str
    instance_uid: str
    is_attached: bool
    may_change: bool
    has_default: bool
    default: Place | None
    keeps_local: bool
    local: Place | None
    database_root: str | None
    file: str = ""
    lines: tuple[str, ...] = ()
    command: str = ""
    python: tuple[str, ...] = ()


def view_defaults(work: Work, instance: Instance) -> DefaultsView:
    """Return an instance's defaults. The caller has found the instance."""
    registry = find_registry(work, instance)
    default = work.session.scalar(select(Storage).where(Storage.instance_id == instance.id, Storage.is_default))
    local = registry.local_default if registry else None
    shown, local_shown = _place(work, default), _place(work, local)
    view = DefaultsView(
        slug=instance.slug,
        instance_uid=instance.uid,
        is_attached=registry is not None,
        may_change=allows(work.actor, Action.INSTANCE_WRITE_STORAGE, InstanceTarget(instance.id)),
        has_default=default is not None,
        default=shown,
        keeps_local=registry is not None and registry.keeps_local,
        local=local_shown,
        database_root=database_root_of(registry) if shown is not None else None,
    )
    if default is None or shown is None:
        return view
    return _with_settings(view, instance, registry, default)


def _with_settings(view: DefaultsView, instance: Instance, registry: Registry | None, default: Storage) -> DefaultsView:
    region = default.host.name if default.host else default.region
    lines = (
        *settings_file.default_lines(default.root, region),
        settings_file.keep_local_line(view.keeps_local),
    )
    python = [settings_file.python_line(default.root)]
    if view.keeps_local and view.local:
        python = [settings_file.python_line(view.local.root, is_local=True)]
    known = registry.instance_uuid if registry else None
    hexadecimal = UUID(known).hex if known else None
    values = {name: getattr(view, name) for name in DefaultsView.__dataclass_fields__}
    return DefaultsView(
        **values
        | {
            "file": f"~/.lamin/{settings_file.file_name(instance.slug)}",
            "lines": lines,
            "command": settings_file.command(instance.slug, hexadecimal, lines),
            "python": tuple(python),
        }
    )


def _place(work: Work, storage: Storage | None) -> Place | None:
    if storage is None or not allows(work.actor, Action.STORAGE_READ, storage_target(storage)):
        return None
    return Place(storage.uid, storage.root, storage.host.name if storage.host else None)


def list_choices(work: Work, instance: Instance) -> tuple[list[Choice], bool]:
    """Return the locations of an instance and those it refers to, by root, and whether there are more than shown."""
    registry = find_registry(work, instance)
    referred = select(Reference.storage_id).where(Reference.instance_id == instance.id)
    query = (
        select(Storage)
        .where(visible_storages(work.actor), or_(Storage.instance_id == instance.id, Storage.id.in_(referred)))
        .order_by(Storage.is_default.desc(), Storage.root)
        .limit(MOST_CHOICES + 1)
    )
    found = list(work.session.scalars(query))
    return [_choice(work, each, instance, registry) for each in found[:MOST_CHOICES]], len(found) > MOST_CHOICES


def _choice(work: Work, storage: Storage, instance: Instance, registry: Registry | None) -> Choice:
    return Choice(
        place=Place(storage.uid, storage.root, storage.host.name if storage.host else None),
        is_default=storage.is_default and storage.instance_id == instance.id,
        is_local_default=registry is not None and registry.keeps_local and registry.local_default_id == storage.id,
        why_not_default=why_not_default(work, storage, instance),
        why_not_local=_why_not_local(work, storage, instance, registry),
    )


def switch_default(units: Units, reference: str, storage_reference: str) -> DefaultsView:
    """Make a location the instance's default one.

    Raises:
        Conflict: it or the present one is being moved, or its record is locked.
        NotFound, PermissionDenied: the actor is no admin of the instance or of the location.
        Refused: LaminDB would not take it; the message says why.
        RegistryError: the instance's database cannot be read, or has another row; nothing was changed.
    """
    _require_same_row(units, reference, storage_reference)
    with units.writing() as work:
        instance, storage = _chosen(work, reference, storage_reference)
        if why := why_not_default(work, storage, instance):
            raise Refused(why, field="storage")
        before = work.session.scalar(select(Storage).where(Storage.instance_id == instance.id, Storage.is_default))
        for each in (storage, before):
            if each is not None and is_moving(work, each):
                raise Conflict(f"{each.root} is being moved.", hint="Finish or cancel the migration first.")
        if before is not storage:
            old_root = before.root if before else None
            unset_default(work, instance.id)
            storage.is_default, storage.updated_at = True, work.now
            record(work, "storage.changed", storage, Change({"is_default": False}, {"is_default": True}))
            record(
                work, "instance.default-switched", instance, Change({"default": old_root}, {"default": storage.root})
            )
            work.session.flush()
        return view_defaults(work, instance)


def _chosen(work: Work, reference: str, storage_reference: str) -> tuple[Instance, Storage]:
    instance = find_instance(work, reference, Action.INSTANCE_WRITE_STORAGE)
    storage = find_storage(work, storage_reference, Action.STORAGE_MANAGE)
    if storage.is_locked:
        raise Conflict(f"{storage.root} is locked. Nothing was changed.", hint="An admin of it can unlock it.")
    return instance, storage


def _require_same_row(units: Units, reference: str, storage_reference: str) -> None:
    """Look into the instance's database whether it has the location as the portal does; an unattached one has none.

    Raises:
        Refused: see `switch_default`.
        RegistryError: it cannot be read, or says something else.
    """
    with units.reading() as work:
        instance, storage = _readable(work, reference, storage_reference)
        registry = find_registry(work, instance)
        if registry is None:
            return
        if why := why_not_managed(storage, instance) or why_not_registered(work, storage, registry):
            raise Refused(why, field="storage")
        entry, uid, root = entry_of(work, registry), storage.uid, storage.root
        slug, own = instance.slug, registry.instance_uid
    with opened(entry, limits=PAGE) as connection:
        same = [row for row in list_storages(connection) if row.uid == uid]
    if not same or (same[0].root, same[0].instance_uid) != (root, own):
        said = f"says {same[0].root}, written by {same[0].instance_uid or 'nobody'}" if same else "is gone"
        raise RegistryChanged(f"The row of {root} in {slug} {said}.", hint="Compare the instance, then try again.")


def _readable(work: Work, reference: str, storage_reference: str) -> tuple[Instance, Storage]:
    instance = find_instance(work, reference, Action.INSTANCE_WRITE_STORAGE)
    return instance, find_storage(work, storage_reference)


def keep_local(units: Units, reference: str, storage_reference: str | None) -> DefaultsView:
    """Let an instance keep its artifacts in a local location, or in its default one again (None).

    Raises:
        Conflict: the instance is not attached, or the location lies on a host that this is not.
        NotFound, PermissionDenied: the actor is no admin of the instance or of the location.
        Refused: LaminDB would not take the location; the message says why.
        RegistryError: as `switch_default`.
        StorageError: its marker cannot be read.
    """
    if storage_reference is not None:
        _require_local(units, reference, storage_reference)
        _require_same_row(units, reference, storage_reference)
    with units.writing() as work:
        registry = require_registry(work, reference, Action.INSTANCE_WRITE_STORAGE)
        before = _kept(registry)
        registry.local_default = None
        if storage_reference is not None:
            instance, storage = _chosen(work, reference, storage_reference)
            if why := _why_not_local(work, storage, instance, registry):
                raise Refused(why, field="storage")
            registry.local_default = storage
        registry.keeps_local = storage_reference is not None
        registry.updated_at = work.now
        work.session.flush()
        if _kept(registry) != before:
            record(work, "instance.keep-local-switched", registry.instance, Change(before, _kept(registry)))
        return view_defaults(work, registry.instance)


def _kept(registry: Registry) -> dict[str, object]:
    local = registry.local_default
    return {"keeps_local": registry.keeps_local, "local_default": local.root if local else None}


def _why_not_local(work: Work, storage: Storage, instance: Instance, registry: Registry | None) -> str:
    """Return why artifacts cannot be kept in a location; empty where they can. Its marker is looked at apart."""
    if registry is None:
        return f"{instance.slug} is not attached."
    if storage.type is not StorageType.LOCAL:
        return f"{storage.root} is not local: artifacts are kept local in a directory."
    if why := why_not_managed(storage, instance):
        return why
    if storage.branch_id != Branch.MAIN:
        return f"{storage.root} is archived or in the trash. Restore it first."
    return why_not_registered(work, storage, registry)


def _require_local(units: Units, reference: str, storage_reference: str) -> None:
    """Refuse a location that LaminDB would skip when it looks for the local one: its marker must carry its uid."""
    with units.reading() as work:
        registry = require_registry(work, reference, Action.INSTANCE_WRITE_STORAGE)
        storage = find_storage(work, storage_reference, Action.STORAGE_MANAGE)
        if why := _why_not_local(work, storage, registry.instance, registry):
            raise Refused(why, field="storage")
        door: Door = door_of(work, storage)
        uid, root = storage.uid, storage.root
    if not door.is_here:
        raise Conflict(
            f"{root} lies on the host {door.host}; this is {door.here}, which cannot read its marker.",
            hint=f"Run portal instance keep-local on {door.host}.",
            field="storage",
        )
    if read_kept_marker(door, uid) is None:
        raise Refused(
            f"The marker at {root} does not carry the uid {uid}: LaminDB skips such a location.",
            hint="Put .lamindb/storage_uid.txt back first.",
            field="storage",
        )
