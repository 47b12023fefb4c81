"""Owner accounts: people, and the organisations people own together."""

from sqlalchemy import select

from portal.models import Account
from portal.services.work import Work


def list_own(work: Work) -> list[str]:
    """Return the handles the actor acts for: its own first, then its organisations by name."""
    handles = work.session.scalars(
        select(Account.handle).where(Account.id.in_(work.actor.owners)).order_by(Account.handle)
    ).all()
    return sorted(handles, key=lambda handle: (handle != work.actor.handle, handle))
