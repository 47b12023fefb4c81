"""The whole access policy, in one file, pure.

A service's first line is `require(actor, Action.X, target)`; templates and lists ask `allows` with the same arguments.
An actor carries every role it holds, a target carries the few facts a decision needs, so no decision costs a query.

The rules (design.md, "Access", "Management", "Portal admin"):

* A location with a writing instance: in the space `all` the role on the instance counts; in any other space the lower
  of the roles on the instance and in the space.
* A location without one: the owner, or the owners of the owning organisation, are admin; in a space, the role there.
* A portal admin administers people, hosts, memberships and server grants, and reads no content without a role.
"""

from dataclasses import dataclass
from enum import StrEnum

from portal.errors import NotFound, PermissionDenied
from portal.values import ALL_SPACE_ID, Actor, Role, higher_role, lower_role


class Action(StrEnum):
    """Everything that can be allowed: `<resource>:<action>`."""

    CONNECTION_CREATE = "connection:create"
    CONNECTION_MANAGE = "connection:manage"
    CONNECTION_USE = "connection:use"
    INSTANCE_CREATE = "instance:create"
    INSTANCE_MANAGE = "instance:manage"
    INSTANCE_READ = "instance:read"
    INSTANCE_WRITE_STORAGE = "instance:write_storage"
    ORGANISATION_CREATE = "organisation:create"
    ORGANISATION_MANAGE = "organisation:manage"
    PEOPLE_READ = "people:read"
    PORTAL_ADMINISTER = "portal:administer"
    SPACE_CREATE = "space:create"
    SPACE_MANAGE = "space:manage"
    SPACE_PLACE_STORAGE = "space:place_storage"
    SPACE_READ = "space:read"
    STORAGE_CHECK = "storage:check"
    STORAGE_CREATE = "storage:create"
    STORAGE_DELETE = "storage:delete"
    STORAGE_DESCRIBE = "storage:describe"
    STORAGE_MANAGE = "storage:manage"
    STORAGE_MOVE = "storage:move"
    STORAGE_READ = "storage:read"


@dataclass(frozen=True, slots=True)
class StorageTarget:
    """A storage location, as far as access depends on it. `instance_id` None: no writing instance."""

    instance_id: int | None
    space_id: int
    owner_id: int
    noun: str = "storage location"


@dataclass(frozen=True, slots=True)
class InstanceTarget:
    """An instance, by its row id."""

    instance_id: int
    noun: str = "instance"


@dataclass(frozen=True, slots=True)
class SpaceTarget:
    """A space, by its row id."""

    space_id: int
    noun: str = "space"


@dataclass(frozen=True, slots=True)
class OwnerTarget:
    """Something that belongs to one account and is reached only by those who act for it."""

    owner_id: int
    noun: str = "record"


@dataclass(frozen=True, slots=True)
class PortalTarget:
    """The portal itself: people, hosts, server grants."""

    noun: str = "page"


Target = StorageTarget | InstanceTarget | SpaceTarget | OwnerTarget | PortalTarget

#: The least role an action needs on a storage location, an instance or a space.
ROLE_NEEDED: dict[Action, Role] = {
    Action.INSTANCE_MANAGE: Role.ADMIN,
    Action.INSTANCE_READ: Role.READ,
    Action.INSTANCE_WRITE_STORAGE: Role.ADMIN,
    Action.SPACE_MANAGE: Role.ADMIN,
    Action.SPACE_PLACE_STORAGE: Role.ADMIN,
    Action.SPACE_READ: Role.READ,
    Action.STORAGE_CHECK: Role.WRITE,
    Action.STORAGE_DELETE: Role.ADMIN,
    Action.STORAGE_DESCRIBE: Role.WRITE,
    Action.STORAGE_MANAGE: Role.ADMIN,
    Action.STORAGE_MOVE: Role.ADMIN,
    Action.STORAGE_READ: Role.READ,
}

#: What a portal admin may do without a role: see who may reach what, and change that. Never content or credentials.
PORTAL_ADMIN_MAY = frozenset(
    {
        Action.INSTANCE_MANAGE,
        Action.INSTANCE_READ,
        Action.ORGANISATION_MANAGE,
        Action.PORTAL_ADMINISTER,
        Action.SPACE_MANAGE,
        Action.SPACE_READ,
    }
)

