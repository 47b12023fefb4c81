"""People's accounts: the first one, adding, changing, signing in, and one-time links."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from portal.errors import Conflict, InputError, NotFound, SignInFailed
from portal.models import Account, OneTimeLink
from portal.permissions import Action, PortalTarget, require
from portal.planning.names import check_handle
from portal.services import passwords, throttle
from portal.services.events import Change, record
from portal.services.work import Work
from portal.values import AccountKind

SETUP_LINK_HOURS = 24
INVITATION_HOURS = 72

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A person to add. `password` None: a one-time link lets the person choose one."""

    handle: str
    email: str | None = None
    name: str = ""
    password: str | None = None
    is_portal_admin: bool = False

    def check(self) -> None:
        """Refuse values that cannot be used.

        Raises:
            InputError: naming the field.
        """
        check_handle(self.handle)
        if self.email is not None and (len(self.email) > 254 or not _EMAIL.fullmatch(self.email)):
            raise InputError("An e-mail address looks like name@example.org.", field="email")
        if len(self.name) > 150:
            raise InputError("The name has more than 150 characters.", field="name")
        if self.password is not None:
            passwords.check_password(self.password, handle=self.handle, email=self.email or "")


@dataclass(frozen=True, slots=True)
class PreparedAccount:
    """A checked account with its password already hashed: nothing slow is left for the transaction."""

    new: NewAccount
    password_hash: str | None


def prepare_account(new: NewAccount) -> PreparedAccount:
    """Check and hash, before a transaction begins.

    Raises:
        InputError: naming the field.
    """
    new.check()
    return PreparedAccount(new, passwords.hash_password(new.password) if new.password is not None else None)


def is_empty(work: Work) -> bool:
    """Tell whether the portal has no account that could sign in."""
    found = work.session.scalar(select(Account.id).where(Account.kind == AccountKind.PERSON).limit(1))
    return found is None


