"""Settle where a move goes: what was typed, the connection or host that reaches it, and whether the actor may."""

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from portal.errors import InputError, PortalError, Refused
from portal.models import Connection, Host, Storage
from portal.planning.overlaps import Place
from portal.planning.roots import expand_local, is_local, local_root, parse_root
from portal.services.connections import check_serves, find_connection
from portal.services.migrations.doors import REWRITE
from portal.services.migrations.lookups import find_migration
from portal.services.migrations.openness import at_target_field, require_open
from portal.services.migrations.strategies import find_target
from portal.services.placing import place_of
from portal.services.reach import bases_hint, root_of
from portal.services.work import Work
from portal.values import ConnectionKind, Root, StorageType

#: What the portal can read from and write to.
MOVABLE = frozenset({StorageType.LOCAL, StorageType.S3})


@dataclass(frozen=True, slots=True)
class NewMigration:
    """A move to plan.

    Attributes:
        storage_uid: the location that moves, by uid or root.
        target_root: as typed: `s3://bucket/folder` (the connection's endpoint is added) or a path.
        target_connection_uid: how to reach a bucket; None to take the one connection that may serve it.
        target_host: host of a local target; None for this one.
        strategy: `rewrite` the root, or `repoint` the artifacts to the registered location `target_root` (or its uid).
        leaves_unreferenced: objects that no attached instance refers to stay behind.
    """

    storage_uid: str
    target_root: str
    target_connection_uid: str | None = None
    target_host: str | None = None
    strategy: str = REWRITE
    leaves_unreferenced: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """Where a move goes. `storage_uid`: of the registered location that artifacts are re-pointed to; None else."""

    root: Root
    connection: Connection | None
    host: Host | None
    storage_uid: str | None = None

    @property
    def place(self) -> Place:
        """Return the target for comparing."""
        return place_of(self.root, self.host.name if self.host else None, is_writable=True)


def asked_for(work: Work, uid: str) -> NewMigration:
    """Return what a migration was made from, to ask for the same again.

    Raises:
        NotFound: there is none, or its location is out of reach.
    """
    row = find_migration(work, uid)
    connection, host = row.target_connection, row.target_host
    return NewMigration(
        storage_uid=row.storage.uid if row.storage else "",
        # A connection adds its endpoint by itself.
        target_root=row.target_storage_uid or (row.target_root.partition("?")[0] if connection else row.target_root),
        target_connection_uid=connection.uid if connection else None,
        target_host=host.name if host else None,
        strategy=row.strategy,
        leaves_unreferenced=row.leaves_unreferenced,
    )


def registered_target(work: Work, storage: Storage, new: NewMigration) -> Target:
    """Return the location that artifacts are re-pointed to as a target, reached by its own connection.

    Raises:
        NotFound, PermissionDenied, Refused, Conflict: it is none that fits; see `strategies.find_target`.
    """
    with at_target_field():
        found = find_target(work, storage, new.target_root)
        if found.type not in MOVABLE:
            raise Refused(f"The portal cannot write to roots of type {found.type} yet.")
        root = root_of(found)
        if found.connection is not None:
            _check_connection(work, found.connection, root)
        elif found.type is StorageType.LOCAL:
            require_open(work, root)
        else:
            raise Refused(f"{root} has no connection, so nothing can be written there.", hint="Give it one first.")
    return Target(root, found.connection, found.host, found.uid)


def settle_target(work: Work, _storage: Storage, new: NewMigration) -> Target:
    """Return where a root moves to: a place that is registered nowhere.

    Raises:
        InputError: the target cannot be a root, the host is unknown, or several connections fit.
        Refused: a kind, connection or place that the actor cannot move a root to.
    """
    _refuse_other_way(new)
    if is_local(new.target_root):
        return _local_target(work, new)
    with at_target_field():
        root = parse_root(new.target_root, home="/", cwd="/")
    if root.type is not StorageType.S3:
        raise Refused(f"The portal cannot write to roots of type {root.type} yet.", field="target_root")
    if new.target_connection_uid is None:
        return Target(*_guess_connection(work, root), None)
    connection = find_connection(work, new.target_connection_uid)
    root = _with_endpoint(root, connection)
    _check_connection(work, connection, root)
    return Target(root, connection, None)


