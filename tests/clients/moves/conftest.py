"""The portal with a runner, and real LaminDB instances that are attached to it."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from portal.config import Settings
from portal.engine import LocalExecutor, open_executor
from portal.lamindb.registry.ways import SqliteWay
from portal.models import Connection, Storage
from portal.planning.states import MigrationState
from portal.services import migrations
from portal.services.migrations import MigrationView, NewMigration
from portal.services.registries.apply import take_over
from portal.services.registries.attach import AttachInstance, attach_instance
from portal.services.units import Units
from tests.clients.conftest import MakeInstance, NewInstance
from tests.clients.copies import Originals
from tests.clients.instances import Instance
from tests.integration.conftest import app, new_app, portal, world  # noqa: F401 - fixtures
from tests.integration.moves import Moves
from tests.integration.world import Portal, World
from tests.servers import S3Server, SqliteTemplate


@pytest.fixture
def settings(tmp_path: Path, sqlite_template: SqliteTemplate) -> Settings:
    """Settings of a portal on SQLite, whatever database the instance has; all folders of the test are open to it."""
    folder = tmp_path / "portal"
    folder.mkdir()
    return Settings(
        data_dir=folder,
        database_url=sqlite_template.new_database(folder / "portal.db"),
        bind=("127.0.0.1", 8000),
        url="http://localhost",
        host="portal-host",
        local_bases=(tmp_path.resolve(),),
        allowed_endpoints=("127.0.0.0/8", "localhost"),
        log_level="ERROR",
    )


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    """Two real worker processes."""
    with open_executor(2) as made:
        yield made


@dataclass
class Desk:
    """A portal with a runner, and ada, who looks after the instance attached to it."""

    moves: Moves
    slug: str = ""

    @property
    def units(self) -> Units:
        """Return ada's units of work."""
        made: Portal = self.moves.portal
        return Units(lambda: made.read_as("ada"), lambda: made.write_as("ada"))

    def attach(self, instance: Instance, name: str = "lab/real", **changed: object) -> None:
        """Attach an instance and take over all that it knows."""
        way = instance.way
        given = {"path": way.path} if isinstance(way, SqliteWay) else {"url": way.url}
        new = AttachInstance(**{"slug": name, **given, "instance_id_hex": instance.facts["id"], **changed})
        attached = attach_instance(self.units, new)
        assert attached.uid, attached.examination
        take_over(self.units, name)
        self.slug = self.slug or name

    def plan(self, uid: str, target: str, **values: object) -> str:
        """Plan a move and let the runner make its plan."""
        with self.moves.portal.write_as("ada") as work:
            made = migrations.create_migration(work, NewMigration(uid, target, **values))  # type: ignore[arg-type]
        self.moves.drive()
        return made.id

    def ready(self, uid: str, target: str, **values: object) -> str:
        """Plan and copy until it is ready."""
        made = self.plan(uid, target, **values)
        view = self.moves.view(made)
        assert view.state is MigrationState.PLANNED, (view.state, view.message, view.hint)
        view = self.moves.wish(migrations.start, made)
        assert view.state is MigrationState.READY, (view.state, view.message, view.hint)
        return made

    def connect(self, uid: str, name: str) -> None:
        """Give a location that was taken over the connection of a bucket."""
        with self.moves.portal.write_as("ada") as work:
            session = work.session
            storage = session.scalars(select(Storage).where(Storage.uid == uid)).one()
            storage.connection_id = session.scalars(select(Connection.id).where(Connection.name == name)).one()

    def cut_over(self, migration: str, name: str) -> MigrationView:
        """Cut over and return the migration."""
        given = migrations.CutOver(name)
        view = self.moves.wish(migrations.request_cut_over, migration, given)
        assert view.state is MigrationState.SOAKING, (view.state, view.message, view.hint)
        return view

    def confirmation(self, migration: str) -> str:
        """Return what a person types to cut over."""
        with self.moves.portal.read_as("ada") as work:
            return migrations.get_page(work, migration).confirm_with

    def release(self, migration: str) -> None:
        """End the soak."""
        self.moves.let_it_be_quiet(migration)
        view = self.moves.wish(migrations.release, migration)
        assert view.state is MigrationState.RELEASED, (view.state, view.message, view.hint)

    def roll_back(self, migration: str) -> MigrationView:
        """Roll back and return the migration."""
        view = self.moves.wish(migrations.request_rollback, migration)
        assert view.state is MigrationState.ROLLED_BACK, (view.state, view.message, view.hint)
        return view


@pytest.fixture
def desk(
    portal: Portal,  # noqa: F811 - the fixture
    world: World,  # noqa: F811 - the fixture
    executor: LocalExecutor,
    s3_server: S3Server,
    tmp_path: Path,
) -> Desk:
    """A portal without instances of LaminDB."""
    return Desk(Moves(portal, executor, s3_server, tmp_path))


@pytest.fixture(scope="session")
def originals(make_instance: MakeInstance, tmp_path_factory: pytest.TempPathFactory) -> Originals:
    """Instances that the client made once, to be copied."""
    return Originals(tmp_path_factory.mktemp("originals"), make_instance)


@pytest.fixture
def new_instance(
    database_kind: str, originals: Originals, request: pytest.FixtureRequest, tmp_path: Path
) -> NewInstance:
    """A function that gives one more instance, a copy of one of the same folders; the test runs once a kind."""
    count = itertools.count(1)

    def new(root: str, fill: Sequence[str] | None = None) -> Instance:
        server = request.getfixturevalue("postgres_server") if database_kind == "postgresql" else None
        return originals.copy(database_kind, tmp_path / f"person-{next(count)}", root, fill, server)

    return new


@pytest.fixture
def instance(new_instance: NewInstance, tmp_path: Path) -> Instance:
    """An instance of two filled locations, `main`, the default one, and `second`."""
    return new_instance(str(tmp_path / "main"), fill=[str(tmp_path / "second")])
