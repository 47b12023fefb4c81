"""Links that work once: the first-run set-up link, and links with which a person chooses a password.

Only the SHA-256 of a token is kept. A new link ends the older ones, and so does a password or closing the account.
"""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import select, update

from portal.errors import InputError, NotFound
from portal.models import Account, OneTimeLink
from portal.permissions import Action, PortalTarget, require
from portal.services import accounts
from portal.services.accounts import PreparedAccount, add_account, find_account, is_empty
from portal.services.events import acting_as, record
from portal.services.work import Work
from portal.values import AccountKind

SETUP_LINK_HOURS = 24
INVITATION_HOURS = 72


def make_setup_link(work: Work) -> str | None:
    """Return the token of a fresh first-run set-up link, ending older ones; None when there is an account already."""
    if not is_empty(work):
        return None
    unused = update(OneTimeLink).where(OneTimeLink.account_id.is_(None), OneTimeLink.used_at.is_(None))
    work.session.execute(unused.values(used_at=work.now))
    return _make_link(work, None, SETUP_LINK_HOURS)


def make_password_link(work: Work, handle: str) -> str:
    """Return the token of a one-time link with which `handle` chooses a password, ending older ones.

    Raises:
        InputError: the account is no person, or closed.
        PermissionDenied: the actor is no portal admin.
        NotFound: no such person.
    """
    require(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    account = find_account(work, handle)
    if account.kind is not AccountKind.PERSON or not account.is_active:
        raise InputError(f"{account.handle} is no person who can sign in.", field="handle")
    accounts.end_links_of(work, account)
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
    # Locked where it will be used: of two people who use one link at once, the second finds it used.
    query = select(OneTimeLink).where(OneTimeLink.token_hash == _token_hash(token)).with_for_update()
    link = work.session.scalar(query.execution_options(populate_existing=True))
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
    accounts.wait_for_first(work)
    link = find_link(work, token)
    if link.account_id is not None or not is_empty(work):
        raise NotFound("This portal is set up already.", hint="Sign in, or ask a portal admin for an account.")
    link.used_at = work.now
    return add_account(work, prepared)


def use_password_link(work: Work, token: str, password_hash: str) -> Account:
    """Set the password of the link's account, end its links and every session of it.

    Raises:
        NotFound: the link is used or expired, or its account is closed.
    """
    link = find_link(work, token)
    account = work.session.get(Account, link.account_id) if link.account_id is not None else None
    if account is None or not account.is_active:
        raise NotFound("This link belongs to no account.", hint="Ask a portal admin for a new one.")
    return accounts.set_password(acting_as(work, account), account, password_hash)