def _refuse_other_way(new: NewMigration) -> None:
    """Refuse a bucket on a host and a directory by a connection: what was chosen for them would be dropped unsaid."""
    if is_local(new.target_root):
        if new.target_connection_uid is not None:
            words = f"{new.target_root} is a directory: choose a directory and its host, no connection."
            raise InputError(words, field="target_root")
    elif new.target_host is not None:
        raise InputError(f"{new.target_root} is no directory: choose its connection.", field="target_root")


def _local_target(work: Work, new: NewMigration) -> Target:
    name = new.target_host or work.settings.host
    host = work.session.scalar(select(Host).where(Host.name == name))
    if host is None and name == work.settings.host:
        host = Host(name=name, created_at=work.now)
        work.session.add(host)
        work.session.flush()
    if host is None:
        raise InputError(f"No host is named {name}.", hint="Start a runner there first.", field="target_host")
    is_here = name == work.settings.host
    with at_target_field():
        path = expand_local(new.target_root, home=str(Path.home()), cwd="/")
        root = local_root(os.path.realpath(path) if is_here else path)
    if is_here:
        _check_directory(work, root)
    require_open(work, root)
    return Target(root, None, host)


def _check_directory(work: Work, root: Root) -> None:
    path, bases = Path(root.path), work.settings.local_bases
    if not any(path.is_relative_to(base) and path != base for base in bases):
        raise Refused(
            f"{path} is not below a base directory of this portal.", hint=bases_hint(bases), field="target_root"
        )
    data = work.settings.data_dir
    if path.is_relative_to(data) or data.is_relative_to(path):
        raise Refused(f"{path} holds the portal's own data.", hint="Choose another folder.", field="target_root")


def _guess_connection(work: Work, root: Root) -> tuple[Root, Connection]:
    """Return the one connection of the actor that may serve the root, and the root with its endpoint."""
    query = (
        select(Connection)
        .where(Connection.owner_id.in_(sorted(work.actor.owners)), Connection.kind != ConnectionKind.ANONYMOUS)
        .options(selectinload(Connection.scopes))
        .order_by(Connection.id)
    )
    fitting: list[tuple[Root, Connection]] = []
    for connection in work.session.scalars(query):
        try:
            at = _with_endpoint(root, connection)
            _check_connection(work, connection, at)
        except PortalError:
            continue
        fitting.append((at, connection))
    if not fitting:
        raise Refused(
            f"None of your connections may write to {root}.",
            hint="Connect the bucket first, or choose a root that one of them serves.",
            field="target_connection_uid",
        )
    if len({at.text for at, _ in fitting}) > 1:
        names = ", ".join(f"{connection.name} ({connection.uid})" for _, connection in fitting)
        raise InputError(
            f"Several connections may serve {root}: {names}.", hint="Choose one.", field="target_connection_uid"
        )
    return fitting[0]


def _check_connection(work: Work, connection: Connection, root: Root) -> None:
    if connection.kind is ConnectionKind.ANONYMOUS:
        raise Refused(
            f"The connection {connection.name} is anonymous, which can only read.",
            hint="Choose one with a key.",
            field="target_connection_uid",
        )
    check_serves(connection, root)
    if connection.kind is ConnectionKind.AMBIENT:
        require_open(work, root)


def _with_endpoint(root: Root, connection: Connection) -> Root:
    """Return the root with its connection's endpoint, where it was typed without one."""
    if root.endpoint_url is not None or not connection.endpoint_url:
        return root
    text = f"{root.text}?endpoint_url={connection.endpoint_url}"
    with at_target_field():
        return parse_root(text, home="/", cwd="/")
