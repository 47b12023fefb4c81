"""Who can reach a location, and through what. Answered by the function that decides every request."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Select, select

from portal.errors import NotFound
from portal.models import Account, Collaborator, Membership, SpaceMember, Storage
from portal.permissions import Explanation, explain_storage
from portal.services.access import load_actor, storage_target
from portal.services.work import Work
from portal.values import AccountKind, Actor, MembershipRole, Role, initials


@dataclass(frozen=True, slots=True)
class ReachRow:
    """Somebody with a role on a location, and the sentence that says through what."""

    handle: str
    name: str
    role: Role
    reason: str

    @property
    def initials(self) -> str:
        """Return one or two letters for the avatar."""
        return initials(self.name or self.handle)


@dataclass(frozen=True, slots=True)
class ExplainedStep:
    """One box of an explanation. `role` None: there is none. `decides`: this is the role that counts."""

    where: str
    role: Role | None
    decides: bool


@dataclass(frozen=True, slots=True)
class Explained:
    """Which role one person has, step by step, and in one sentence. `role` None: no access."""

    handle: str
    role: Role | None
    steps: tuple[ExplainedStep, ...]
    combined_by: str
    sentence: str


def list_reach(work: Work, storage: Storage) -> list[ReachRow]:
    """Return everybody with a role on a location, strongest first, then by handle: four queries, however many."""
    target = storage_target(storage)
    on_instance = _roles(work, select(Collaborator.account_id, Collaborator.role).where(
        Collaborator.instance_id == storage.instance_id))  # fmt: skip
    in_space = _roles(work, select(SpaceMember.account_id, SpaceMember.role).where(
        SpaceMember.space_id == storage.space_id))  # fmt: skip
    owning = _acting_for(work, storage.owner_id)
    ids = {*on_instance, *in_space, *owning}
    rows = []
    for account in work.session.scalars(select(Account).where(Account.id.in_(ids), Account.is_active)):
        actor = Actor(
            account_id=account.id,
            handle=account.handle,
            instances={storage.instance_id or 0: on_instance[account.id]} if account.id in on_instance else {},
            spaces={storage.space_id: in_space[account.id]} if account.id in in_space else {},
            owners=frozenset({account.id, *([storage.owner_id] if account.id in owning else [])}),
        )
        found = explain_storage(actor, target)
        if found.role is not None and account.kind is not AccountKind.ORGANISATION:
            rows.append(ReachRow(account.handle, account.name, found.role, _reason(storage, found)))
    return sorted(rows, key=lambda row: (-row.role.rank, row.handle))


def _roles(work: Work, query: Select[int, Role]) -> dict[int, Role]:
    return dict(work.session.execute(query).all())


def _acting_for(work: Work, owner_id: int) -> set[int]:
    owners = select(Membership.account_id).where(
        Membership.organisation_id == owner_id, Membership.role == MembershipRole.OWNER
    )
    return {owner_id, *work.session.scalars(owners)}


def count_roles(rows: Iterable[ReachRow]) -> dict[Role, int]:
    """Return how many people have each role, strongest first."""
    found = list(rows)
    return {role: sum(row.role is role for row in found) for role in reversed(Role)}


def explain_person(work: Work, storage: Storage, handle: str) -> Explained:
    """Return which role somebody has on a location, and through what. The caller has found the location.

    Raises:
        NotFound: no such account.
    """
    account = work.session.scalar(select(Account).where(Account.handle == handle.strip().lower()))
    if account is None:
        raise NotFound(f"There is no account {handle}.", field="person")
    found = explain_storage(load_actor(work.session, account, via="explain"), storage_target(storage))
    steps = tuple(
        ExplainedStep(_where(storage, step.through), step.role, step.role is found.role and found.role is not None)
        for step in found.steps
    )
    name = account.name or account.handle
    role = f"has the role {found.role}" if found.role else "has no access"
    return Explained(account.handle, found.role, steps, found.combined_by, f"{name} {role}: {_reason(storage, found)}.")


def list_people(work: Work) -> list[tuple[str, str]]:
    """Return (handle, name) of every active person and bot, by handle."""
    query = select(Account.handle, Account.name).where(Account.is_active, Account.kind != AccountKind.ORGANISATION)
    return [(handle, name or handle) for handle, name in work.session.execute(query.order_by(Account.handle))]


def _where(storage: Storage, through: str) -> str:
    if through == "instance":
        return f"On {storage.instance.slug if storage.instance else 'the instance'}"
    if through == "space":
        return f"In {storage.space.name}"
    return f"As {storage.owner.handle}, who owns it"


def _reason(storage: Storage, found: Explanation) -> str:
    parts = []
    for step in found.steps:
        where = _where(storage, step.through)
        parts.append(f"{where[0].lower()}{where[1:]}: {step.role or 'no role'}")
    counts = f"; the {found.combined_by} counts" if found.combined_by else ""
    return " and ".join(parts) + counts
