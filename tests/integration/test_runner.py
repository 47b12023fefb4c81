"""Runners as processes and beside each other: killed, stopped, overtaken. Nothing is lost, nothing is done twice."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from portal import database
from portal.config import Settings
from portal.errors import Conflict
from portal.models import Event, Intent, Runner
from portal.planning.states import MigrationState as State
from portal.runner.drive import Drive
from portal.runner.loop import Reconciler
from portal.runner.names import claimed_name
from portal.runner.process import run_until_told
from portal.services import migrations
from portal.services.migrations.leases import LEASE, LeaseLost
from portal.services.migrations.runners import check_ledger, report_alive
from portal.transfer.copy import copy_shard
from tests.integration.move_fixtures import bucket_name, executor, moves, source
from tests.integration.moves import Moves, contents, fill, picture, wait_for
from tests.integration.real_processes import child_ids_of, is_running

__all__ = ["bucket_name", "executor", "moves", "source"]

pytestmark = [pytest.mark.timeout(300), pytest.mark.dialects]

StartRunner = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def start_runner(settings: Settings, tmp_path: Path) -> Iterator[StartRunner]:
    """A function that starts `portal runner` as a process on the test's portal."""
    environment = os.environ | {
        "PORTAL_DATA_DIR": str(settings.data_dir),
        "PORTAL_DATABASE_URL": settings.database_url,
        "PORTAL_LOCAL_BASES": ":".join(str(base) for base in settings.local_bases),
        "PORTAL_ALLOWED_ENDPOINTS": ",".join(settings.allowed_endpoints),
        "PORTAL_LOG_LEVEL": "WARNING",
    }
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        with (tmp_path / "runner.log").open("ab") as log:
            command = [sys.executable, "-m", "portal", "runner", "--host", "portal-host"]
            started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


#: Bytes a second at which copying 600 of `many` takes half a minute.
SLOW = 400_000


def many(count: int) -> dict[str, bytes]:
    return {f"part-{number:04}.bin": bytes([number % 256]) * 20_000 for number in range(count)}


def begin(moves: Moves, uid: str, target: object) -> str:
    """Make a migration and press Start at once; nobody works on it yet."""
    with moves.portal.write_as("ada") as work:
        made = migrations.create_migration(work, migrations.NewMigration(uid, str(target))).id
    with moves.portal.write_as("ada") as work:
        migrations.start(work, made)
    return made


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_killed_runner_is_followed_by_another_that_goes_on_where_it_was(
    moves: Moves, local_base: Path, bucket_name: Callable[[], str], start_runner: StartRunner
) -> None:
    root, folder = moves.bucket(bucket_name())
    fill(local_base / "many", many(600))
    before = picture(local_base / "many")
    uid = begin(moves, moves.register(local_base / "many"), root)
    moves.limit(uid, SLOW)
    first = start_runner()
    wait_for(lambda: len(list(folder.iterdir())) > 40)
    workers = child_ids_of(first.pid)
    assert workers
    first.kill()
    first.wait()
    assert moves.state(uid) is State.COPYING
    wait_for(lambda: not any(is_running(each) for each in workers))  # they end by themselves
    there = picture(folder)
    assert 40 < len(there) < 600

    moves.limit(uid, None)
    moves.end_lease(uid)
    second = start_runner()
    wait_for(lambda: moves.state(uid) is State.READY)
    assert contents(folder) == many(600)
    after = picture(folder)
    assert sum(1 for key in there if after[key] != there[key]) == 0, "what was whole was written again"
    assert picture(local_base / "many") == before

    second.send_signal(signal.SIGTERM)
    assert second.wait(60) == 0
    with moves.portal.read_as("ada") as work:
        assert work.session.scalar(select(func.count()).select_from(Runner)) == 0


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_runner_told_to_stop_in_mid_copy_ends_within_seconds_and_gives_its_lease_back(
    moves: Moves, local_base: Path, bucket_name: Callable[[], str], start_runner: StartRunner
) -> None:
    root, folder = moves.bucket(bucket_name())
    fill(local_base / "many", many(600))
    uid = begin(moves, moves.register(local_base / "many"), root)
    moves.limit(uid, SLOW)
    runner = start_runner()
    wait_for(lambda: len(list(folder.iterdir())) > 20)
    runner.send_signal(signal.SIGTERM)
    # Within seconds; a runner that finished its shard first would need much longer, at this speed.
    assert runner.wait(30) == 0
    assert (moves.state(uid), moves.row_lease(uid)) == (State.COPYING, None)
    assert len(contents(folder)) < 600
    assert all(len(data) == 20_000 for data in contents(folder).values())
    moves.limit(uid, None)
    moves.drive()
    assert moves.state(uid) is State.READY
    assert contents(folder) == many(600)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_runner_that_was_paused_and_wakes_after_its_lease_was_taken_over_does_no_more_work(
    moves: Moves, settings: Settings, local_base: Path, bucket_name: Callable[[], str], start_runner: StartRunner,
    tmp_path: Path,
) -> None:  # fmt: skip
    root, folder = moves.bucket(bucket_name())
    fill(local_base / "many", many(600))
    uid = begin(moves, moves.register(local_base / "many"), root)
    moves.limit(uid, SLOW)
    first = start_runner()
    wait_for(lambda: len(list(folder.iterdir())) > 40)
    first.send_signal(signal.SIGSTOP)  # the runner alone: its workers go on for now
    moves.end_lease(uid)
    second = start_runner()
    wait_for((settings.ledger_dir / uid / "stop-1").exists)
    moves.limit(uid, None)
    wait_for(lambda: moves.state(uid) is not State.COPYING)
    first.send_signal(signal.SIGCONT)
    wait_for(lambda: "lease lost" in (tmp_path / "runner.log").read_text())
    wait_for(lambda: moves.state(uid) is State.READY)
    assert contents(folder) == many(600), "no temporary was left either"
    with moves.portal.read_as("ada") as work:
        actions = list(work.session.scalars(select(Event.action).where(Event.target_uid == uid).order_by(Event.id)))
    assert [actions.count(f"migration.{name}") for name in ("copied", "verified")] == [1, 1], "it was counted once"
    assert (first.poll(), second.poll()) == (None, None), "both stay, for other work"


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_clock_that_is_set_back_stops_neither_the_runner_nor_who_follows_it(
    moves: Moves, source: Path, local_base: Path
) -> None:
    uid = begin(moves, moves.register(source), local_base / "new")
    extensions, times = moves.portal.app.extensions, [datetime.now(UTC)]
    tools = (extensions["portal_settings"], extensions["portal_vault"])
    runners = [Reconciler(*tools, f"portal-host/{number}", moves.executor, lambda: times[0]) for number in (1, 2)]
    with moves.portal.app.app_context():
        runners[0]._beat()
        lease = runners[0]._take()
        assert lease is not None
        drive = Drive(runners[0]._tools, lease)
        times[0] -= timedelta(hours=1)
        time.sleep(1.1)
        drive.tick()
    with moves.row(uid) as row:
        assert row.lease_expires_at == times[0] + LEASE, "it was renewed by the new time"
        row.lease_expires_at += timedelta(hours=1)  # as if it had died before the clock was set
    with moves.portal.app.app_context():
        runners[1]._beat()
        taken = runners[1]._take()
        assert taken is not None
        assert (taken.epoch, taken.is_taken_over) == (lease.epoch + 1, True)
        time.sleep(1.1)
        with pytest.raises(LeaseLost):
            drive.tick()


