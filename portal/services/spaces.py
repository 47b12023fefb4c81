"""Spaces: access boundaries and their members."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, or_, select, true
from sqlalchemy.exc import IntegrityError

from portal.errors import InputError, NotFound, Refused
from portal.models import Account, Space, SpaceMember, Storage
from portal.models.ids import random_uid
from portal.permissions import Action, OwnerTarget, PortalTarget, SpaceTarget, allows, require
from portal.planning.names import check_space_name
from portal.services import members
from portal.services.access import visible_storages
from portal.services.accounts import find_account
from portal.services.events import Change, record
from portal.services.members import MemberRow
from portal.services.work import Work
from portal.values import ALL_SPACE_ID, Role


@dataclass(frozen=True, slots=True)
class NewSpace:
    """A space to make.

    `owner` is the handle of the owning person or organisation; None: the actor. `uid` is that of a space an instance
    has already; None for a new one.
    """

    name: str
    description: str = ""
    owner: str | None = None
    uid: str | None = None


@dataclass(frozen=True, slots=True)
class SpaceRow:
    """A space in a list. `role` None: only a portal admin or the space `all`, without a role of one's own."""

    id: int
    uid: str
    name: str
    owner: str | None
    description: str
    role: Role | None
    member_count: int
    storage_count: int
    created_at: datetime

    @property
    def is_all(self) -> bool:
        """Tell whether this is the space `all`."""
        return self.id == ALL_SPACE_ID

    @property
    def label(self) -> str:
        """Return `owner/name`, or `all`."""
        return f"{self.owner}/{self.name}" if self.owner else self.name


def create_space(work: Work, new: NewSpace) -> Space:
    """Make a space; the actor becomes its admin.

    Raises:
        InputError: the name cannot be used or the owner has a space of this name.
        NotFound, PermissionDenied: the actor does not act for the owner.
    """
    owner = find_account(work, new.owner or work.actor.handle)
    require(work.actor, Action.SPACE_CREATE, OwnerTarget(owner.id, "owner account"))
    name = check_space_name(new.name)
    _refuse_taken_name(work, owner, name)
    space = Space(
        uid=new.uid or random_uid(),
        name=name,
        description=new.description.strip(),
        owner_id=owner.id,
        created_by_id=work.actor.account_id,
        created_at=work.now,
        updated_at=work.now,
    )
    work.session.add(space)
    try:
        work.session.flush()
    except IntegrityError as error:
        raise InputError(f"{owner.handle} has a space {name} already.", field="name") from error
    members.add_first_admin(work, space)
    record(work, "space.created", space, Change(after=_described(space)))
    return space


def _refuse_taken_name(work: Work, owner: Account, name: str) -> None:
    taken = select(Space.id).where(Space.owner_id == owner.id, func.lower(Space.name) == name.lower())
    if work.session.scalar(taken) is not None:
        raise InputError(f"{owner.handle} has a space {name} already.", field="name")


def _described(space: Space) -> dict[str, object]:
    return {"name": space.name, "description": space.description}


def find_space(work: Work, reference: str, action: Action = Action.SPACE_READ) -> Space:
    """Return the space named by its uid, `owner/name` or, where only one such is in reach, `name`.

    Raises:
        NotFound: there is none, or the actor may not know of it.
        InputError: several spaces in reach have this name.
        PermissionDenied: the actor may see it, but `action` needs more.
    """
    owner, separator, name = reference.strip().rpartition("/")
    named = func.lower(Space.name) == name.lower()
    query = select(Space).where(or_(Space.uid == reference, named))
    if separator:
        query = select(Space).join(Account, Space.owner_id == Account.id).where(named, Account.handle == owner.lower())
    found = [s for s in work.session.scalars(query) if allows(work.actor, Action.SPACE_READ, SpaceTarget(s.id))]
    if not found:
        raise NotFound(f"There is no space {reference}, or you have no role in it.", field="space")
    found = [s for s in found if s.id in work.actor.spaces] or found  # a portal admin sees everybody's
    # A name may look like another space's uid: the uid wins.
    found = [space for space in found if space.uid == reference] or found
    if len(found) > 1:
        raise InputError(f"Several spaces are named {reference}.", hint="Write OWNER/NAME.", field="space")
    require(work.actor, action, SpaceTarget(found[0].id))
    return found[0]


def describe_space(work: Work, reference: str, description: str) -> Space:
    """Change a space's description.

    Raises:
        PermissionDenied: the actor is no admin of the space.
    """
    space = _find_with_members(work, reference)
    before = _described(space)
    space.description, space.updated_at = description.strip(), work.now
    record(work, "space.changed", space, Change(before, _described(space)))
    return space


def _find_with_members(work: Work, reference: str) -> Space:
    """Return a space the actor manages; the space `all` has no members to manage."""
    space = find_space(work, reference)
    if space.id == ALL_SPACE_ID:
        raise Refused(
            "The space all has no members: it means the collaborators of each location's instance.",
            hint="Grant the role on the instance.",
        )
    require(work.actor, Action.SPACE_MANAGE, SpaceTarget(space.id))
    return space


def grant_space_role(work: Work, reference: str, handle: str, role: Role) -> None:
    """Give an account a role in a space, replacing the one it has.

    Raises:
        Conflict: it would take the last admin's role.
        NotFound: no such space or account.
        PermissionDenied: the actor is no admin of the space.
        Refused: the space is `all`.
    """
    members.grant_role(work, _find_with_members(work, reference), handle, role)


def revoke_space_role(work: Work, reference: str, handle: str) -> None:
    """Take an account's role in a space.

    Raises:
        Conflict: it is the last admin.
        NotFound: no such space, account or member.
        PermissionDenied: the actor is no admin of the space.
    """
    members.revoke_role(work, _find_with_members(work, reference), handle)


def list_spaces(work: Work) -> list[SpaceRow]:
    """Return the spaces in the actor's reach, `all` first, then by name: three queries, however many there are."""
    rows = work.session.execute(_spaces_in_reach(work)).all()
    people = _counts(work, select(SpaceMember.space_id, func.count()).group_by(SpaceMember.space_id))
    storages = _counts(
        work,
        select(Storage.space_id, func.count()).where(visible_storages(work.actor)).group_by(Storage.space_id),
    )
    return [
        SpaceRow(
            id=space.id,
            uid=space.uid,
            name=space.name,
            owner=owner,
            description=space.description,
            role=work.actor.spaces.get(space.id),
            member_count=people.get(space.id, 0),
            storage_count=storages.get(space.id, 0),
            created_at=space.created_at,
        )
        for space, owner in rows
    ]


def _spaces_in_reach(work: Work) -> Select[Space, str]:
    reach: ColumnElement[bool] = Space.id.in_([ALL_SPACE_ID, *work.actor.spaces])
    if allows(work.actor, Action.PORTAL_ADMINISTER, PortalTarget()):
        reach = true()
    by_name = (Space.id != ALL_SPACE_ID, func.lower(Space.name), Space.id)
    return (
        select(Space, Account.handle).outerjoin(Account, Space.owner_id == Account.id).where(reach).order_by(*by_name)
    )


def _counts(work: Work, query: Select[int, int]) -> dict[int, int]:
    return dict(work.session.execute(query).all())


def list_members(work: Work, space: Space) -> list[MemberRow]:
    """Return the members of a space by handle; none for `all`.

    Raises:
        NotFound: the actor has no role in the space.
    """
    require(work.actor, Action.SPACE_READ, SpaceTarget(space.id))
    return members.list_rows(work, space)
