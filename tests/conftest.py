"""Fixtures of every suite: real servers, started once a test process, and fresh databases."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import sample
from tests.read_only import ReadOnlyEndpoint
from tests.servers import PostgresServer, S3Server, SqliteTemplate

# A shell starts background jobs with Ctrl-C ignored, and children inherit that: tests that press it need it back.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A loaded machine is slow, not wrong.
settings.register_profile("portal", deadline=None)
settings.load_profile("portal")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark of `tests/sample.py` known."""
    config.addinivalue_line("markers", "dialects: runs on every database in each run, since SQL itself is tested")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Draw, before `-m "not full"` is heeded."""
    sample.leave_out(items)


@pytest.fixture(scope="session", autouse=True)
def no_settings_from_outside() -> Iterator[None]:
    """Keep the developer's own PORTAL_ and AWS_ variables out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("PORTAL_", "AWS_"))]:
            patch.delenv(name)
        # Else the AWS libraries ask 169.254.169.254 for an identity and wait for an answer.
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A running S3 server without buckets; each test makes buckets of its own by `add_bucket`."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def read_only_endpoint(s3_server: S3Server) -> Iterator[ReadOnlyEndpoint]:
    """A second address of `s3_server` where the same key may list and read; a write is refused with 403."""
    with ReadOnlyEndpoint(s3_server) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL without databases of ours."""
    with PostgresServer() as server:
        yield server


def upgrade(url: str) -> None:
    """Bring a database to the newest revision."""
    # Imported here: tests without a database should not pay for SQLAlchemy and Alembic.
    from portal.database import upgrade as upgrade_database

    upgrade_database(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplate:
    """The SQLite database that every test's own is a copy of."""
    return SqliteTemplate(tmp_path_factory.mktemp("sqlite"), upgrade)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """The databases the portal runs on, one after the other."""
    kind: str = request.param
    return kind


@pytest.fixture
def new_database(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """A function that makes one more database with the portal's tables and no rows, and returns its URL."""
    if database_kind == "sqlite":
        template: SqliteTemplate = request.getfixturevalue("sqlite_template")
        yield _numbered(lambda count: template.new_database(tmp_path / f"portal-{count}.db"))
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    made: list[str] = []

    def make(_count: int) -> str:
        made.append(server.new_database_from(upgrade))
        return made[-1]

    yield _numbered(make)
    for url in made:
        server.drop_database(url)


def _numbered(make: Callable[[int], str]) -> Callable[[], str]:
    """Call `make` with 1, 2, 3 …"""
    count = 0

    def next_one() -> str:
        nonlocal count
        count += 1
        return make(count)

    return next_one


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    """The URL of a fresh database with the portal's tables and no rows; the test runs once a kind."""
    return new_database()


@pytest.fixture
def empty_database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table, for tests of revisions; the test runs once a kind."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.new_database()
    yield url
    server.drop_database(url)