@contextmanager
def running(moves: Moves) -> Iterator[None]:
    """Let a runner run meanwhile."""
    runner = moves.runner()

    def run() -> None:
        with moves.portal.app.app_context():
            runner.run()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        runner.stopping.set()
        thread.join(90)


class CountingExecutor(Executor):
    """Counts which shard is given to a worker to copy how often."""

    def __init__(self, inner: Executor) -> None:
        self._inner = inner
        self.copies: Counter[str] = Counter()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Count and pass on."""
        if fn is copy_shard:
            self.copies[args[0].shard_id] += 1
        return self._inner.submit(fn, *args, **kwargs)


def test_two_runners_at_once_copy_each_shard_once(moves: Moves, source: Path, local_base: Path) -> None:
    fill(source, many(900))
    counting = CountingExecutor(moves.executor)
    moves.executor = counting
    uids = [begin(moves, moves.register(source), local_base / "new")]
    fill(local_base / "second", many(300))
    uids.append(begin(moves, moves.register(local_base / "second"), local_base / "new-second"))
    runners = [moves.runner(f"portal-host/{number}") for number in (1, 2)]

    def drive(number: int) -> None:
        with moves.portal.app.app_context():
            runners[number].run()

    threads = [threading.Thread(target=drive, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: all(moves.state(uid) is State.READY for uid in uids))
    finally:
        for runner in runners:
            runner.stopping.set()
        for thread in threads:
            thread.join(90)
    assert len(counting.copies) >= 5
    assert set(counting.copies.values()) == {1}
    with moves.portal.read_as("ada") as work:
        copied = select(Event.target_uid, func.count()).where(Event.action == "migration.copied")
        counts = work.session.execute(copied.group_by(Event.target_uid)).all()
    assert sorted(counts) == sorted((uid, 1) for uid in uids)


def test_a_runner_that_lost_its_lease_writes_nothing(moves: Moves, source: Path, local_base: Path) -> None:
    uid = begin(moves, moves.register(source), local_base / "new")
    with moves.portal.app.app_context():
        slow = moves.take("portal-host/1")
        assert moves.runner("portal-host/2")._take() is None, "the lease was free"
    with moves.row(uid) as row:
        assert row.lease_expires_at is not None
        row.lease_expires_at -= 2 * LEASE
    with moves.portal.app.app_context():
        fast = moves.take("portal-host/2")
        assert fast.lease.epoch == slow.lease.epoch + 1
        with pytest.raises(LeaseLost), slow.writing() as held:
            held.migration.message = "from the grave"
        with fast.writing() as held:
            assert held.migration.message == ""
    assert moves.row_lease(uid) == "portal-host/2"


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_runner_leaves_roots_of_other_hosts_alone(moves: Moves, source: Path, local_base: Path) -> None:
    uid = begin(moves, moves.register(source), local_base / "new")
    with moves.portal.app.app_context():
        stranger = moves.runner("elsewhere/1", host="elsewhere")
        assert stranger.run_once() is False
    with moves.portal.read_as("ada") as work:
        page = migrations.get_page(work, uid)
    assert (page.is_waiting_for_runner, page.runner_seen_at, page.needed_host) == (True, None, "portal-host")


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_who_takes_over_stops_every_runner_before_also_where_one_died_before_it_did(
    moves: Moves, settings: Settings, source: Path, local_base: Path
) -> None:
    uid = begin(moves, moves.register(source), local_base / "new")
    with moves.portal.app.app_context():
        for name in ("portal-host/1", "portal-host/2"):
            moves.take(name)  # the first sleeps, the second dies right after
            moves.end_lease(uid)
        moves.take("portal-host/3").stop_others()
    folder = settings.ledger_dir / uid
    assert sorted(path.name for path in folder.glob("stop-*")) == ["stop-1", "stop-2"]


def test_a_move_between_buckets_is_left_to_the_host_that_has_an_instances_database(
    moves: Moves, bucket_name: Callable[[], str], local_base: Path
) -> None:
    (first, folder), (second, _) = (moves.bucket(bucket_name()) for _ in range(2))
    fill(folder, {"a.txt": b"a"})
    storage = moves.register(first)
    moves.refer(storage, "portal-host", kind="sqlite", path=str(local_base / "main/.lamindb/lamin.db"))
    with moves.portal.write_as("ada") as work:
        uid = migrations.create_migration(work, migrations.NewMigration(storage, second.text)).id
    with moves.portal.app.app_context():
        assert moves.runner("elsewhere/1", host="elsewhere").run_once() is False
    with moves.portal.read_as("ada") as work:
        page = migrations.get_page(work, uid)
    assert (page.is_waiting_for_runner, page.needed_host) == (True, "portal-host")
    with moves.portal.app.app_context():
        assert moves.take().lease.migration_uid == uid


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_an_instance_that_does_not_answer_after_a_cut_over_keeps_no_other_move_waiting(
    moves: Moves, source: Path, local_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.runner.ways._AGAIN_SECONDS", 0.1)
    storage = moves.register(source)
    uid = moves.copy(storage, local_base / "new")
    with moves.portal.write_as("ada") as work:
        migrations.request_cut_over(work, uid, migrations.CutOver("source"))
    moves.drive_until(State.CUT_OVER)
    url = moves.portal.app.extensions["portal_vault"].encrypt("postgresql://u:p@127.0.0.1:9/nobody").decode()
    other = moves.refer(storage, None, kind="postgresql", url_encrypted=url)
    with moves.portal.write_as("ada") as work:
        first = work.session.scalars(select(Intent)).one()
        after = {"root": str(local_base / "new"), "type": "local", "region": None}
        late = Intent(
            migration_id=first.migration_id, direction="forward", number=first.number, part="follow", row_id=1,
            instance_id=other, before={"root": str(source)}, after=after, created_at=work.now,
        )  # fmt: skip
        work.session.add(late)
    fill(local_base / "second")
    second = moves.register(local_base / "second")
    with moves.portal.write_as("ada") as work:
        waiting = migrations.create_migration(work, migrations.NewMigration(second, str(local_base / "new2"))).id
    with running(moves):
        wait_for(lambda: moves.state(waiting) is State.PLANNED, 20)
        view = moves.view(uid)
        assert view.state is State.CUT_OVER
        assert "/other does not name the new root yet" in view.message
        with moves.portal.write_as("ada") as work:
            work.session.scalars(select(Intent).where(Intent.part == "follow")).one().instance_id = None  # detached
        wait_for(lambda: moves.state(uid) is State.SOAKING, 20)


def test_a_runner_does_not_start_where_another_one_keeps_its_ledger_elsewhere(moves: Moves, settings: Settings) -> None:
    """What one writes of a plan the other would not find."""
    now = datetime.now(UTC)
    with moves.portal.app.app_context(), database.write() as session:
        report_alive(session, "nas/2", "nas", now)
    with pytest.raises(Conflict, match=r"The runner nas/2 uses another data folder") as caught:
        run_until_told(moves.portal.app, settings)
    assert "PORTAL_DATA_DIR" in (caught.value.hint or "")
    with moves.portal.app.app_context(), database.read() as session:
        assert session.scalar(select(func.count()).select_from(Runner)) == 1
        check_ledger(session, settings.data_dir, now + timedelta(minutes=1))
        with claimed_name(settings.data_dir, "nas"), claimed_name(settings.data_dir, "nas"):
            check_ledger(session, settings.data_dir, now)
