"""Fixtures of the tests with the real lamindb: instances of both databases, made by the client itself."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.lamindb.registry.ways import PostgresWay, Way
from tests.clients.instances import (
    Instance,
    PostgresTemplate,
    World,
    plain_url,
    postgres_way,
    s3_environment,
    sqlite_way,
)
from tests.clients.lamin import LaminClient
from tests.servers import PostgresServer, S3Server

NewInstance = Callable[[str], Instance]


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> PostgresTemplate:
    """What every instance on PostgreSQL starts from."""
    return PostgresTemplate(postgres_server, tmp_path_factory.mktemp("lamindb-template"))


@pytest.fixture
def new_instance(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path, s3_server: S3Server
) -> Iterator[NewInstance]:
    """A function that makes an instance whose default location is the given root; the test runs once a database."""
    made: list[str] = []

    def make(root: str) -> Instance:
        client = LaminClient(tmp_path / f"home-{len(made)}", s3_environment(s3_server))
        name = f"instance-{len(made)}"
        url = None
        if database_kind == "postgresql":
            template: PostgresTemplate = request.getfixturevalue("postgres_template")
            url = template.new_url()
        made.append(url or "")
        facts = client.init(name, root, url)
        return Instance(client, postgres_way(url) if url else sqlite_way(root), facts)

    yield make
    if database_kind == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        for url in made:
            server.drop_database(url)


@pytest.fixture(scope="session")
def filled_instances(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Instance]:
    """A function that returns the one filled instance of a kind of database; its database is only ever copied."""
    made: dict[str, Instance] = {}

    def instance(kind: str) -> Instance:
        if kind not in made:
            folder = tmp_path_factory.mktemp(f"filled-{kind}")
            client = LaminClient(folder / "home")
            root = str(folder / "main")
            url = request.getfixturevalue("postgres_template").new_url() if kind == "postgresql" else None
            facts = client.init("filled", root, url)
            made[kind] = Instance(client, postgres_way(url) if url else sqlite_way(root), facts)
            made[kind].fill(str(folder / "second"), str(folder / "second/nested"))
        return made[kind]

    return instance


@pytest.fixture
def lamin_world(database_kind: str, filled_instances: Callable[[str], Instance]) -> World:
    """What is in `lamin_database`: `locations` and `artifacts`, as the real client told."""
    return filled_instances(database_kind).world


@pytest.fixture
def lamin_database(
    database_kind: str, filled_instances: Callable[[str], Instance], request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Way]:
    """The way to a fresh copy of a filled LaminDB database; the test runs once a kind.

    Three locations, one inside another. Their files are those of every other copy: read them, never write them.
    """
    original = filled_instances(database_kind).way
    if database_kind == "sqlite":
        path = tmp_path / "copy/.lamindb/lamin.db"
        path.parent.mkdir(parents=True)
        shutil.copyfile(original.label, path)  # nobody writes to it, and there is no write-ahead log
        yield sqlite_way(str(tmp_path / "copy"))
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    assert isinstance(original, PostgresWay)
    url = plain_url(server.new_database(template=original.url.rpartition("/")[2]))
    yield postgres_way(url)
    server.drop_database(url)
