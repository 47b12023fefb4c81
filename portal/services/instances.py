"""LaminDB instances: making them, their collaborators, and the spaces attached to them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, true
from sqlalchemy.exc import IntegrityError

from portal.errors import InputError, NotFound
from portal.lamindb.ids import derive_instance_id, derive_instance_uid
from portal.models import Account, Collaborator, Instance, Storage
from portal.permissions import Action, InstanceTarget, OwnerTarget, PortalTarget, allows, require
from portal.planning.names import check_instance_name
from portal.services import members
from portal.services.access import visible_storages
from portal.services.accounts import find_account
from portal.services.events import Change, record
from portal.services.members import MemberRow
from portal.services.work import Work
from portal.values import Role


@dataclass(frozen=True, slots=True)
class NewInstance:
    """An instance to make. `owner` is the handle of the owning person or organisation; None: the actor."""

    name: str
    description: str = ""
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """An instance in a list.

    `role` None: a portal admin without a role of one's own. `default_root` is the root of its default storage
    location, `default_uid` that one's uid; None when there is none or the actor may not see it.
    """

    id: int
    uid: str
    uuid: str
    slug: str
    owner: str
    name: str
    description: str
    role: Role | None
    collaborator_count: int
    storage_count: int
    default_root: str | None
    default_uid: str | None
    created_at: datetime


def create_instance(work: Work, new: NewInstance) -> Instance:
    """Make an instance; the actor becomes its admin.

    Raises:
        InputError: the name cannot be used or the owner has an instance of this name.
        NotFound: the actor does not act for the owner.
    """
    owner = find_account(work, new.owner or work.actor.handle)
    require(work.actor, Action.INSTANCE_CREATE, OwnerTarget(owner.id, "owner account"))
    name = check_instance_name(new.name)
    slug = f"{owner.handle}/{name}"
    uuid = derive_instance_id(slug)
    instance = Instance(
        uuid=str(uuid),
        uid=derive_instance_uid(uuid),
        owner_id=owner.id,
        name=name,
        slug=slug,
        description=new.description.strip(),
        created_by_id=work.actor.account_id,
        created_at=work.now,
        updated_at=work.now,
    )
    _refuse_taken(work, slug)
    work.session.add(instance)
    try:
        work.session.flush()
    except IntegrityError as error:
        raise InputError(f"There is an instance {slug} already.", field="name") from error
    members.add_first_admin(work, instance)
    record(work, "instance.created", instance, Change(after=_described(instance)))
    return instance


def _refuse_taken(work: Work, slug: str) -> None:
    taken = select(Instance.id).where(func.lower(Instance.slug) == slug.lower())
    if work.session.scalar(taken) is not None:
        raise InputError(f"There is an instance {slug} already.", field="name")


def _described(instance: Instance) -> dict[str, object]:
    return {"slug": instance.slug, "uid": instance.uid, "description": instance.description}


def find_instance(work: Work, reference: str, action: Action = Action.INSTANCE_READ) -> Instance:
    """Return the instance named by its uid or `owner/name`.

    Raises:
        NotFound: there is none, or the actor may not know of it.
        PermissionDenied: the actor may see it, but `action` needs more.
    """
    reference = reference.strip()
    named = or_(Instance.uid == reference, func.lower(Instance.slug) == reference.lower())
    instance = work.session.scalar(select(Instance).where(named))
    if instance is None or not allows(work.actor, Action.INSTANCE_READ, InstanceTarget(instance.id)):
        raise NotFound(f"There is no instance {reference}, or you have no role on it.", field="instance")
    require(work.actor, action, InstanceTarget(instance.id))
    return instance


def describe_instance(work: Work, reference: str, description: str) -> Instance:
    """Change an instance's description.

    Raises:
        PermissionDenied: the actor is no admin of the instance.
    """
    instance = find_instance(work, reference, Action.INSTANCE_MANAGE)
    before = _described(instance)
    instance.description, instance.updated_at = description.strip(), work.now
    record(work, "instance.changed", instance, Change(before, _described(instance)))
    return instance


def grant_instance_role(work: Work, reference: str, handle: str, role: Role) -> None:
    """Give an account a role on an instance, replacing the one it has.

    Raises:
        Conflict: it would take the last admin's role.
        NotFound: no such instance or account.
        PermissionDenied: the actor is no admin of the instance.
    """
    instance = find_instance(work, reference, Action.INSTANCE_MANAGE)
    members.grant_role(work, instance, handle, role)


def revoke_instance_role(work: Work, reference: str, handle: str) -> None:
    """Take an account's role on an instance.

    Raises:
        Conflict: it is the last admin.
        NotFound: no such instance, account or collaborator.
        PermissionDenied: the actor is no admin of the instance.
    """
    members.revoke_role(work, find_instance(work, reference, Action.INSTANCE_MANAGE), handle)


def list_collaborators(work: Work, instance: Instance) -> list[MemberRow]:
    """Return the collaborators of an instance by handle.

    Raises:
        NotFound: the actor has no role on the instance.
    """
    require(work.actor, Action.INSTANCE_READ, InstanceTarget(instance.id))
    return members.list_rows(work, instance)


def list_instances(work: Work) -> list[InstanceRow]:
    """Return the instances in the actor's reach by name: four queries, however many there are."""
    reach: ColumnElement[bool] = Instance.id.in_(list(work.actor.instances))
    if allows(work.actor, Action.PORTAL_ADMINISTER, PortalTarget()):
        reach = true()
    found = work.session.execute(
        select(Instance, Account.handle)
        .join(Account, Instance.owner_id == Account.id)
        .where(reach)
        .order_by(func.lower(Instance.slug))
    ).all()
    seen = visible_storages(work.actor)
    people = _counts(work, select(Collaborator.instance_id, func.count()).group_by(Collaborator.instance_id))
    storages = _counts(work, select(Storage.instance_id, func.count()).where(seen).group_by(Storage.instance_id))
    defaults = {
        instance_id: (root, uid)
        for instance_id, root, uid in work.session.execute(
            select(Storage.instance_id, Storage.root, Storage.uid).where(seen, Storage.is_default)
        )
    }
    return [
        _row(work, instance, owner, (people.get(instance.id, 0), storages.get(instance.id, 0)), defaults)
        for instance, owner in found
    ]


def _counts(work: Work, query: Select[Any, int]) -> dict[int | None, int]:
    return dict(work.session.execute(query).all())


def _row(
    work: Work, instance: Instance, owner: str, counts: tuple[int, int], defaults: dict[int | None, tuple[str, str]]
) -> InstanceRow:
    default_root, default_uid = defaults.get(instance.id, (None, None))
    return InstanceRow(
        id=instance.id,
        uid=instance.uid,
        uuid=instance.uuid,
        slug=instance.slug,
        owner=owner,
        name=instance.name,
        description=instance.description,
        role=work.actor.instances.get(instance.id),
        collaborator_count=counts[0],
        storage_count=counts[1],
        default_root=default_root,
        default_uid=default_uid,
        created_at=instance.created_at,
    )