#: What any signed-in account may do.
SIGNED_IN_MAY = frozenset({Action.ORGANISATION_CREATE, Action.PEOPLE_READ})

#: The space `all` has no members: it means the collaborators of the instance, whose roles are asked beside it.
ALL_SPACE_ALLOWS = frozenset({Action.SPACE_PLACE_STORAGE, Action.SPACE_READ})

#: What only those who act for the owner account may do.
OWNER_MAY = frozenset(
    {
        Action.CONNECTION_CREATE,
        Action.CONNECTION_MANAGE,
        Action.CONNECTION_USE,
        Action.INSTANCE_CREATE,
        Action.ORGANISATION_MANAGE,
        Action.SPACE_CREATE,
        Action.STORAGE_CREATE,
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an explanation: where a role comes from. `role` None: there is none."""

    through: str
    role: Role | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which role an actor has on a location, and through what.

    Attributes:
        role: the role that counts; None for no access.
        steps: the roles that were looked at, in the order of the rules.
        combined_by: `lower` or `higher` of the steps; empty when one step decides.
    """

    role: Role | None
    steps: tuple[Step, ...]
    combined_by: str = ""


def explain_storage(actor: Actor, target: StorageTarget) -> Explanation:
    """Return the role of `actor` on a storage location together with the reasons."""
    in_space = actor.spaces.get(target.space_id)
    if target.instance_id is not None:
        on_instance = actor.instances.get(target.instance_id)
        first = Step("instance", on_instance)
        if target.space_id == ALL_SPACE_ID:
            return Explanation(on_instance, (first,))
        return Explanation(lower_role(on_instance, in_space), (first, Step("space", in_space)), "lower")
    as_owner = Role.ADMIN if target.owner_id in actor.owners else None
    first = Step("owner", as_owner)
    if target.space_id == ALL_SPACE_ID:
        return Explanation(as_owner, (first,))
    return Explanation(higher_role(as_owner, in_space), (first, Step("space", in_space)), "higher")


def role_on(actor: Actor, target: Target) -> Role | None:
    """Return the role of `actor` on `target`; None for none. For owners' records it is admin or none."""
    match target:
        case StorageTarget():
            return explain_storage(actor, target).role
        case InstanceTarget():
            return actor.instances.get(target.instance_id)
        case SpaceTarget():
            return actor.spaces.get(target.space_id)
        case OwnerTarget():
            return Role.ADMIN if target.owner_id in actor.owners else None
        case PortalTarget():
            return Role.ADMIN if actor.is_portal_admin else None


def allows(actor: Actor, action: Action, target: Target) -> bool:
    """Tell whether `actor` may do `action` to `target`."""
    if not actor.is_signed_in:
        return False
    if action in SIGNED_IN_MAY:
        return True
    if isinstance(target, SpaceTarget) and target.space_id == ALL_SPACE_ID:
        return action in ALL_SPACE_ALLOWS
    if actor.is_portal_admin and action in PORTAL_ADMIN_MAY and not isinstance(target, StorageTarget):
        return True
    if action in OWNER_MAY:
        return isinstance(target, OwnerTarget) and target.owner_id in actor.owners
    needed = ROLE_NEEDED.get(action)
    held = role_on(actor, target)
    return needed is not None and held is not None and held.covers(needed)


def require(actor: Actor, action: Action, target: Target) -> None:
    """Refuse unless `actor` may do `action` to `target`.

    Raises:
        NotFound: the actor is signed in and holds no role on the target, so it must not learn that it exists.
        PermissionDenied: nobody is signed in, or the actor may see the target but not do this.
    """
    if allows(actor, action, target):
        return
    if not actor.is_signed_in:
        raise PermissionDenied(
            "Nobody is signed in.", hint="Sign in; on the command line give --as HANDLE or set PORTAL_ACCOUNT."
        )
    if isinstance(target, PortalTarget) and actor.is_signed_in:
        raise PermissionDenied("Only a portal admin may do this.", hint="Ask a portal admin.")
    if role_on(actor, target) is None:
        raise NotFound(f"There is no such {target.noun}, or you have no role on it.")
    needed = ROLE_NEEDED.get(action, Role.ADMIN)
    raise PermissionDenied(
        f"This needs the role {needed} on the {target.noun}; yours is {role_on(actor, target)}.",
        hint="Ask one of its admins.",
    )