def add_account(work: Work, prepared: PreparedAccount) -> Account:
    """Add a person. The first account of an empty portal needs no actor and becomes portal admin.

    Raises:
        InputError: the handle or the e-mail address is taken.
        PermissionDenied: the actor is no portal admin.
    """
    first = is_empty(work)
    if not first:
        require(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    account = insert_account(
        work,
        prepared.new,
        kind=AccountKind.PERSON,
        password_hash=prepared.password_hash,
        is_portal_admin=prepared.new.is_portal_admin or first,
    )
    record(work, "account.created", account, Change(after=describe(account)))
    return account


def insert_account(
    work: Work,
    new: NewAccount,
    *,
    kind: AccountKind,
    password_hash: str | None = None,
    is_portal_admin: bool = False,
) -> Account:
    """Put a checked account into the database; who may do that is asked by the caller, which also writes the event.

    Raises:
        InputError: the handle or the e-mail address is taken.
    """
    _refuse_taken(work, new)
    account = Account(
        handle=new.handle,
        email=new.email,
        name=new.name,
        kind=kind,
        password_hash=password_hash,
        is_portal_admin=is_portal_admin,
        created_at=work.now,
        updated_at=work.now,
    )
    work.session.add(account)
    _flush_unique(work, new)
    return account


def _refuse_taken(work: Work, new: NewAccount) -> None:
    if work.session.scalar(select(Account.id).where(Account.handle == new.handle)) is not None:
        raise InputError(f"The handle {new.handle} is taken.", field="handle")
    taken = select(Account.id).where(func.lower(Account.email) == (new.email or "").lower())
    if new.email and work.session.scalar(taken) is not None:
        raise InputError(f"The address {new.email} belongs to another account.", field="email")


def _flush_unique(work: Work, new: NewAccount) -> None:
    """Flush, and word the race of two people who take one handle at once like the ordinary case."""
    try:
        work.session.flush()
    except IntegrityError as error:
        raise InputError(f"The handle {new.handle} or its address was taken just now.", field="handle") from error


def describe(account: Account) -> dict[str, object]:
    """Return what events and `--json` say of an account; never its password hash."""
    return {
        "uid": account.uid,
        "handle": account.handle,
        "name": account.name,
        "email": account.email,
        "kind": str(account.kind),
        "is_portal_admin": account.is_portal_admin,
        "is_active": account.is_active,
    }


def make_setup_link(work: Work) -> str | None:
    """Return the token of a fresh first-run set-up link, ending older ones; None when there is an account already."""
    if not is_empty(work):
        return None
    work.session.execute(
        update(OneTimeLink)
        .where(OneTimeLink.account_id.is_(None), OneTimeLink.used_at.is_(None))
        .values(used_at=work.now)
    )
    return _make_link(work, None, SETUP_LINK_HOURS)


def make_password_link(work: Work, handle: str) -> str:
    """Return the token of a one-time link with which `handle` chooses a password.

    Raises:
        PermissionDenied: the actor is no portal admin.
        NotFound: no such person.
    """
    require(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    account = find_account(work, handle)
    token = _make_link(work, account.id, INVITATION_HOURS)
    record(work, "account.link-made", account)
    return token


def _make_link(work: Work, account_id: int | None, hours: int) -> str:
    token = secrets.token_urlsafe(32)
    work.session.add(
        OneTimeLink(
            token_hash=_token_hash(token),
            account_id=account_id,
            created_at=work.now,
            expires_at=work.now + timedelta(hours=hours),
        )
    )
    work.session.flush()
    return token


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def find_link(work: Work, token: str) -> OneTimeLink:
    """Return the link a token opens.

    Raises:
        NotFound: unknown, used or expired; the three look the same.
    """
    link = work.session.scalar(select(OneTimeLink).where(OneTimeLink.token_hash == _token_hash(token)))
    if link is None or link.used_at is not None or link.expires_at <= work.now:
        raise NotFound(
            "This link was used already or has expired.",
            hint="Ask a portal admin for a new one. A new set-up link is printed each time the portal starts.",
        )
    return link


def use_setup_link(work: Work, token: str, prepared: PreparedAccount) -> Account:
    """Make the first portal admin, and end the link.

    Raises:
        NotFound: the link is used, expired, or the portal has an account already.
        InputError: naming the field.
    """
    link = find_link(work, token)
    if link.account_id is not None or not is_empty(work):
        raise NotFound("This portal is set up already.", hint="Sign in, or ask a portal admin for an account.")
    link.used_at = work.now
    return add_account(work, prepared)


def use_password_link(work: Work, token: str, password_hash: str) -> Account:
    """Set the password of the link's account, end the link and every session of the account.

    Raises:
        NotFound: the link is used or expired.
    """
    link = find_link(work, token)
    account = work.session.get(Account, link.account_id) if link.account_id is not None else None
    if account is None or not account.is_active:
        raise NotFound("This link belongs to no account.", hint="Ask a portal admin for a new one.")
    link.used_at = work.now
    return _set_password(work, account, password_hash)


def change_password(work: Work, password_hash: str) -> Account:
    """Set a new password for the actor's own account and end every session of it, this one too.

    The caller has checked the old password (outside the transaction, since argon2 is slow).
    """
    account = work.session.get_one(Account, work.actor.account_id)
    return _set_password(work, account, password_hash)


def _set_password(work: Work, account: Account, password_hash: str) -> Account:
    account.password_hash = password_hash
    account.session_epoch += 1
    account.updated_at = work.now
    record(work, "account.password-changed", account)
    return account


def take_sign_in_tries(work: Work, handle: str) -> None:
    """Count a try to sign in, before the password is looked at.

    Raises:
        Throttled: too many tries for this handle or from this address.
    """
    throttle.take(work, throttle.SIGN_IN_BY_ADDRESS, work.actor.address)
    throttle.take(work, throttle.SIGN_IN_BY_HANDLE, handle.lower())


def check_sign_in(work: Work, handle: str, password: str) -> Account:
    """Return the account that handle (or e-mail address) and password belong to. Slow: argon2.

    Raises:
        SignInFailed: they do not belong together; takes as long for a handle that does not exist.
    """
    wanted = handle.strip().lower()
    column = func.lower(Account.email) if "@" in wanted else Account.handle
    account = work.session.scalar(select(Account).where(column == wanted))
    hashed = account.password_hash if account is not None and account.is_active else None
    if not passwords.password_fits(password, hashed) or account is None:
        raise SignInFailed(
            "Handle and password do not belong together.", hint="Check both. Capitals count in the password."
        )
    return account


def sign_in_succeeded(work: Work, account_uid: str) -> Account:
    """Forget the tries of an account that signed in, and write the event."""
    account = work.session.scalars(select(Account).where(Account.uid == account_uid)).one()
    throttle.give_back(work, throttle.SIGN_IN_BY_HANDLE, account.handle)
    record(work, "account.signed-in", account)
    return account


def find_account(work: Work, handle: str) -> Account:
    """Return the account of a handle.

    Raises:
        NotFound: there is none.
    """
    account = work.session.scalar(select(Account).where(Account.handle == handle.strip().lower()))
    if account is None:
        raise NotFound(f"There is no account {handle}.", field="handle")
    return account


def set_portal_admin(work: Work, handle: str, *, is_portal_admin: bool) -> Account:
    """Make somebody portal admin, or end that.

    Raises:
        Conflict: it would leave the portal without an admin.
        PermissionDenied: the actor is no portal admin.
    """
    require(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    account = find_account(work, handle)
    if account.kind is not AccountKind.PERSON:
        raise InputError(f"{handle} is no person.", field="handle")
    if not is_portal_admin:
        _refuse_last_admin(work, account)
    before = describe(account)
    account.is_portal_admin, account.updated_at = is_portal_admin, work.now
    record(work, "account.changed", account, Change(before, describe(account)))
    return account


def set_active(work: Work, handle: str, *, is_active: bool) -> Account:
    """Let somebody sign in again, or no longer: that ends all sessions of the account at once.

    Raises:
        Conflict: it would leave the portal without an admin.
        PermissionDenied: the actor is no portal admin.
    """
    require(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    account = find_account(work, handle)
    if not is_active:
        _refuse_last_admin(work, account)
        account.session_epoch += 1
    before = describe(account)
    account.is_active, account.updated_at = is_active, work.now
    record(work, "account.changed", account, Change(before, describe(account)))
    return account


def _refuse_last_admin(work: Work, account: Account) -> None:
    others = select(Account.id).where(Account.is_portal_admin, Account.is_active, Account.id != account.id).limit(1)
    if account.is_portal_admin and work.session.scalar(others) is None:
        raise Conflict(f"{account.handle} is the last portal admin.", hint="Make someone else portal admin first.")
