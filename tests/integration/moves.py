"""What tests of moving roots share: roots with objects, a real runner with real workers, and pictures of trees."""

import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from portal import database
from portal.models import Connection, Host, Migration, Reference, Registry, Storage
from portal.planning.roots import parse_root
from portal.planning.states import MigrationState
from portal.runner.drive import Drive
from portal.runner.loop import Reconciler
from portal.runner.steps import step
from portal.services import migrations
from portal.services.connections import NewConnection, add_connection
from portal.services.instances import NewInstance, create_instance
from portal.services.migrations import MigrationView, NewMigration
from portal.services.migrations.leases import give_back
from portal.services.migrations.runners import claim_path
from portal.values import ALL_SPACE_ID, ConnectionKind, Mode, Root
from tests.integration.world import Portal
from tests.servers import S3Server

#: Small, empty, nested, real keys and LaminDB's own, more than one shard.
OBJECTS = {
    "README.md": b"read me\n",
    "empty.txt": b"",
    "raw/plate 1/well A1.tif": b"tif" * 1000,
    "raw/größe.csv": b"a,b\n1,2\n",
    ".lamindb/0123456789abcdef.zarr/.zattrs": b"{}",
    ".lamindb/0123456789abcdef.zarr/0.0": bytes(range(256)) * 40,
    ".lamindb/fedcba9876543210AAAA.parquet": b"PAR1" * 500,
}


def fill(folder: Path, objects: dict[str, bytes] = OBJECTS) -> None:
    """Write objects below a folder."""
    for key, data in objects.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def picture(folder: Path) -> dict[str, tuple[str, int]]:
    """Return hash and time of change of every file below a folder."""
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def contents(folder: Path) -> dict[str, bytes]:
    """Return what objects a folder holds."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def let_it_be_quiet(portal: Portal, uid: str) -> None:
    """Let a move's cut-over, and what was found at its old root since, be two days ago."""
    with portal.app.app_context(), database.write() as session:
        row = session.scalars(select(Migration).where(Migration.uid == uid)).one()
        assert row.cut_over_at is not None
        row.cut_over_at -= timedelta(days=2)
        sweep = dict((row.plan or {}).get("sweep") or {})
        if sweep.get("last_found_at"):
            sweep["last_found_at"] = row.cut_over_at.isoformat()
        row.plan = {**(row.plan or {}), "sweep": sweep}


