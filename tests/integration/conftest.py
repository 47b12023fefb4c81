"""Fixtures of the integration tests: the real app on real databases, and a fixed world of people."""

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache

from portal.app import create_app
from portal.config import Settings
from portal.database import db
from portal.services.storage_list import plan as storage_plan
from portal.services.work import Work
from tests.conftest import upgrade
from tests.integration.world import Portal, World, build_world, find_world
from tests.servers import PostgresServer, SqliteTemplate


@pytest.fixture
def local_base(tmp_path: Path) -> Path:
    """The one base directory below which local roots may lie."""
    base = tmp_path / "local"
    base.mkdir()
    return base


@pytest.fixture(scope="session")
def populated(
    sqlite_template: SqliteTemplate, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], str]:
    """A function that returns the URL of the one database of a kind with the fixed world in it; only to be copied."""

    @functools.cache
    def make(kind: str) -> str:
        folder = tmp_path_factory.mktemp(f"world-{kind}")
        if kind == "sqlite":
            url = sqlite_template.new_database(folder / "portal.db")
        else:
            url = request.getfixturevalue("postgres_server").new_database_from(upgrade)
        app = create_app(
            Settings(
                data_dir=folder,
                database_url=url,
                bind=("127.0.0.1", 8000),
                url="http://localhost",
                host="portal-host",
                log_level="ERROR",
            )
        )
        build_world(Portal(app))
        with app.app_context():
            db.engine.dispose()
        return url

    return make


@pytest.fixture
def database_url(
    database_kind: str,
    new_database: Callable[[], str],
    populated: Callable[[str], str],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> Iterator[str]:
    """The URL of a fresh database, with the fixed world in it where the test asks for that."""
    if "world" not in request.fixturenames:
        yield new_database()
    elif database_kind == "sqlite":
        yield SqliteTemplate.of(populated("sqlite")).new_database(tmp_path / "portal.db")
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.new_database(template=populated("postgresql").rpartition("/")[2])
        yield url
        server.drop_database(url)


@pytest.fixture
def settings(database_url: str, tmp_path: Path, local_base: Path) -> Settings:
    """Settings on a fresh database; the test runs once with SQLite and once with PostgreSQL."""
    return Settings(
        data_dir=tmp_path / "data",
        database_url=database_url,
        bind=("127.0.0.1", 8000),
        url="http://localhost",
        host="portal-host",
        local_bases=(local_base,),
        allowed_endpoints=("127.0.0.0/8", "localhost"),
        log_level="ERROR",
    )


class CompiledTemplates(BytecodeCache):
    """Templates that one app of this process has compiled, for the next: half of what a page's first request costs."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what is there of a template."""
        if bucket.key in self._compiled:
            bucket.bytecode_from_string(self._compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template."""
        self._compiled[bucket.key] = bucket.bytecode_to_string()


_TEMPLATES = CompiledTemplates()


@pytest.fixture
def new_app(settings: Settings) -> Iterator[Callable[[Settings], Flask]]:
    """A function that makes one more app, as another process would; connections are closed at the end."""
    made: list[Flask] = []

    def make(with_settings: Settings = settings) -> Flask:
        made.append(create_app(with_settings))
        made[-1].jinja_env.bytecode_cache = _TEMPLATES
        return made[-1]

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def app(new_app: Callable[..., Flask]) -> Flask:
    """The portal's web application on a fresh database."""
    return new_app()


@pytest.fixture
def portal(app: Flask) -> Portal:
    """The app with ways to act in it as anybody."""
    return Portal(app)


@pytest.fixture
def world(portal: Portal) -> World:
    """The fixed world: ada, erik, rita, otto, organisation lab, instance lab/atlas, spaces clinical and imaging."""
    return find_world(portal) or build_world(portal)


@pytest.fixture
def work_as(portal: Portal, world: World) -> Callable[..., AbstractContextManager[Work]]:
    """`with work_as("erik") as work:` a unit of work that is committed at the end of the block."""
    return portal.write_as


@pytest.fixture
def read_as(portal: Portal, world: World) -> Callable[..., AbstractContextManager[Work]]:
    """`with read_as("rita") as work:` a unit of work that reads."""
    return portal.read_as


@pytest.fixture
def client_as(portal: Portal, world: World) -> Callable[[str | None], FlaskClient]:
    """`client_as("erik").post(url, data=…)`: a browser that is signed in; None for one that is not."""
    return portal.client_as


@pytest.fixture(params=["gathered", "in order"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of reading a page, with few rows: the numbers that choose between them are made small."""
    if request.param == "in order":
        monkeypatch.setattr(storage_plan, "MOST_GATHERED", 3)
    else:
        monkeypatch.setattr(storage_plan, "ORDER_ADVANTAGE", 10**9)
    monkeypatch.setattr(storage_plan, "FEW", {"sqlite": 0, "postgresql": 0})
    return str(request.param)
