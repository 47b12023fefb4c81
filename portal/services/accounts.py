"""People's accounts: the first one, adding, changing, closing. `sign_in.py` and `one_time_links.py` do the rest."""

import re
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from portal.errors import Conflict, InputError, NotFound
from portal.models import Account, OneTimeLink, Space
from portal.permissions import Action, PortalTarget, require
from portal.planning.names import check_handle
from portal.services import passwords
from portal.services.events import Change, record
from portal.services.work import Work
from portal.values import ALL_SPACE_ID, AccountKind

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A person to add. `password` None: a one-time link lets the person choose one."""

    handle: str
    email: str | None = None
    name: str = ""
    password: str | None = None
    is_portal_admin: bool = False

    def problems(self) -> list[InputError]:
        """Return what cannot be used, at most one error a field, each naming its field."""
        found = []
        for check in (self._check_handle, self._check_email, self._check_name, self._check_password):
            try:
                check()
            except InputError as error:
                found.append(error)
        return found

    def check(self) -> None:
        """Refuse values that cannot be used.

        Raises:
            InputError: the first of `problems`.
        """
        for problem in self.problems():
            raise problem

    def _check_handle(self) -> None:
        check_handle(self.handle)

    def _check_email(self) -> None:
        if self.email is not None and (len(self.email) > 254 or not _EMAIL.fullmatch(self.email)):
            raise InputError("An e-mail address looks like name@example.org.", field="email")

    def _check_name(self) -> None:
        if len(self.name) > 150:
            raise InputError("The name has more than 150 characters.", field="name")

    def _check_password(self) -> None:
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


def wait_for_first(work: Work) -> None:
    """Let two people who make the first account at once come one after the other: the row of the space `all`, which
    is always there, is the lock.
    """
    work.session.execute(select(Space.id).where(Space.id == ALL_SPACE_ID).with_for_update())


def add_account(work: Work, prepared: PreparedAccount) -> Account:
    """Add a person. The first account of an empty portal needs no actor and becomes portal admin.

    Raises:
        InputError: the handle or the e-mail address is taken.
        PermissionDenied: the actor is no portal admin.
    """
    first = is_empty(work)
    if first:
        wait_for_first(work)
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
    _refuse_taken_email(work, new.email)


def _refuse_taken_email(work: Work, email: str | None) -> None:
    taken = select(Account.id).where(func.lower(Account.email) == (email or "").lower())
    if email and work.session.scalar(taken) is not None:
        raise InputError(f"The address {email} belongs to another account.", field="email")


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


def change_password(work: Work, password_hash: str) -> Account:
    """Set a new password for the actor's own account and end every session of it, this one too.

    The caller has checked the old password (outside the transaction, since argon2 is slow).
    """
    account = _own_account(work)
    return set_password(work, account, password_hash)


def _own_account(work: Work) -> Account:
    if work.actor.account_id is None:
        raise NotFound("There is no account without signing in.")
    return work.session.get_one(Account, work.actor.account_id)


def change_own_details(work: Work, *, name: str, email: str | None) -> Account:
    """Change the actor's own name and e-mail address.

    Raises:
        InputError: naming the field.
    """
    account = _own_account(work)
    wanted = NewAccount(account.handle, email=email, name=name.strip())
    wanted.check()
    if (email or "").lower() != (account.email or "").lower():
        _refuse_taken_email(work, email)
    before = describe(account)
    account.name, account.email, account.updated_at = wanted.name, email, work.now
    _flush_unique(work, wanted)
    record(work, "account.changed", account, Change(before, describe(account)))
    return account


def set_password(work: Work, account: Account, password_hash: str) -> Account:
    """Set a password whose right to be set the caller has checked; ends every session of the account."""
    end_links_of(work, account)
    account.password_hash = password_hash
    account.session_epoch += 1
    account.updated_at = work.now
    record(work, "account.password-changed", account)
    return account


def end_links_of(work: Work, account: Account) -> None:
    """End every unused one-time link of an account."""
    unused = update(OneTimeLink).where(OneTimeLink.account_id == account.id, OneTimeLink.used_at.is_(None))
    work.session.execute(unused.values(used_at=work.now))


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
    if account.kind is AccountKind.ORGANISATION:
        raise InputError(f"{account.handle} is an organisation; nobody signs in as it.", field="handle")
    if not is_active:
        _refuse_last_admin(work, account)
        end_links_of(work, account)
        account.session_epoch += 1
    before = describe(account)
    account.is_active, account.updated_at = is_active, work.now
    record(work, "account.changed", account, Change(before, describe(account)))
    return account


def _refuse_last_admin(work: Work, account: Account) -> None:
    # Locked, so that two admins who close each other come one after the other.
    query = select(Account.id).where(Account.is_portal_admin, Account.is_active).order_by(Account.id).with_for_update()
    if list(work.session.scalars(query)) == [account.id]:
        raise Conflict(f"{account.handle} is the last portal admin.", hint="Make someone else portal admin first.")
