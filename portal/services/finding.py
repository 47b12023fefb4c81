"""Find the one thing a typed text names exactly: for the "Go to" field of the top bar."""

from dataclasses import dataclass

from sqlalchemy import func, select

from portal.errors import PortalError
from portal.models import Account
from portal.permissions import Action, PortalTarget, require
from portal.services.instances import find_instance
from portal.services.migrations import find_by_old_root
from portal.services.spaces import find_space
from portal.services.storages.find import find_storage
from portal.services.work import Work


@dataclass(frozen=True, slots=True)
class Found:
    """What a text names: `kind` storage, space, instance or account; `reference` its uid, or an account's handle."""

    kind: str
    reference: str


def find_exact(work: Work, text: str) -> Found | None:
    """Return what `text` names among the things in the actor's reach; None when it names nothing, or several roots."""
    require(work.actor, Action.PEOPLE_READ, PortalTarget())
    text = text.strip()
    if not text:
        return None
    ways = (_storage, _account, _space, _instance, _moved)
    return next((found for way in ways if (found := way(work, text))), None)


def _storage(work: Work, text: str) -> Found | None:
    try:
        return Found("storage", find_storage(work, text).uid)
    except PortalError:
        return None


def _moved(work: Work, text: str) -> Found | None:
    """Return the location that had this root before it was moved."""
    uid = find_by_old_root(work, text)
    return None if uid is None else Found("storage", uid)


def _account(work: Work, text: str) -> Found | None:
    handle = work.session.scalar(select(Account.handle).where(func.lower(text) == Account.handle))
    return Found("account", handle) if handle is not None else None


def _space(work: Work, text: str) -> Found | None:
    try:
        return Found("space", find_space(work, text).uid)
    except PortalError:
        return None


def _instance(work: Work, text: str) -> Found | None:
    try:
        return Found("instance", find_instance(work, text).uid)
    except PortalError:
        return None
