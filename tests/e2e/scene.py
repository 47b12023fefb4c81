"""What journeys find when they begin: people, spaces, locations. Made by the real services in this process, for speed.

The people are those of `tests/integration/world.py`: ada (portal admin), erik (write), rita (read), otto (outsider).
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from portal.app import create_app
from portal.config import read_settings
from portal.errors import PortalError
from portal.models import Event, Migration, Storage
from portal.planning.states import WORKING, MigrationState
from portal.services import migrations
from portal.services.connect import ConnectS3, connect_s3
from portal.services.migrations import MigrationView
from portal.services.register import RegisterLocal, register_local
from portal.services.storages import StorageView, find_storage, view_of
from portal.services.units import Units
from portal.services.work import Work
from tests.e2e.portal_process import PortalProcess
from tests.integration.world import Portal, World, build_world
from tests.servers import S3Server

#: What a person asks of a migration: one of the functions of `portal.services.migrations`.
Wish = Callable[[Work, str], object]

#: How long a runner may take for what one wish sets going, seconds.
STEP_SECONDS = 90.0

#: States a runner leads out of by itself.
BUSY = WORKING | {MigrationState.DRAFT}


@dataclass
class Scene:
    """A running portal with people, and hands behind the scene.

    Attributes:
        process: the portal as it was started.
    """

    process: PortalProcess

    @property
    def url(self) -> str:
        """Return the portal's address."""
        return self.process.url

    @property
    def base(self) -> Path:
        """Return the base directory of local roots."""
        return self.process.base

    @cached_property
    def inside(self) -> Portal:
        """Return a second app on the portal's data folder."""
        return Portal(create_app(read_settings(self.process.environment())))

    @cached_property
    def world(self) -> World:
        """Return the people, the instance lab/atlas and the spaces clinical and imaging; made when first asked for."""
        return build_world(self.inside)

    def units(self, handle: str = "ada") -> Units:
        """Return units of work of a person."""
        return Units(lambda: self.inside.read_as(handle), lambda: self.inside.write_as(handle))

    def register(self, path: Path | str, **given: Any) -> str:
        """Register a directory as ada, written by lab/atlas unless `given` says otherwise; return its uid."""
        new = RegisterLocal(**{"path": str(path), "instance": "lab/atlas", "owner": "lab", **given})
        outcome = register_local(self.units(), new)
        assert outcome.uid is not None, outcome
        return outcome.uid

    def connect(self, root: str, server: S3Server, **given: Any) -> str:
        """Connect a bucket as ada, written by lab/atlas unless `given` says otherwise; return its uid."""
        access = {"access_key_id": server.access_key, "secret_access_key": server.secret_key}
        where = {"root": root, "endpoint_url": server.endpoint_url}
        new = ConnectS3(**{**where, **access, "instance": "lab/atlas", "owner": "lab", **given})
        outcome = connect_s3(self.units(), new)
        assert outcome.uid is not None, outcome
        return outcome.uid

    def move(self, uid: str, target: Path, *wishes: Wish) -> str:
        """Move a location to a directory until it waits for a person, then do each wish likewise; return the id."""
        with self.inside.write_as("ada") as work:
            made = migrations.create_migration(work, migrations.NewMigration(uid, str(target))).id
        view = self._wait_until_it_rests(made)
        for wish in wishes:
            try:
                with self.inside.write_as("ada") as work:
                    wish(work, made)
            except PortalError as error:
                error.add_note(f"{view.source_root} is {view.state}: {view.message} {view.hint}")
                raise
            view = self._wait_until_it_rests(made)
        return made

    def limit(self, migration: str, bandwidth: int | None) -> None:
        """Slow a migration down to so many bytes a second; None: no more."""
        with self.inside.write_as("ada") as work:
            migrations.set_limits(work, migration, migrations.Limits(bandwidth=bandwidth))

    def end_lease(self, migration: str) -> None:
        """Let the lease of a runner that was killed run out now."""
        with self.inside.write_as("ada") as work:
            row = work.session.scalars(select(Migration).where(Migration.uid == migration)).one()
            row.lease_expires_at = work.now - timedelta(seconds=1)

    def state(self, migration: str) -> MigrationState:
        """Return the state of a migration."""
        with self.inside.read_as("ada") as work:
            return migrations.get_migration(work, migration).state

    def _wait_until_it_rests(self, migration: str) -> MigrationView:
        deadline = time.monotonic() + STEP_SECONDS
        while True:
            with self.inside.read_as("ada") as work:
                view = migrations.get_migration(work, migration)
            if not view.wish and view.state not in BUSY:
                return view
            assert time.monotonic() < deadline, f"still {view.state}: {self.process.log[-2000:]}"
            time.sleep(0.1)

    def view(self, uid: str) -> StorageView:
        """Return a location's record as it is now."""
        with self.inside.read_as("ada") as work:
            return view_of(work, find_storage(work, uid))

    def count_rows(self) -> tuple[int, int]:
        """Return how many locations and events there are: nothing may change them when a request is refused."""
        with self.inside.read_as("ada") as work:
            locations = work.session.scalar(select(func.count()).select_from(Storage))
            events = work.session.scalar(select(func.count()).select_from(Event))
        return int(locations or 0), int(events or 0)


def fill(folder: Path, objects: dict[str, bytes]) -> Path:
    """Write objects below a folder and return it."""
    for key, data in objects.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def picture(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