@dataclass
class Moves:
    """A portal with a runner and one bucket server."""

    portal: Portal
    executor: Executor
    s3: S3Server
    base: Path
    runner_name: str = "portal-host/1"
    count: int = field(default=0)

    def runner(self, name: str | None = None, host: str = "portal-host") -> Reconciler:
        """Return a runner on this process's app; its calls need an app context."""
        extensions = self.portal.app.extensions
        settings = replace(extensions["portal_settings"], host=host)
        claim = claim_path(settings.data_dir, name or self.runner_name)
        claim.parent.mkdir(parents=True, exist_ok=True)
        claim.touch()
        return Reconciler(settings, extensions["portal_vault"], name or self.runner_name, self.executor)

    def drive(self) -> None:
        """Let a runner do all that is due."""
        with self.portal.app.app_context():
            runner = self.runner()
            while runner.run_once():
                pass

    def drive_until(self, state: MigrationState) -> None:
        """Do single steps until a migration is in a state."""
        self.drive_while(lambda: database.db.session.scalar(select(Migration.state)) != state)

    def drive_while(self, condition: Callable[[], bool]) -> None:
        """Do single steps of the one migration while something is true; then give the lease back."""
        with self.portal.app.app_context():
            drive = self.take()
            while condition():
                assert step(drive), "it stopped before"
            with database.write() as session:
                give_back(session, drive.lease)

    def take(self, name: str | None = None) -> Drive:
        """Take the lease of the one migration that is due; needs an app context."""
        runner = self.runner(name)
        runner._beat()
        lease = runner._take()
        assert lease is not None, "no migration is due"
        return Drive(runner._tools, lease)

    def bucket(self, name: str) -> tuple[Root, Path]:
        """Make a bucket with a connection of ada's; return its root and its folder on disk."""
        folder = self.s3.add_bucket(name)
        root = parse_root(f"s3://{name}?endpoint_url={self.s3.endpoint_url}", home="/", cwd="/")
        with self.portal.write_as("ada") as work:
            new = NewConnection(
                owner_id=work.actor.account_id or 0,
                kind=ConnectionKind.ACCESS_KEY,
                root=root,
                region="us-east-1",
                access_key_id=self.s3.access_key,
                secret_access_key=self.s3.secret_key,
                name=name,
            )
            add_connection(work, new)
        return root, folder

    def register(self, root: Root | Path, **values: Any) -> str:
        """Register a location of ada's as it would be after connecting; return its uid."""
        return self.register_for("ada", root, **values)

    def register_for(self, handle: str, root: Root | Path, *, instance_id: int | None = None, **values: Any) -> str:
        """Register a location of somebody's."""
        with self.portal.write_as(handle) as work:
            session = work.session
            text = str(root) if isinstance(root, Path) else root.text
            kind = parse_root(text, home="/", cwd="/")
            host = session.scalar(select(Host).where(Host.name == "portal-host"))
            if host is None:
                host = Host(name="portal-host", created_at=work.now)
                session.add(host)
                session.flush()
            connection = None
            if kind.bucket:
                connection = next(row for row in migrations.list_target_connections(work) if row.name == kind.bucket)
            connection_id = (
                session.scalar(select(Connection.id).where(Connection.uid == connection.uid)) if connection else None
            )
            storage = Storage(
                root=text,
                type=kind.type,
                region="us-east-1" if kind.bucket else None,
                host_id=None if kind.bucket else host.id,
                owner_id=work.actor.account_id,
                space_id=ALL_SPACE_ID,
                instance_id=instance_id,
                connection_id=connection_id,
                mode=Mode.WRITABLE if instance_id else Mode.UNMANAGED,
                created_by_id=work.actor.account_id,
                created_at=work.now,
                updated_at=work.now,
                **values,
            )
            session.add(storage)
            session.flush()
            return storage.uid

    def refer(self, storage_uid: str, host: str | None, **way: Any) -> int:
        """Write an attached instance `other` down that refers to a location; return its id. `way`: to its database."""
        with self.portal.write_as("ada") as work:
            session, now = work.session, work.now
            instance = create_instance(work, NewInstance("other"))
            there = session.scalar(select(Host).where(Host.name == host)) if host else None
            storage = session.scalars(select(Storage).where(Storage.uid == storage_uid)).one()
            session.flush()
            registry = Registry(
                instance_id=instance.id, label="other", identity="other", instance_uid="abcdefghijkl", host=there,
                attached_by_id=work.actor.account_id, checked_at=now, created_at=now, updated_at=now, **way,
            )  # fmt: skip
            reference = Reference(
                instance_id=instance.id, storage=storage, row_id=1, uid=storage.uid, root=storage.root, seen_at=now
            )
            session.add_all([registry, reference])
            return instance.id

    def plan(self, uid: str, target: object, **values: Any) -> str:
        """Make a migration and let the runner plan it; return its uid."""
        with self.portal.write_as("ada") as work:
            made = migrations.create_migration(work, NewMigration(uid, str(target), **values)).id
        self.drive()
        return made

    def copy(self, uid: str, target: object) -> str:
        """Plan, start, and let the runner go as far as it can."""
        made = self.plan(uid, target)
        self.wish(migrations.start, made)
        return made

    def wish(self, service: object, uid: str, *given: object) -> MigrationView:
        """Call a service as ada, let the runner act, and return the migration."""
        with self.portal.write_as("ada") as work:
            service(work, uid, *given)  # type: ignore[operator]
        self.drive()
        return self.view(uid)

    def limit(self, uid: str, bandwidth: int | None) -> None:
        """Slow a migration down to so many bytes a second, so that a test may catch it in mid copy; None: no more."""
        with self.portal.write_as("ada") as work:
            migrations.set_limits(work, uid, migrations.Limits(bandwidth=bandwidth))

    def end_lease(self, uid: str) -> None:
        """Let the lease of a runner that was killed run out now."""
        with self.row(uid) as row:
            row.lease_expires_at = datetime.now(UTC) - timedelta(seconds=1)

    def cut_over(self, uid: str, name: str) -> MigrationView:
        """Cut over with the typed name."""
        return self.wish(migrations.request_cut_over, uid, migrations.CutOver(name, registry_changed=True))

    def sweep(self, uid: str) -> dict[str, Any]:
        """Let the runner look at the old root now; return what it noted."""
        with self.row(uid) as row:
            row.sweep_at = datetime.now(UTC) - timedelta(seconds=1)
        self.drive()
        found: dict[str, Any] = (self.view(uid).plan or {})["sweep"]
        return found

    def let_it_be_quiet(self, uid: str) -> None:
        """Let the cut-over, and what was found at the old root since, be two days ago."""
        let_it_be_quiet(self.portal, uid)

    def view(self, uid: str) -> MigrationView:
        """Return the migration as ada sees it."""
        with self.portal.read_as("ada") as work:
            return migrations.get_migration(work, uid)

    def state(self, uid: str) -> MigrationState:
        """Return its state."""
        return self.view(uid).state

    @contextmanager
    def row(self, uid: str) -> Iterator[Migration]:
        """Give the row, for playing tricks on it; changes are written."""
        with self.portal.app.app_context(), database.write() as session:
            yield session.scalars(select(Migration).where(Migration.uid == uid)).one()

    def row_lease(self, uid: str) -> str | None:
        """Return who has the lease; None for nobody."""
        with self.row(uid) as row:
            return row.lease_owner

    def storage(self, uid: str) -> Storage:
        """Return the location's row, detached."""
        with self.portal.read_as("ada") as work:
            storage = work.session.scalars(select(Storage).where(Storage.uid == uid)).one()
            work.session.expunge(storage)
            return storage


def wait_for(condition: object, seconds: float = 90) -> None:
    """Wait until something is true. The limit is for what hangs, not for what is slow."""
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)
