"""Workers that die in a step, steps that stop half-way, cancels in the last moment: what the soak found."""

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from portal.planning.states import MigrationState as State
from portal.runner.drive import Drive, Facts
from portal.runner.jobs import own_tag
from portal.runner.shards import shard_tag
from portal.runner.switching import switch
from portal.runner.ways import way_of
from portal.services import migrations
from portal.services.migrations import ledger
from portal.services.migrations.ledger import FORWARD
from portal.values import MARKER_KEY
from tests.integration.move_fixtures import executor, marker_of, moves, source
from tests.integration.moves import Moves, contents, fill

__all__ = ["executor", "moves", "source"]

pytestmark = [pytest.mark.timeout(300), pytest.mark.parametrize("database_kind", ["sqlite"])]


class DeadlyExecutor(Executor):
    """Real workers, of which the first few die over what they are given."""

    def __init__(self, inner: Executor, deaths: int) -> None:
        self._inner, self._deaths = inner, deaths

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Let a worker die, or do the work."""
        self._deaths -= 1
        return self._inner.submit(os._exit, 1) if self._deaths >= 0 else self._inner.submit(fn, *args, **kwargs)


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_check_whose_worker_died_is_made_by_another(
    moves: Moves, source: Path, local_base: Path, deaths: int
) -> None:
    moves.executor = DeadlyExecutor(moves.executor, deaths)
    view = moves.view(moves.plan(moves.register(source), local_base / "new"))
    assert view.state is State.PLANNED, view.message


def test_checks_that_stopped_are_what_a_retry_makes_again(moves: Moves, source: Path, local_base: Path) -> None:
    living = moves.executor
    moves.executor = DeadlyExecutor(living, 3)
    uid = moves.plan(moves.register(source), local_base / "new")
    view = moves.view(uid)
    assert (view.state, "died 3 times" in view.message) == (State.NEEDS_ATTENTION, True)
    moves.executor = living
    fill(local_base / "new", {MARKER_KEY: marker_of("SomebodyElse")})
    view = moves.wish(migrations.retry, uid)
    assert (view.state, "SomebodyElse" in view.message) == (State.FAILED, True)
    assert set(contents(local_base / "new")) == {MARKER_KEY}


def test_what_a_killed_probe_left_at_the_target_is_removed_by_the_next_check(
    moves: Moves, source: Path, local_base: Path
) -> None:
    storage = moves.register(source)
    left = (f".lamindb/_probe/{storage}", f".lamindb/_portal/{own_tag(storage)}/0123")
    fill(local_base / "new", dict.fromkeys(left, b"left by a kill"))
    assert moves.state(moves.plan(storage, local_base / "new")) is State.PLANNED
    assert contents(local_base / "new") == {}


def test_a_cancel_that_replaces_a_wish_just_as_it_is_fulfilled_counts(
    moves: Moves, source: Path, local_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = moves.plan(moves.register(source), local_base / "new")
    with moves.portal.write_as("ada") as work:
        migrations.start(work, uid)
    facts = Drive.facts

    def read_then_cancelled(drive: Drive) -> Facts:
        found = facts(drive)
        if found.wish == "start":
            with moves.portal.write_as("ada") as work:
                migrations.cancel(work, uid)
        return found

    monkeypatch.setattr(Drive, "facts", read_then_cancelled)
    moves.drive()
    assert moves.state(uid) is State.CANCELLED
    assert not (local_base / "new").exists()


def test_a_cancel_just_before_the_switch_is_fulfilled(moves: Moves, source: Path, local_base: Path) -> None:
    storage = moves.register(source)
    fill(source, {MARKER_KEY: marker_of(storage)})
    uid = moves.copy(storage, local_base / "new")
    with moves.portal.write_as("ada") as work:
        migrations.request_cut_over(work, uid, migrations.CutOver("source"))
    moves.drive_while(lambda: not (moves.view(uid).plan or {}).get("is_clean"))
    with moves.portal.app.app_context():
        drive = moves.take()
        facts = drive.facts()
        with moves.portal.write_as("ada") as work:
            migrations.cancel(work, uid)
        switch(drive, facts, way_of(facts, FORWARD))
        moves.runner_name = drive.lease.owner
    moves.drive()
    assert moves.state(uid) is State.CANCELLED
    assert moves.storage(storage).root == str(source)
    assert MARKER_KEY not in contents(local_base / "new")


def test_a_fence_that_stopped_half_way_is_gone_on_with_and_leaves_no_temporary(
    moves: Moves, source: Path, local_base: Path
) -> None:
    uid = moves.copy(moves.register(source), local_base / "new")
    fill(source, {"late.txt": b"late"})
    with moves.portal.write_as("ada") as work:
        migrations.request_cut_over(work, uid, migrations.CutOver("source"))
    moves.drive_while(lambda: (moves.view(uid).plan or {}).get("pass") != 2)
    with moves.portal.app.app_context():
        drive = moves.take()
        with drive.writing() as held:
            rows = ledger.shards_of(held.work.session, held.migration.id, FORWARD, 2)
            ledger.mark_copying(held.work.session, [row.id for row in rows], drive.lease.epoch, held.work.now)
        drive.trouble("The server went away.")
        moves.runner_name = drive.lease.owner
    fill(local_base / "new", {f".lamindb/_portal/{shard_tag(uid, FORWARD, 2, 0)}/half": b"half an object"})
    assert moves.state(uid) is State.READY
    assert moves.cut_over(uid, "source").state is State.SOAKING
    assert contents(local_base / "new") == contents(source)


def test_a_rollback_that_stopped_half_way_puts_nothing_beside_twice(
    moves: Moves, source: Path, local_base: Path
) -> None:
    uid = moves.copy(moves.register(source), local_base / "new")
    moves.cut_over(uid, "source")
    fill(local_base / "new", {"README.md": b"rewritten since"})
    with moves.portal.write_as("ada") as work:
        migrations.request_rollback(work, uid)
    moves.drive_while(lambda: not list(source.glob("README.md.*")))
    with moves.portal.app.app_context():
        drive = moves.take()
        drive.trouble("The server went away.")
        moves.runner_name = drive.lease.owner
    assert moves.state(uid) is State.SOAKING
    fill(local_base / "new", {"since.txt": b"written before the second try"})
    assert moves.wish(migrations.request_rollback, uid).state is State.ROLLED_BACK
    assert len(list(source.glob("README.md.*"))) == 1
    assert (source / "since.txt").read_bytes() == b"written before the second try"
