"""Make a migration, with every refusal that needs no look at the storage itself: looking there is the runner's."""

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from portal.errors import Conflict, InputError, PortalError, Refused
from portal.models import Connection, Host, Migration, Storage
from portal.permissions import Action
from portal.planning.overlaps import Place, nested_prefixes, overlap
from portal.planning.roots import expand_local, is_local, local_root, parse_root
from portal.planning.states import FINAL, MigrationState
from portal.services.connections import ConnectionRow, check_serves, find_connection, list_connections
from portal.services.events import Change, record
from portal.services.migrations.openness import at_target_field, require_open
from portal.services.migrations.views import MigrationView, view_of
from portal.services.placing import check_overlaps, lock_registrations, place_of
from portal.services.reach import bases_hint, root_of
from portal.services.storages.find import find_storage
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
    """

    storage_uid: str
    target_root: str
    target_connection_uid: str | None = None
    target_host: str | None = None


@dataclass(frozen=True, slots=True)
class _Target:
    root: Root
    connection: Connection | None
    host: Host | None

    @property
    def place(self) -> Place:
        """Return the target for comparing."""
        return place_of(self.root, self.host.name if self.host else None, is_writable=True)


def create_migration(work: Work, new: NewMigration) -> MigrationView:
    """Write a move down as a draft; the next free runner checks both sides and makes its plan. Nothing is copied yet.

    Raises:
        NotFound, PermissionDenied: the actor is no admin of the location, or does not act for the connection's owner.
        InputError: the target cannot be a root.
        Conflict: the location is locked or moves already, or the target shares objects with another root.
        Refused: a kind, host, connection or place that a root cannot move to or from.
    """
    storage = find_storage(work, new.storage_uid, Action.STORAGE_MOVE)
    _check_source(work, storage)
    target = _settle_target(work, new)
    lock_registrations(work)
    warnings = _check_places(work, storage, target)
    migration = _row(work, storage, target)
    migration.plan = {"place_warnings": list(warnings)} if warnings else None
    work.session.add(migration)
    record(
        work,
        "migration.created",
        migration,
        Change(after={"source_root": storage.root, "target_root": target.root.text, "uid": storage.uid}),
    )
    return view_of(migration)


def list_target_connections(work: Work) -> list[ConnectionRow]:
    """Return the connections the actor may move roots to."""
    return [row for row in list_connections(work) if row.kind is not ConnectionKind.ANONYMOUS]


def _check_source(work: Work, storage: Storage) -> None:
    if storage.is_locked:
        raise Conflict(f"{storage.root} is locked.", hint="Unlock the record first.")
    if storage.type not in MOVABLE:
        raise Refused(f"The portal cannot move roots of type {storage.type} yet.", hint="Local and S3 roots can move.")
    if storage.type is StorageType.S3 and storage.connection_id is None:
        raise Refused(f"{storage.root} has no connection, so its objects cannot be read.", hint="Give it one first.")
    live = select(Migration.uid).where(Migration.storage_id == storage.id, Migration.state.not_in(sorted(FINAL)))
    if (running := work.session.scalar(live)) is not None:
        raise Conflict(f"{storage.root} moves already: migration {running}.", hint="Cancel or release that one first.")


def _settle_target(work: Work, new: NewMigration) -> _Target:
    if is_local(new.target_root):
        return _local_target(work, new)
    with at_target_field():
        root = parse_root(new.target_root, home="/", cwd="/")
    if root.type is not StorageType.S3:
        raise Refused(f"The portal cannot write to roots of type {root.type} yet.", field="target_root")
    if new.target_connection_uid is None:
        return _Target(*_guess_connection(work, root), None)
    connection = find_connection(work, new.target_connection_uid)
    root = _with_endpoint(root, connection)
    _check_connection(work, connection, root)
    return _Target(root, connection, None)


def _local_target(work: Work, new: NewMigration) -> _Target:
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
    return _Target(root, None, host)


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


def _check_places(work: Work, storage: Storage, target: _Target) -> tuple[str, ...]:
    """Refuse a target that shares objects with what is written to; return what a person should know besides."""
    source = place_of(root_of(storage), storage.host.name if storage.host else None, is_writable=True)
    if source.host and target.host and source.host != target.host.name:
        raise Refused(
            f"{storage.root} lies on {source.host}, the target on {target.host.name}: no runner sees both.",
            hint="Move it to a bucket first, then from there to the other host.",
            field="target_host",
        )
    if nested := nested_prefixes(source, _places_like(work, source, storage.id)):
        raise Refused(
            f"Other registered roots lie inside {storage.root}: {', '.join(nested)}.",
            hint="Move or delete those locations first.",
        )
    with at_target_field():
        warnings = _check_overlap(work, source, target.place)
        if nested_prefixes(target.place, _places_like(work, target.place, storage.id)):
            raise Conflict(
                "Another registered root lies inside the target.", hint="Choose another folder.", field="target_root"
            )
    return warnings


def _check_overlap(work: Work, source: Place, target: Place) -> tuple[str, ...]:
    if found := overlap(target, [source]):
        raise Conflict(f"{found[0]}", hint="Choose a folder outside of the present root.", field="target_root")
    # Inside a root that nobody writes to is fine: often it is the bucket that was connected for this very move.
    warnings = check_overlaps(work, target)
    if overlap(target, _places_in_use(work)):
        raise Conflict(
            "The target shares objects with a root that another migration moves to, or keeps for its rollback.",
            hint="Choose another folder, or wait until that one is over.",
            field="target_root",
        )
    return warnings


def _places_like(work: Work, source: Place, storage_id: int) -> list[Place]:
    """Return the registered places that may lie inside a root: same kind, text beginning alike."""
    root = source.root
    start = f"{root.path}/" if root.type is StorageType.LOCAL else f"{root.type}://{root.bucket}"
    query = select(Storage).where(
        Storage.type == root.type, Storage.id != storage_id, Storage.root.startswith(start, autoescape=True)
    )
    rows = work.session.scalars(query)
    return [place_of(root_of(row), row.host.name if row.host else None, is_writable=True) for row in rows]


def _places_in_use(work: Work) -> list[Place]:
    """Return both ends of every migration that is not over."""
    places = []
    for row in work.session.scalars(select(Migration).where(Migration.state.not_in(sorted(FINAL)))):
        for text, host in ((row.source_root, row.source_host), (row.target_root, row.target_host)):
            root = parse_root(text, home="/", cwd="/")
            places.append(place_of(root, host.name if host else None, is_writable=True))
    return places


def _row(work: Work, storage: Storage, target: _Target) -> Migration:
    return Migration(
        storage=storage,
        state=MigrationState.DRAFT.value,
        source_root=storage.root,
        source_type=storage.type,
        source_region=storage.region,
        source_host=storage.host,
        source_connection=storage.connection,
        target_root=target.root.text,
        target_type=target.root.type,
        target_region=target.connection.region if target.connection else None,
        target_host=target.host,
        target_connection=target.connection,
        created_by_id=work.actor.account_id,
        created_at=work.now,
        updated_at=work.now,
    )
