"""The portal of the integration tests beside real LaminDB databases: both on SQLite, then both on PostgreSQL."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from portal.config import Settings
from portal.lamindb.registry.ways import PostgresWay, SqliteWay, Way
from portal.services.registries.attach import Attached, AttachInstance, attach_instance
from portal.services.units import Units
from tests.clients.instances import Instance
from tests.integration.conftest import app, client_as, new_app, portal, world  # noqa: F401 - fixtures
from tests.integration.world import Portal
from tests.integration.world import World as People

HOST = "portal-host"


@pytest.fixture
def settings(database_url: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings on a fresh database; every folder of the tests is open to the portal."""
    return Settings(
        data_dir=tmp_path / "data",
        database_url=database_url,
        bind=("127.0.0.1", 8000),
        url="http://localhost",
        host=HOST,
        local_bases=(tmp_path_factory.getbasetemp().resolve(),),
        allowed_endpoints=("127.0.0.0/8", "localhost"),
        log_level="ERROR",
    )


def given(way: Way) -> dict[str, str]:
    """Return the way as `AttachInstance` takes it."""
    return {"path": way.path} if isinstance(way, SqliteWay) else {"url": way.url}


@dataclass(frozen=True)
class Desk:
    """A portal, a real LaminDB database, and somebody who attaches one to the other.

    Attributes:
        slug: the instance in the portal that is attached.
    """

    portal: Portal
    people: People
    way: Way
    slug: str = "lab/atlas"

    def units(self, handle: str = "ada") -> Units:
        """Return units of work as somebody."""
        return Units(lambda: self.portal.read_as(handle), lambda: self.portal.write_as(handle))

    def attach(self, handle: str = "ada", *, dry_run: bool = False, **changed: object) -> Attached:
        """Attach the database to the instance."""
        new = AttachInstance(**{"slug": self.slug, **given(self.way), **changed})  # type: ignore[arg-type]  # by name
        return attach_instance(self.units(handle), new, dry_run=dry_run)


@pytest.fixture
def desk(portal: Portal, world: People, lamin_database: Way) -> Desk:  # noqa: F811 - fixtures
    """A portal and the filled database, not attached yet."""
    return Desk(portal, world, lamin_database)


@pytest.fixture
def attached(desk: Desk) -> Desk:
    """The same, attached."""
    assert desk.attach().uid is not None
    return desk


@pytest.fixture
def facts(database_kind: str, filled_instances: Callable[[str], Instance]) -> dict[str, Any]:
    """What the client told of the instance: slug, id, uid."""
    return filled_instances(database_kind).facts


@pytest.fixture
def secret_of(lamin_database: Way) -> str:
    """The password in the way, which nothing may show; the file's name of a SQLite database, which has none."""
    if isinstance(lamin_database, PostgresWay):
        return lamin_database.url.partition("@")[0].rpartition(":")[2]
    return "no password at all"
