"""Who may reach what: read an account's roles once, and turn them into a filter over storage locations.

The decision itself is `permissions.explain_storage`; `visible_storages` says the same in SQL, and a test compares them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

from sqlalchemy import ColumnElement, Integer, and_, bindparam, exists, false, or_, select
from sqlalchemy.orm import Session

from portal.models import Account, Collaborator, EndedSession, Membership, SpaceMember, Storage
from portal.permissions import StorageTarget
from portal.values import ALL_SPACE_ID, Actor, MembershipRole


def load_actor(session: Session, account: Account, *, via: str, address: str = "", request_id: str = "") -> Actor:
    """Return `account` as an actor with every role it holds: three indexed queries, none later."""
    instances = session.execute(
        select(Collaborator.instance_id, Collaborator.role).where(Collaborator.account_id == account.id)
    )
    spaces = session.execute(select(SpaceMember.space_id, SpaceMember.role).where(SpaceMember.account_id == account.id))
    owned = session.scalars(
        select(Membership.organisation_id).where(
            Membership.account_id == account.id, Membership.role == MembershipRole.OWNER
        )
    )
    return Actor(
        account_id=account.id,
        handle=account.handle,
        is_portal_admin=account.is_portal_admin,
        instances=dict(instances.all()),
        spaces=dict(spaces.all()),
        owners=frozenset({account.id, *owned}),
        via=via,
        address=address,
        request_id=request_id,
    )


@dataclass(frozen=True, slots=True)
class SessionId:
    """What a session cookie carries: a raised epoch ends all sessions of the account, signing out ends this one."""

    account_uid: str
    epoch: int
    uid: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a text of `str(…)`; None for any other."""
        match text.split(":"):
            case [account_uid, epoch, uid] if epoch.isdecimal() and uid:
                return cls(account_uid, int(epoch), uid)
        return None

    def __str__(self) -> str:
        return f"{self.account_uid}:{self.epoch}:{self.uid}"


def actor_of_session(
    session: Session, session_id: SessionId, *, via: str, address: str, request_id: str
) -> tuple[Account, Actor] | None:
    """Return account and actor of a signed-in session; None when the session has ended or the account is closed."""
    has_ended = exists().where(EndedSession.uid == session_id.uid)
    account = session.scalar(select(Account).where(Account.uid == session_id.account_uid, ~has_ended))
    if account is None or not account.is_active or account.session_epoch != session_id.epoch:
        return None
    return account, load_actor(session, account, via=via, address=address, request_id=request_id)


def storage_target(storage: Storage) -> StorageTarget:
    """Return what a decision about `storage` depends on."""
    return StorageTarget(storage.instance_id, storage.space_id, storage.owner_id)


def visible_storages(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on `Storage` for locations the actor has at least the role read on."""
    return or_(*visible_parts(actor))


def visible_parts(actor: Actor) -> tuple[ColumnElement[bool], ...]:
    """Return `visible_storages` as conditions of which each location fulfils one at most: each has its own index."""
    if not actor.is_signed_in:
        return (false(),)
    instances, spaces, owners = list(actor.instances), list(actor.spaces), sorted(actor.owners)
    managed = and_(among(Storage.instance_id, instances), among(Storage.space_id, [ALL_SPACE_ID, *spaces]))
    unmanaged = and_(
        Storage.instance_id.is_(None), or_(among(Storage.owner_id, owners), among(Storage.space_id, spaces))
    )
    return managed, unmanaged


def among(column: Any, row_ids: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that a column is one of some row ids.

    They are written into the statement: binding some hundred of them one by one costs a server more than the query.
    """
    ids = bindparam(None, [int(row_id) for row_id in row_ids], expanding=True, literal_execute=True, type_=Integer)
    return cast("ColumnElement[bool]", column.in_(ids))
