"""Lists of people and organisations, for everybody signed in."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select, true

from portal.errors import NotFound
from portal.models import Account, Membership
from portal.permissions import Action, PortalTarget, allows, require
from portal.services.accounts import find_account
from portal.services.work import Work
from portal.values import AccountKind, MembershipRole, initials


@dataclass(frozen=True, slots=True)
class PersonRow:
    """An account in a list.

    `email` and `can_sign_in` (a password was chosen) are known to portal admins and to the person; else None.
    """

    handle: str
    name: str
    uid: str
    kind: AccountKind
    is_portal_admin: bool
    is_active: bool
    email: str | None
    can_sign_in: bool | None
    created_at: datetime

    @property
    def initials(self) -> str:
        """Return one or two letters for the avatar."""
        return initials(self.name or self.handle)


@dataclass(frozen=True, slots=True)
class OrganisationRow:
    """An organisation in a list; `role` is the actor's own there, None for outsiders."""

    handle: str
    name: str
    role: MembershipRole | None
    people_count: int
    created_at: datetime


def require_admin(work: Work) -> None:
    """Refuse everybody but portal admins, before a page only they may use is shown.

    Raises:
        PermissionDenied: the actor is no portal admin.
    """
    require(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())


def list_people(work: Work, text: str = "") -> list[PersonRow]:
    """Return people and bots by handle, those whose handle or name contains `text`."""
    require(work.actor, Action.PEOPLE_READ, PortalTarget())
    query = (
        select(Account)
        .where(Account.kind != AccountKind.ORGANISATION, _matching(text))
        .order_by(Account.is_active.desc(), Account.handle)
    )
    return [_person(work, account) for account in work.session.scalars(query)]


def find_person(work: Work, handle: str) -> PersonRow:
    """Return one account of any kind.

    Raises:
        NotFound: there is none.
    """
    require(work.actor, Action.PEOPLE_READ, PortalTarget())
    try:
        return _person(work, find_account(work, handle))
    except NotFound as error:
        raise NotFound(f"There is nobody with the handle {handle}.") from error


def list_organisations(work: Work, text: str = "", member: str | None = None) -> list[OrganisationRow]:
    """Return organisations by handle; with `member` those this person is in."""
    require(work.actor, Action.PEOPLE_READ, PortalTarget())
    count = (
        select(func.count()).select_from(Membership).where(Membership.organisation_id == Account.id).scalar_subquery()
    )
    own = (
        select(Membership.role)
        .where(Membership.organisation_id == Account.id, Membership.account_id == work.actor.account_id)
        .scalar_subquery()
    )
    query = (
        select(Account.handle, Account.name, own, count, Account.created_at)
        .where(Account.kind == AccountKind.ORGANISATION, _matching(text))
        .order_by(Account.handle)
    )
    if member is not None:
        ids = select(Membership.organisation_id).where(Membership.account_id == find_account(work, member).id)
        query = query.where(Account.id.in_(ids))
    return [OrganisationRow(*row) for row in work.session.execute(query)]


def _matching(text: str) -> ColumnElement[bool]:
    if not text.strip():
        return true()
    wanted = text.strip().lower()
    return or_(
        Account.handle.contains(wanted, autoescape=True),
        func.lower(Account.name).contains(wanted, autoescape=True),
    )


def _person(work: Work, account: Account) -> PersonRow:
    is_own = account.id == work.actor.account_id
    may_know = is_own or allows(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    return PersonRow(
        handle=account.handle,
        name=account.name,
        uid=account.uid,
        kind=account.kind,
        is_portal_admin=account.is_portal_admin,
        is_active=account.is_active,
        email=account.email if may_know else None,
        can_sign_in=account.password_hash is not None if may_know else None,
        created_at=account.created_at,
    )
