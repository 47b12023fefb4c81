"""Whole migrations by a real runner over a faulty line: no fault makes it ready with something corrupt."""

from collections.abc import Callable
from pathlib import Path

import pytest

from portal.planning.states import MigrationState as State
from portal.services import migrations
from portal.services.migrations import ExceptionQuery
from tests.faults.draw import drawn
from tests.faults.proxy import FaultProxy
from tests.faults.script import Fault, Script
from tests.integration.conftest import app, local_base, new_app, portal, settings, world
from tests.integration.move_fixtures import bucket_name, executor, source
from tests.integration.moves import OBJECTS, Moves, contents, picture
from tests.integration.world import Portal, World
from tests.servers import S3Server

__all__ = ["app", "bucket_name", "executor", "local_base", "new_app", "portal", "settings", "source", "world"]

pytestmark = [pytest.mark.timeout(300), pytest.mark.parametrize("database_kind", ["sqlite"])]

BOTH_WAYS = [
    Fault.SLOW_DOWN, Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.WRONG_ETAG, Fault.NO_ETAG, Fault.FORBIDDEN,
]  # fmt: skip

#: The checks before a move find this server's checksums to be evidence, so that no content comes down from a target.
INTO = [*BOTH_WAYS, Fault.CUT_UP, Fault.FLIP_UP, Fault.FLIP_UNSEEN]
OUT_OF = [*BOTH_WAYS, Fault.CUT_DOWN, Fault.FLIP_DOWN]

#: Tried each time, beside a bit that turns.
ALWAYS = (Fault.WRONG_ETAG, Fault.FORBIDDEN)

#: Objects of OBJECTS that each fault meets for sure; others as the dice say.
_SURE = ("README.md", "AAAA.parquet")


class FaultyServer(S3Server):
    """The S3 server as one knows it who only knows the faulty way to it."""

    def __init__(self, server: S3Server, proxy: FaultProxy) -> None:
        super().__init__(server.folder)
        self._proxy = proxy

    @property
    def endpoint_url(self) -> str:
        """Return the proxy's URL."""
        return self._proxy.endpoint_url


@pytest.fixture
def moves(
    portal: Portal, world: World, executor: object, s3_server: S3Server, proxy: FaultProxy, local_base: Path
) -> Moves:
    """The portal with a runner, the bucket server behind the proxy."""
    return Moves(portal, executor, FaultyServer(s3_server, proxy), local_base)  # type: ignore[arg-type] # a fixture


@pytest.mark.parametrize("fault", drawn("runner up", INTO, 1, (Fault.FLIP_UNSEEN, *ALWAYS)))
def test_a_move_into_a_bucket_is_ready_only_when_all_is_there(
    moves: Moves, source: Path, proxy: FaultProxy, bucket_name: Callable[[], str], seed: int, fault: Fault
) -> None:
    root, folder = moves.bucket(f"faulty-{bucket_name()}")
    uid = moves.plan(moves.register(source), root)
    play(moves, proxy, uid, Script((fault,), seed, part=30, sure=_SURE), (source, folder))


@pytest.mark.parametrize("fault", drawn("runner down", OUT_OF, 1, (Fault.FLIP_DOWN, *ALWAYS)))
def test_a_move_out_of_a_bucket_is_ready_only_when_all_is_there(
    moves: Moves, source: Path, proxy: FaultProxy, bucket_name: Callable[[], str], seed: int, fault: Fault
) -> None:
    root, folder = moves.bucket(f"faulty-{bucket_name()}")
    source.rename(folder / "moved")
    for path in sorted((folder / "moved").iterdir()):
        path.rename(folder / path.name)
    (folder / "moved").rmdir()
    uid = moves.plan(moves.register(root), moves.base / "new")
    play(moves, proxy, uid, Script((fault,), seed, part=30, sure=_SURE), (folder, moves.base / "new"))


def test_objects_in_an_archive_are_told_as_such_and_copied_once_they_are_restored(
    moves: Moves, source: Path, proxy: FaultProxy, bucket_name: Callable[[], str]
) -> None:
    root, folder = moves.bucket(f"archived-{bucket_name()}")
    for path in sorted(source.iterdir()):
        path.rename(folder / path.name)
    uid = moves.plan(moves.register(root), moves.base / "new")
    proxy.play(Script((Fault.FORBIDDEN,), operations=frozenset({"get"}), refusal="InvalidObjectState"))
    view = moves.wish(migrations.start, uid)
    assert (view.state, view.message) == (State.NEEDS_ATTENTION, f"Objects archived: {len(OBJECTS)}.")
    with moves.portal.read_as("ada") as work:
        rows = migrations.list_exceptions(work, uid, ExceptionQuery()).rows
    assert {(row.kind, row.is_passing) for row in rows} == {("object_archived", False)}
    assert "Restore it from the archive first." in rows[0].reason
    proxy.forget()
    view = moves.wish(lambda work, uid: migrations.retry_objects(work, uid, kinds=("object_archived",)), uid)
    assert (view.state, contents(moves.base / "new")) == (State.READY, OBJECTS), view.message


def play(moves: Moves, proxy: FaultProxy, uid: str, script: Script, folders: tuple[Path, Path]) -> None:
    """Let a planned migration run while things go wrong, then press on as a person does, to the end."""
    here, there = folders
    before = picture(here)
    proxy.play(script)
    view = moves.wish(migrations.start, uid)
    assert proxy.done[script.faults[0]] > 0
    assert picture(here) == before
    if view.state is State.READY:
        assert contents(there) == contents(here)
    else:
        assert view.message, view.state
    proxy.stop_faults()
    for _ in range(4):
        if (view := moves.view(uid)).state is State.READY:
            break
        moves.wish(migrations.retry, uid)
    assert view.state is State.READY, view.message
    assert contents(there) == contents(here)
    assert picture(here) == before
