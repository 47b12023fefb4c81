"""Workers that hang longer than a runner waits: they write nothing when they wake, and nobody works beside them."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from portal.planning.states import MigrationState as State
from portal.runner.jobs import guarded, make_plan
from portal.runner.loop import Reconciler
from portal.services import migrations
from portal.transfer.copy import copy_shard
from portal.transfer.jobs import ShardEnd
from tests.integration.move_fixtures import executor, moves
from tests.integration.moves import Moves, contents, fill, wait_for

__all__ = ["executor", "moves"]

pytestmark = [pytest.mark.timeout(180), pytest.mark.parametrize("database_kind", ["sqlite"])]

#: Two shards.
OBJECTS = {f"part-{number:04}.bin": b"bytes" for number in range(400)}


class HangingExecutor(Executor):
    """Real workers, of which the first that gets a certain job hangs before it begins.

    Attributes:
        handed: what was handed over of these jobs.
    """

    def __init__(self, inner: Executor, call: Callable[..., Any], meanwhile: Callable[[], object]) -> None:
        self._inner, self._call, self._meanwhile = inner, call, meanwhile
        self._hung: Future[Any] = Future()
        self.handed: list[tuple[Any, ...]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a job over; the first of its kind is kept."""
        given = (fn, *args)
        if self._call not in given[:2]:
            return self._inner.submit(fn, *args, **kwargs)
        self.handed.append(given)
        if len(self.handed) > 1:
            return self._inner.submit(fn, *args, **kwargs)
        self._hung.set_running_or_notify_cancel()
        self._meanwhile()
        return self._hung

    def wake(self) -> Any:
        """Let the job that hung go on; return what comes of it."""
        fn, *args = self.handed[0]
        result = self._inner.submit(fn, *args).result()
        self._hung.set_result(result)
        return result


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give workers up at once."""
    for module in ("drive", "shards"):
        monkeypatch.setattr(f"portal.runner.{module}.STOP_SECONDS", 0.3)


@pytest.fixture
def uid(moves: Moves, local_base: Path) -> str:
    """A move that was made."""
    fill(local_base / "many", OBJECTS)
    with moves.portal.write_as("ada") as work:
        new = migrations.NewMigration(moves.register(local_base / "many"), str(local_base / "new"))
        return migrations.create_migration(work, new).id


def wish(moves: Moves, service: Callable[..., Any], uid: str) -> None:
    """Wish for a step as ada; nobody does it yet."""
    with moves.portal.write_as("ada") as work:
        service(work, uid)


def drive(moves: Moves, runner: Reconciler) -> None:
    """Let this runner do all that is due."""
    with moves.portal.app.app_context():
        while runner.run_once():
            pass


def drive_until(moves: Moves, runner: Reconciler, uid: str, state: State) -> None:
    """Let this runner go on until a migration is in a state."""

    def is_there() -> bool:
        drive(moves, runner)
        return moves.state(uid) is state

    wait_for(is_there)


def hang(moves: Moves, call: Callable[..., Any], meanwhile: Callable[[], object]) -> HangingExecutor:
    """Let a worker hang over the next such job."""
    moves.executor = made = HangingExecutor(moves.executor, call, meanwhile)
    return made


def test_a_worker_that_hung_while_its_move_was_cancelled_writes_nothing_when_it_wakes(
    moves: Moves, uid: str, local_base: Path
) -> None:
    wish(moves, migrations.start, uid)
    hanging = hang(moves, copy_shard, lambda: wish(moves, migrations.cancel, uid))
    drive(moves, moves.runner())
    assert moves.state(uid) is State.CANCELLED
    before = contents(local_base / "new")
    assert hanging.wake().end is ShardEnd.STOPPED
    assert contents(local_base / "new") == before


def test_what_a_worker_that_hangs_was_given_is_no_other_ones_until_it_wakes(
    moves: Moves, uid: str, local_base: Path
) -> None:
    wish(moves, migrations.start, uid)
    hanging = hang(moves, copy_shard, lambda: wish(moves, migrations.pause, uid))
    runner = moves.runner()
    drive(moves, runner)
    assert moves.state(uid) is State.PAUSED
    wish(moves, migrations.resume, uid)
    drive(moves, runner)
    view = moves.view(uid)
    assert (view.state, view.copied_count) == (State.COPYING, 200), "the other shard was copied"
    assert "A worker that was told to stop" in view.message
    assert [given[1].shard_id for given in hanging.handed].count(hanging.handed[0][1].shard_id) == 1

    fill(local_base / "second")
    with moves.portal.write_as("ada") as work:
        new = migrations.NewMigration(moves.register(local_base / "second"), str(local_base / "new2"))
        other = migrations.create_migration(work, new).id
    drive(moves, runner)
    assert moves.state(other) is State.PLANNED, "other moves go on meanwhile"

    assert hanging.wake().end is ShardEnd.STOPPED
    drive_until(moves, runner, uid, State.READY)
    assert contents(local_base / "new") == OBJECTS
    assert "told to stop" not in moves.view(uid).message


def test_a_plan_is_not_made_beside_a_worker_that_hangs_over_it(moves: Moves, uid: str) -> None:
    runner: Reconciler
    hanging = hang(moves, make_plan, lambda: runner.stopping.set())  # noqa: PLW0108 - it is made below
    runner = moves.runner()
    with moves.portal.app.app_context():
        runner.run_once()
    runner.stopping.clear()
    drive(moves, runner)
    assert [given[0] for given in hanging.handed] == [guarded], "it was handed over once"
    view = moves.view(uid)
    assert (view.state, "A worker that was told to stop" in view.message) == (State.PREFLIGHT, True)
    assert hanging.wake().error == "Told to stop."
    drive_until(moves, runner, uid, State.PLANNED)
