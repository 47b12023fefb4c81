"""Organisations: accounts that people own together. Owners act for one; members belong to it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from portal.errors import Conflict, InputError, NotFound, PermissionDenied
from portal.models import Account, Membership
from portal.permissions import Action, OwnerTarget, PortalTarget, allows, require
from portal.services.accounts import NewAccount, describe, find_account, insert_account
from portal.services.events import Change, record
from portal.services.work import Work
from portal.values import AccountKind, MembershipRole, initials


@dataclass(frozen=True, slots=True)
class NewOrganisation:
    """An organisation to make."""

    handle: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class OrganisationMemberRow:
    """A person in an organisation."""

    handle: str
    name: str
    role: MembershipRole
    since: datetime

    @property
    def initials(self) -> str:
        """Return one or two letters for the avatar."""
        return initials(self.name or self.handle)


def create_organisation(work: Work, new: NewOrganisation) -> Account:
    """Make an organisation; the actor becomes its owner.

    Raises:
        InputError: the handle cannot be used or is taken.
    """
    require(work.actor, Action.ORGANISATION_CREATE, PortalTarget())
    account = NewAccount(new.handle.strip().lower(), name=new.name.strip())
    account.check()
    organisation = insert_account(work, account, kind=AccountKind.ORGANISATION)
    work.session.add(
        Membership(
            organisation_id=organisation.id,
            account_id=work.actor.account_id,
            role=MembershipRole.OWNER,
            created_at=work.now,
        )
    )
    record(work, "organisation.created", organisation, Change(after=describe(organisation)))
    return organisation


def find_organisation(work: Work, handle: str, action: Action = Action.PEOPLE_READ) -> Account:
    """Return the organisation of a handle; every signed-in person may see it.

    Raises:
        NotFound: there is none.
        PermissionDenied: `action` needs an owner of it.
    """
    require(work.actor, Action.PEOPLE_READ, PortalTarget())
    account = work.session.scalar(
        select(Account).where(Account.handle == handle.strip().lower(), Account.kind == AccountKind.ORGANISATION)
    )
    if account is None:
        raise NotFound(f"There is no organisation {handle}.", field="organisation")
    if not allows(work.actor, action, OwnerTarget(account.id, "organisation")):
        # Everybody may know that it is there, so this is no "not found".
        raise PermissionDenied(f"Only owners of {account.handle} may do this.", hint="Ask one of them.")
    return account


def _find_managed(work: Work, handle: str) -> Account:
    return find_organisation(work, handle, Action.ORGANISATION_MANAGE)


def describe_organisation(work: Work, handle: str, name: str) -> Account:
    """Change an organisation's name.

    Raises:
        InputError: the name is too long.
        PermissionDenied: the actor is no owner of it.
    """
    organisation = _find_managed(work, handle)
    if len(name) > 150:
        raise InputError("The name has more than 150 characters.", field="name")
    before = describe(organisation)
    organisation.name, organisation.updated_at = name.strip(), work.now
    record(work, "organisation.changed", organisation, Change(before, describe(organisation)))
    return organisation


def set_member(work: Work, organisation_handle: str, handle: str, role: MembershipRole) -> Membership:
    """Add a person to an organisation, or change what the person is there.

    Raises:
        Conflict: it would leave the organisation without an owner.
        InputError: the account is no person.
        NotFound: no such organisation or account.
        PermissionDenied: the actor is no owner of it.
    """
    organisation = _find_managed(work, organisation_handle)
    _lock(work, organisation)
    account = find_account(work, handle)
    if account.kind is not AccountKind.PERSON or not account.is_active:
        raise InputError(f"{account.handle} is no person who can sign in.", field="handle")
    member = work.session.get(Membership, (organisation.id, account.id))
    before = str(member.role) if member else None
    if member is None:
        member = Membership(organisation_id=organisation.id, account_id=account.id, role=role, created_at=work.now)
        work.session.add(member)
    elif role is not MembershipRole.OWNER:
        _refuse_last_owner(work, organisation, account)
    member.role = role
    change = Change({"handle": account.handle, "role": before}, {"handle": account.handle, "role": str(role)})
    record(work, "organisation.member-set", organisation, change)
    return member


def remove_member(work: Work, organisation_handle: str, handle: str) -> None:
    """Take a person out of an organisation.

    Raises:
        Conflict: it is the last owner.
        NotFound: no such organisation, account or member.
        PermissionDenied: the actor is no owner of it.
    """
    organisation = _find_managed(work, organisation_handle)
    _lock(work, organisation)
    account = find_account(work, handle)
    member = work.session.get(Membership, (organisation.id, account.id))
    if member is None:
        raise NotFound(f"{account.handle} is not in {organisation.handle}.", field="handle")
    _refuse_last_owner(work, organisation, account)
    before = {"handle": account.handle, "role": str(member.role)}
    work.session.delete(member)
    record(work, "organisation.member-removed", organisation, Change(before))


def _lock(work: Work, organisation: Account) -> None:
    """Hold the row until the transaction ends, so that two owners who remove each other come one after the other."""
    work.session.execute(select(Account.id).where(Account.id == organisation.id).with_for_update())


def _refuse_last_owner(work: Work, organisation: Account, account: Account) -> None:
    owners = set(
        work.session.scalars(
            select(Membership.account_id)
            .join(Account, Account.id == Membership.account_id)
            .where(
                Membership.organisation_id == organisation.id,
                Membership.role == MembershipRole.OWNER,
                Account.is_active,
            )
        )
    )
    if owners == {account.id}:
        raise Conflict(f"{account.handle} is the last owner here.", hint="Make someone else owner first.")


def list_organisation_members(work: Work, handle: str) -> list[OrganisationMemberRow]:
    """Return the people in an organisation, owners first, then by handle."""
    organisation = find_organisation(work, handle)
    query = (
        select(Account.handle, Account.name, Membership.role, Membership.created_at)
        .join(Membership, Membership.account_id == Account.id)
        .where(Membership.organisation_id == organisation.id)
        .order_by(Membership.role.desc(), func.lower(Account.handle))
    )
    return [OrganisationMemberRow(*row) for row in work.session.execute(query)]
