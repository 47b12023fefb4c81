"""Fixtures of the tests with the real lamindb: instances of both databases, made by the client itself."""

import functools
import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

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


class NewInstance(Protocol):
    """Makes an instance whose default location is `root`.

    With `fill` those roots are registered too, and every location gets its artifacts; None leaves the instance empty.
    """

    def __call__(self, root: str, fill: Sequence[str] | None = None) -> Instance: ...


class MakeInstance(Protocol):
    """Makes an instance on a kind of database, whose maker's home is `home`."""

    def __call__(self, kind: str, home: Path, root: str, fill: Sequence[str] | None = None) -> Instance: ...


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> PostgresTemplate:
    """What every instance on PostgreSQL starts from."""
    return PostgresTemplate(postgres_server, tmp_path_factory.mktemp("lamindb-template"))


@pytest.fixture(scope="session")
def make_instance(request: pytest.FixtureRequest, s3_server: S3Server) -> MakeInstance:
    """A function that makes an instance on a kind of database; see `NewInstance` for the rest."""

    def make(kind: str, home: Path, root: str, fill: Sequence[str] | None = None) -> Instance:
        client = LaminClient(home, s3_environment(s3_server))
        if kind == "sqlite":
            return Instance(client, sqlite_way(root), *client.init(home.name, root, fill=fill))
        template: PostgresTemplate = request.getfixturevalue("postgres_template")
        url = template.new_url()
        return Instance(client, postgres_way(url), *client.init(home.name, root, url, fill=fill))

    return make


@pytest.fixture
def new_instance(database_kind: str, make_instance: MakeInstance, tmp_path: Path) -> NewInstance:
    """A function that makes one more instance; the test runs once a kind of database."""
    count = itertools.count(1)

    def new(root: str, fill: Sequence[str] | None = None) -> Instance:
        return make_instance(database_kind, tmp_path / f"person-{next(count)}", root, fill)

    return new


@pytest.fixture(scope="session")
def filled_instances(
    make_instance: MakeInstance, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Instance]:
    """A function that returns the one filled instance of a kind of database; its database is only ever copied."""

    @functools.cache
    def instance(kind: str) -> Instance:
        folder = tmp_path_factory.mktemp(f"filled-{kind}")
        further = [str(folder / "second"), str(folder / "second/nested")]
        return make_instance(kind, folder / "person", str(folder / "main"), further)

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
