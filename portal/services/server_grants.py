"""Whom the server's own reach is open to: its S3 identity and its base directories (the confused deputy's lock).

Portal admins may use both anywhere. Everybody else needs a grant whose root contains the wanted one. A grant to an
organisation counts for its owners.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import aliased

from portal.config import Settings
from portal.errors import Conflict, InputError, NotFound, Refused
from portal.models import Account, ServerGrant
from portal.permissions import Action, PortalTarget, allows, require
from portal.planning.overlaps import Place, contains
from portal.planning.roots import expand_local, is_local, local_root, parse_root
from portal.services.accounts import find_account
from portal.services.events import Change, record
from portal.services.work import Work
from portal.values import Root, StorageType

_GRANTED_TYPES = (StorageType.S3, StorageType.LOCAL)


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A grant in a list."""

    id: int
    handle: str
    type: StorageType
    root: str
    created_by: str
    created_at: datetime


def is_open(work: Work, root: Root) -> bool:
    """Tell whether the actor may use the server's own identity, or its base directories, for `root`."""
    if allows(work.actor, Action.PORTAL_ADMINISTER, PortalTarget()):
        return True
    return any(contains(Place(granted), Place(root)) for granted in list_open(work, root.type))


def list_open(work: Work, kind: StorageType) -> list[Root]:
    """Return the roots of one type that grants open to the actor; a portal admin's own reach is not listed."""
    texts = work.session.scalars(
        select(ServerGrant.root)
        .where(ServerGrant.account_id.in_(sorted(work.actor.owners)), ServerGrant.type == kind)
        .order_by(ServerGrant.root)
    )
    return [_stored_root(kind, text) for text in texts]


def _stored_root(kind: StorageType, text: str) -> Root:
    return local_root(text) if kind is StorageType.LOCAL else parse_root(text, home="/", cwd="/")


def parse_grant_root(settings: Settings, text: str) -> Root:
    """Return the root that a grant opens. It may touch the disk, so it runs before the transaction.

    Raises:
        InputError: it is neither an `s3://` root nor a directory.
        Refused: the directory is not a base directory or below one.
    """
    if not is_local(text.strip()):
        root = parse_root(text, home="/", cwd="/")
        if root.type not in _GRANTED_TYPES:
            raise InputError("Only s3:// roots and directories can be opened.", field="root")
        return root
    if not text.strip().removeprefix("file://").startswith("/"):
        raise InputError("Type s3://bucket/prefix or a whole path such as /nfs/data.", field="root")
    path = Path(expand_local(text, home="/", cwd="/")).resolve()
    if not path.is_dir():
        raise InputError(f"{path} is no directory on this host.", field="root")
    return _below_a_base(settings, local_root(str(path)))


def _below_a_base(settings: Settings, root: Root) -> Root:
    bases = [local_root(str(base)) for base in settings.local_bases]
    if root.type is StorageType.LOCAL and not any(contains(Place(base), Place(root)) for base in bases):
        named = " or ".join(str(base) for base in bases) or "a directory of PORTAL_LOCAL_BASES, which names none"
        raise Refused(f"{root} is not open on this server: it must be {named}, or below.", field="root")
    return root


def grant(work: Work, handle: str, root: Root) -> ServerGrant:
    """Open the server's own identity, or a directory, to an account. `root` comes from `parse_grant_root`.

    Raises:
        Conflict: the account has this grant.
        NotFound: no such account.
        PermissionDenied: the actor is no portal admin.
        Refused: the directory is not below a base directory.
    """
    require(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    _below_a_base(work.settings, root)
    account = find_account(work, handle)
    same = select(ServerGrant.id).where(
        ServerGrant.account_id == account.id, ServerGrant.type == root.type, ServerGrant.root == root.text
    )
    if work.session.scalar(same) is not None:
        raise Conflict(f"{root} is open to {account.handle} already.")
    row = ServerGrant(
        account_id=account.id,
        type=root.type,
        root=root.text,
        created_by_id=work.actor.account_id,
        created_at=work.now,
    )
    work.session.add(row)
    record(work, "server-grant.given", account, Change(after={"handle": account.handle, "root": root.text}))
    return row


def revoke(work: Work, grant_id: int) -> str:
    """Take a grant back and return its root. Locations that were made with it stay.

    Raises:
        NotFound: no such grant.
        PermissionDenied: the actor is no portal admin.
    """
    require(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    row = work.session.get(ServerGrant, grant_id)
    if row is None:
        raise NotFound("There is no such grant; somebody may have taken it back already.")
    account = work.session.get_one(Account, row.account_id)
    work.session.delete(row)
    record(work, "server-grant.revoked", account, Change({"handle": account.handle, "root": row.root}))
    return row.root


def list_grants(work: Work) -> list[GrantRow]:
    """Return all grants by account and root.

    Raises:
        PermissionDenied: the actor is no portal admin.
    """
    require(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    creator = aliased(Account)
    query = (
        select(
            ServerGrant.id, Account.handle, ServerGrant.type, ServerGrant.root, creator.handle, ServerGrant.created_at
        )
        .join(Account, Account.id == ServerGrant.account_id)
        .join(creator, creator.id == ServerGrant.created_by_id)
        .order_by(Account.handle, ServerGrant.type, ServerGrant.root)
    )
    return [GrantRow(*row) for row in work.session.execute(query)]
