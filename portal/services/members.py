"""Roles of accounts on something that has members: a space, or an instance with its collaborators.

The rules are the same for both, so they are here once; who may change them is asked by `spaces.py` and `instances.py`.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from portal.errors import Conflict, InputError, NotFound
from portal.models import Account, Collaborator, Instance, Space, SpaceMember
from portal.services.accounts import find_account
from portal.services.events import Change, record
from portal.services.work import Work
from portal.values import AccountKind, Role, initials


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member of a space or a collaborator of an instance."""

    handle: str
    name: str
    kind: AccountKind
    role: Role
    since: datetime

    @property
    def initials(self) -> str:
        """Return one or two letters for the avatar."""
        return initials(self.name or self.handle)


def add_first_admin(work: Work, subject: Space | Instance) -> None:
    """Make the actor the admin of what it has just made."""
    work.session.add(_new_row(subject, work.actor.account_id, Role.ADMIN, work.now))


def grant_role(work: Work, subject: Space | Instance, handle: str, role: Role) -> None:
    """Give an account a role, replacing the one it has.

    Raises:
        Conflict: it would take the last admin's role.
        InputError: an organisation, or a closed account.
        NotFound: no such account.
    """
    _lock(work, subject)
    account = find_account(work, handle)
    if account.kind is AccountKind.ORGANISATION:
        raise InputError("An organisation cannot be a member. Add its people.", field="handle")
    if not account.is_active:
        raise InputError(f"The account {account.handle} is closed.", field="handle")
    member = _find_row(work, subject, account)
    before = str(member.role) if member else None
    if member is None:
        member = _new_row(subject, account.id, role, work.now)
        work.session.add(member)
    elif role is not Role.ADMIN:
        _refuse_last_admin(work, subject, account)
    member.role = role
    if before != role:
        change = Change({"handle": account.handle, "role": before}, {"handle": account.handle, "role": str(role)})
        record(work, f"{_noun(subject)}.role-granted", subject, change)


def revoke_role(work: Work, subject: Space | Instance, handle: str) -> None:
    """Take an account's role.

    Raises:
        Conflict: it is the last admin.
        NotFound: no such account, or it has no role here.
    """
    _lock(work, subject)
    account = find_account(work, handle)
    member = _find_row(work, subject, account)
    if member is None:
        raise NotFound(f"{account.handle} has no role on this {_noun(subject)}.", field="handle")
    _refuse_last_admin(work, subject, account)
    before = {"handle": account.handle, "role": str(member.role)}
    work.session.delete(member)
    record(work, f"{_noun(subject)}.role-revoked", subject, Change(before))


def list_rows(work: Work, subject: Space | Instance) -> list[MemberRow]:
    """Return everybody with a role on `subject`, by handle."""
    table, key = _table(subject)
    query = (
        select(Account.handle, Account.name, Account.kind, table.role, table.created_at)
        .join(table, table.account_id == Account.id)
        .where(key == subject.id)
        .order_by(Account.handle)
    )
    return [MemberRow(*row) for row in work.session.execute(query)]


def _noun(subject: Space | Instance) -> str:
    return "space" if isinstance(subject, Space) else "instance"


def _table(subject: Space | Instance) -> tuple[type[SpaceMember | Collaborator], InstrumentedAttribute[int]]:
    if isinstance(subject, Space):
        return SpaceMember, SpaceMember.space_id
    return Collaborator, Collaborator.instance_id


def _new_row(subject: Space | Instance, account_id: int | None, role: Role, at: datetime) -> SpaceMember | Collaborator:
    if isinstance(subject, Space):
        return SpaceMember(space_id=subject.id, account_id=account_id, role=role, created_at=at)
    return Collaborator(instance_id=subject.id, account_id=account_id, role=role, created_at=at)


def _find_row(work: Work, subject: Space | Instance, account: Account) -> SpaceMember | Collaborator | None:
    if isinstance(subject, Space):
        return work.session.get(SpaceMember, (subject.id, account.id))
    return work.session.get(Collaborator, (subject.id, account.id))


def _lock(work: Work, subject: Space | Instance) -> None:
    """Hold the row until the transaction ends, so that two admins who remove each other come one after the other."""
    model = type(subject)
    work.session.execute(select(model.id).where(model.id == subject.id).with_for_update())


def _refuse_last_admin(work: Work, subject: Space | Instance, account: Account) -> None:
    """Refuse when nobody else who can sign in is admin."""
    table, key = _table(subject)
    admins = set(
        work.session.scalars(
            select(table.account_id)
            .join(Account, Account.id == table.account_id)
            .where(key == subject.id, table.role == Role.ADMIN, Account.is_active)
        )
    )
    if admins == {account.id}:
        raise Conflict(f"{account.handle} is the last admin here.", hint="Make someone else admin first.")
