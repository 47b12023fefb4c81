"""What connecting and registering have in common: whose the location will be, where it goes, what is there already."""

from dataclasses import dataclass

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import joinedload

from portal.errors import Conflict, InputError, Refused
from portal.models import Host, Instance, Registry, Storage
from portal.permissions import Action, OwnerTarget, allows, require
from portal.planning.overlaps import Overlap, Place, Relation, overlap
from portal.services.access import storage_target
from portal.services.accounts import find_account
from portal.services.claims import unnamed_places
from portal.services.instances import find_instance
from portal.services.reach import root_of
from portal.services.spaces import find_space
from portal.services.work import Work
from portal.values import ALL_SPACE_UID, Branch, Mode, ModeReason, Root, StorageType

#: PostgreSQL only: one registration at a time, so that two overlapping roots cannot pass each other unseen.
_REGISTRATION_LOCK = 7_203_551


@dataclass(frozen=True, slots=True)
class Placing:
    """Where a new location goes, as a person said it.

    Attributes:
        space: uid, `owner/name` or name; None for `all`.
        instance: the writing instance's uid or `owner/name`; None for none (unmanaged).
        owner: handle; None for the actor.
        description: free text.
        is_default: make it the instance's default location.
    """

    space: str | None = None
    instance: str | None = None
    owner: str | None = None
    description: str = ""
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """The same after every right was asked for, as row ids. `instance_id` None: no writing instance was chosen."""

    owner_id: int
    owner: str
    space_id: int
    space: str
    instance_id: int | None
    instance_uid: str | None
    instance_uuid: str | None
    instance_slug: str | None
    description: str
    is_default: bool


def settle(work: Work, placing: Placing) -> Settled:
    """Ask for every right that a new location of this owner, space and instance needs.

    Raises:
        InputError: a default location without an instance.
        NotFound, PermissionDenied: the actor lacks a right on owner, space or instance.
        Refused: the instance is attached, and its id is not known.
    """
    owner = find_account(work, placing.owner or work.actor.handle)
    require(work.actor, Action.STORAGE_CREATE, OwnerTarget(owner.id, "owner account"))
    space = find_space(work, placing.space or ALL_SPACE_UID, Action.SPACE_PLACE_STORAGE)
    if placing.is_default and not placing.instance:
        raise InputError(
            "A default location belongs to an instance.", hint="Choose the writing instance.", field="is_default"
        )
    instance = find_instance(work, placing.instance, Action.INSTANCE_WRITE_STORAGE) if placing.instance else None
    uid, uuid = _identity(work, instance) if instance else (None, None)
    return Settled(
        owner_id=owner.id,
        owner=owner.handle,
        space_id=space.id,
        space=space.name,
        instance_id=instance.id if instance else None,
        instance_uid=uid,
        instance_uuid=uuid,
        instance_slug=instance.slug if instance else None,
        description=placing.description.strip(),
        is_default=placing.is_default,
    )


def _identity(work: Work, instance: Instance) -> tuple[str, str]:
    """Return uid and uuid of an instance as markers name it: an attached one's own, else those of its name."""
    registry = work.session.scalar(select(Registry).where(Registry.instance_id == instance.id))
    if registry is None or registry.instance_uid == instance.uid:
        return instance.uid, instance.uuid
    if registry.instance_uuid is None:
        raise Refused(
            f"The id of {instance.slug} is not known, only its uid {registry.instance_uid}; a marker needs it.",
            hint="Detach the instance and attach it with its id: `lamin info` shows it.",
            field="instance",
        )
    return registry.instance_uid, registry.instance_uuid


def lock_registrations(work: Work) -> None:
    """Let nobody else register until this transaction ends; on SQLite a writing transaction is alone anyway."""
    if work.session.get_bind().dialect.name == "postgresql":
        work.session.execute(select(func.pg_advisory_xact_lock(_REGISTRATION_LOCK)))


def check_overlaps(work: Work, new: Place, *, but: int | None = None) -> tuple[str, ...]:
    """Return warnings about roots that share objects with `new`: registered ones, and those that a move holds.

    `but`: row id of a location to leave out, with its move.

    Raises:
        Conflict: the root is registered already, a move holds it, or a writable one is inside another writable one.
    """
    storages = [storage for storage in work.session.scalars(_candidates(new)) if storage.id != but]
    found = overlap(new, [_place(work, storage) for storage in storages])
    for entry in found:
        if entry.relation is Relation.EQUAL:
            raise _registered_already(work, new, storages)
        if entry.is_refused:
            raise _nested(entry)
    held = overlap(new, unnamed_places(work, new.root.type, but=but))
    for entry in held:
        if entry.is_refused:
            raise _held(entry)
    return tuple(f"{entry} Objects below both are seen twice." for entry in (*found, *held))


def _candidates(new: Place) -> Select[Storage]:
    """Return the few locations whose root can touch `new`: same bucket in any endpoint, or same host's tree."""
    query = select(Storage).options(joinedload(Storage.host)).where(Storage.type == new.root.type)
    if new.root.type is StorageType.LOCAL:
        parts = new.root.path.strip("/").split("/")
        parents = ["/" + "/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        inside = Storage.root.startswith(new.root.path + "/", autoescape=True)
        return query.join(Host, Storage.host_id == Host.id).where(
            Host.name == new.host, or_(Storage.root.in_(parents), inside)
        )
    start = f"{new.root.type}://{new.root.bucket}"
    marks = [Storage.root.startswith(start + mark, autoescape=True) for mark in ("/", "?")]
    return query.where(or_(Storage.root == start, *marks))


def _place(work: Work, storage: Storage) -> Place:
    """Return a registered location for comparing, named only where the actor may know of it."""
    visible = allows(work.actor, Action.STORAGE_READ, storage_target(storage))
    return Place(
        root_of(storage),
        host=storage.host.name if storage.host else None,
        # What another instance writes to is read-only here and written to all the same.
        is_writable=storage.mode is Mode.WRITABLE or storage.mode_reason is ModeReason.FOREIGN,
        name=storage.root if visible else "a location you have no role on",
    )


def _registered_already(work: Work, new: Place, storages: list[Storage]) -> Conflict:
    where = f" on {new.host}" if new.host else ""
    hint = "If it is not in your list, ask a portal admin for a role on it."
    for storage in storages:
        hidden = storage.branch_id != Branch.MAIN and allows(work.actor, Action.STORAGE_READ, storage_target(storage))
        if storage.root == new.root.text and hidden:
            hint = f"It is in the {Branch(storage.branch_id).label}: restore it from there."
    return Conflict(f"{new.root} is registered{where} already.", hint=hint, field="root")


def _nested(entry: Overlap) -> Conflict:
    return Conflict(
        f"{entry} Two roots that are written to must not share objects.",
        hint="Choose another folder, or connect this one read-only.",
        field="root",
    )


def _held(entry: Overlap) -> Conflict:
    if entry.relation is Relation.EQUAL:
        hint = "Choose another folder, or wait until that one is over."
        return Conflict(f"The root is taken: it is {entry.other}.", hint=hint, field="root")
    return Conflict(
        f"{entry} Two roots that are written to must not share objects.",
        hint="Choose another folder, connect this one read-only, or wait until that one is over.",
        field="root",
    )


def place_of(root: Root, host: str | None, *, is_writable: bool) -> Place:
    """Return a root for comparing."""
    return Place(root, host=host, is_writable=is_writable)
