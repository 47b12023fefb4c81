"""Signing in and out: tries are counted first, and an unknown handle looks and lasts like a wrong password."""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, select

from portal.config import MOST_SESSION_HOURS
from portal.errors import SignInFailed
from portal.models import Account, EndedSession
from portal.services import passwords, throttle
from portal.services.events import acting_as, record
from portal.services.work import Work

#: No cookie lives longer, so none is left of a session that ended before.
_KEPT: Final = timedelta(hours=MOST_SESSION_HOURS)


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
    record(acting_as(work, account), "account.signed-in", account)
    return account


def sign_out(work: Work, session_uid: str) -> None:
    """End one session of the actor for good: whoever still has its cookie is not signed in by it."""
    work.insert_once(EndedSession, uid=session_uid, ended_at=work.now)
    work.session.execute(delete(EndedSession).where(EndedSession.ended_at < work.now - _KEPT))
    account = work.session.scalars(select(Account).where(Account.id == work.actor.account_id)).one()
    record(work, "account.signed-out", account)
