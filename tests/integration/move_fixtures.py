"""Fixtures of the tests that move roots; a test module imports what it uses."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from portal.engine import LocalExecutor, open_executor
from tests.integration.moves import Moves, fill
from tests.integration.world import Portal, World
from tests.servers import S3Server

_NUMBERS = count()


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    """Two real worker processes."""
    with open_executor(2) as made:
        yield made


@pytest.fixture
def moves(portal: Portal, world: World, executor: LocalExecutor, s3_server: S3Server, local_base: Path) -> Moves:
    """The portal with a runner."""
    return Moves(portal, executor, s3_server, local_base)


@pytest.fixture
def source(local_base: Path) -> Path:
    """A local root with objects."""
    folder = local_base / "source"
    fill(folder)
    return folder


@pytest.fixture
def bucket_name() -> Callable[[], str]:
    """A function that gives a bucket name nobody has used."""
    return lambda: f"moves-{next(_NUMBERS)}"


def marker_of(uid: str) -> bytes:
    """Return a marker as LaminDB writes it."""
    return f"{uid}\ncreation info:\ninstance_slug=lab/atlas\ninstance_id={'0' * 32}\ninstance_uid=abcdefghijkl".encode()
