"""Spaces attached to instances: only in an attached space may an instance's storage locations be."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select

from portal.errors import Conflict, NotFound, Refused
from portal.models import Account, Instance, InstanceSpace, Space, Storage
from portal.permissions import Action, InstanceTarget, SpaceTarget, allows, require
from portal.services.access import visible_storages
from portal.services.events import Change, record
from portal.services.instances import find_instance
from portal.services.spaces import find_space
from portal.services.work import Work
from portal.values import ALL_SPACE_ID


@dataclass(frozen=True, slots=True)
class AttachedSpaceRow:
    """A space attached to an instance. `is_reachable`: the actor may open its page."""

    uid: str
    name: str
    owner: str | None
    storage_count: int
    since: datetime
    is_reachable: bool

    @property
    def label(self) -> str:
        """Return `owner/name`."""
        return f"{self.owner}/{self.name}" if self.owner else self.name


def attach_space(work: Work, instance_reference: str, space_reference: str) -> None:
    """Attach a space to an instance, so that the instance's storage locations may be placed in it.

    Raises:
        Conflict: it is attached already.
        NotFound: no such instance or space.
        PermissionDenied: the actor is not admin of both.
        Refused: the space is `all`, which every instance has.
    """
    instance, space = _find_pair(work, instance_reference, space_reference)
    if work.session.get(InstanceSpace, (instance.id, space.id)) is not None:
        raise Conflict(f"{space.name} is attached to {instance.slug} already.")
    _attach(work, instance, space)


def ensure_attached(work: Work, instance_id: int, space_id: int) -> None:
    """Attach a space to an instance unless it is: placing a location in it needs the same rights as attaching it.

    Raises:
        NotFound, PermissionDenied: the actor is not admin of both.
    """
    if space_id == ALL_SPACE_ID or work.session.get(InstanceSpace, (instance_id, space_id)) is not None:
        return
    require(work.actor, Action.INSTANCE_WRITE_STORAGE, InstanceTarget(instance_id))
    require(work.actor, Action.SPACE_PLACE_STORAGE, SpaceTarget(space_id))
    _attach(work, work.session.get_one(Instance, instance_id), work.session.get_one(Space, space_id))


def _attach(work: Work, instance: Instance, space: Space) -> None:
    work.session.add(InstanceSpace(instance_id=instance.id, space_id=space.id, created_at=work.now))
    record(work, "instance.space-attached", instance, Change(after={"space": space.name, "space_uid": space.uid}))


def detach_space(work: Work, instance_reference: str, space_reference: str) -> None:
    """Detach a space from an instance.

    Raises:
        Conflict: storage locations of the instance are in the space.
        NotFound: no such instance or space, or it is not attached.
        PermissionDenied: the actor is not admin of both.
    """
    instance, space = _find_pair(work, instance_reference, space_reference)
    if work.session.get(InstanceSpace, (instance.id, space.id)) is None:
        raise NotFound(f"{space.name} is not attached to {instance.slug}.", field="space")
    inside = select(func.count()).where(Storage.instance_id == instance.id, Storage.space_id == space.id)
    count = work.session.scalar(inside) or 0
    if count:
        noun = "1 storage location" if count == 1 else f"{count} storage locations"
        raise Conflict(
            f"{noun} of {instance.slug} {'is' if count == 1 else 'are'} in {space.name}.",
            hint="Put them into another space first.",
        )
    work.session.execute(
        delete(InstanceSpace).where(InstanceSpace.instance_id == instance.id, InstanceSpace.space_id == space.id)
    )
    record(work, "instance.space-detached", instance, Change({"space": space.name, "space_uid": space.uid}))


def _find_pair(work: Work, instance_reference: str, space_reference: str) -> tuple[Instance, Space]:
    instance = find_instance(work, instance_reference, Action.INSTANCE_MANAGE)
    space = find_space(work, space_reference)
    if space.id == ALL_SPACE_ID:
        raise Refused("Every instance has the space all; it is neither attached nor detached.", field="space")
    require(work.actor, Action.SPACE_MANAGE, SpaceTarget(space.id))
    return instance, space


def list_attached_spaces(work: Work, instance: Instance) -> list[AttachedSpaceRow]:
    """Return the spaces attached to an instance, by name, with this instance's locations in each.

    Raises:
        NotFound: the actor has no role on the instance.
    """
    require(work.actor, Action.INSTANCE_READ, InstanceTarget(instance.id))
    count = (
        select(func.count())
        .where(Storage.instance_id == instance.id, Storage.space_id == Space.id, visible_storages(work.actor))
        .scalar_subquery()
    )
    query = (
        select(Space.uid, Space.name, Account.handle, count, InstanceSpace.created_at, Space.id)
        .join(InstanceSpace, InstanceSpace.space_id == Space.id)
        .outerjoin(Account, Space.owner_id == Account.id)
        .where(InstanceSpace.instance_id == instance.id)
        .order_by(func.lower(Space.name), Space.id)
    )
    return [
        AttachedSpaceRow(
            uid, name, owner, storages, since, allows(work.actor, Action.SPACE_READ, SpaceTarget(space_id))
        )
        for uid, name, owner, storages, since, space_id in work.session.execute(query)
    ]


def list_attached_instances(work: Work, space: Space) -> list[tuple[str, str | None]]:
    """Return (owner/name, uid) of the instances a space is attached to, by name; uid None: out of the actor's reach.

    Raises:
        NotFound: the actor has no role in the space.
    """
    require(work.actor, Action.SPACE_READ, SpaceTarget(space.id))
    query = (
        select(Instance.id, Instance.slug, Instance.uid)
        .join(InstanceSpace, InstanceSpace.instance_id == Instance.id)
        .where(InstanceSpace.space_id == space.id)
        .order_by(func.lower(Instance.slug))
    )
    return [
        (slug, uid if allows(work.actor, Action.INSTANCE_READ, InstanceTarget(instance_id)) else None)
        for instance_id, slug, uid in work.session.execute(query)
    ]
