"""What may happen on the way: conflicts, changes, cancels, pauses, and deaths between two steps. Nothing gets lost."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portal import database
from portal.errors import Conflict
from portal.planning.states import MigrationState as State
from portal.runner.jobs import copy_marker
from portal.services import migrations
from portal.services.migrations.leases import give_back
from portal.services.register import RegisterLocal
from portal.services.storages import find_storage
from portal.values import MARKER_KEY
from tests.integration.move_fixtures import bucket_name, executor, marker_of, moves, source
from tests.integration.moves import OBJECTS, Moves, contents, fill, picture, wait_for
from tests.integration.roots import register_as
from tests.integration.world import World

__all__ = ["bucket_name", "executor", "moves", "source"]

pytestmark = pytest.mark.timeout(300)

ON_SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


def test_an_object_that_differs_at_the_target_needs_attention_and_is_not_overwritten(
    moves: Moves, source: Path, local_base: Path
) -> None:
    new = local_base / "new"
    fill(new, {"README.md": b"REA", "raw/größe.csv": b"other 10!\n", "empty.txt": b"", "theirs.txt": b"theirs"})
    theirs = picture(new)
    before = picture(source)
    uid = moves.copy(moves.register(source), new)
    view = moves.view(uid)
    assert (view.state, view.attention_count) == (State.NEEDS_ATTENTION, 2)
    assert {key: picture(new)[key] for key in theirs} == theirs
    with moves.portal.read_as("ada") as work:
        page = migrations.get_page(work, uid)
    assert [row.key for row in page.exceptions] == ["README.md", "raw/größe.csv"]
    assert any("theirs.txt" in warning for warning in (view.plan or {})["warnings"])

    for key in ("README.md", "raw/größe.csv"):
        (new / key).unlink()
    assert moves.wish(migrations.retry, uid).state is State.READY
    assert contents(new) == OBJECTS | {"theirs.txt": b"theirs"}
    assert picture(source) == before


def test_what_changes_at_the_source_while_it_is_copied_is_copied_again(
    moves: Moves, source: Path, local_base: Path
) -> None:
    uid = moves.plan(moves.register(source), local_base / "new")
    with moves.portal.write_as("ada") as work:
        migrations.start(work, uid)
    moves.drive_until(State.VERIFYING)
    fill(source, {"README.md": b"read me again\n"})
    moves.drive()
    view = moves.view(uid)
    assert (view.state, view.pass_number) == (State.READY, 2)
    assert contents(local_base / "new") == OBJECTS | {"README.md": b"read me again\n"}


@ON_SQLITE
def test_what_is_new_at_the_source_comes_along_at_the_cut_over(moves: Moves, source: Path, local_base: Path) -> None:
    uid = moves.copy(moves.register(source), local_base / "new")
    fill(source, {"late/new.txt": b"new", "README.md": b"changed"})
    (source / "empty.txt").unlink()
    view = moves.cut_over(uid, "source")
    assert view.state is State.SOAKING, view.message
    wanted = {key: data for key, data in OBJECTS.items() if key != "empty.txt"}
    assert contents(local_base / "new") == wanted | {"late/new.txt": b"new", "README.md": b"changed"}


@ON_SQLITE
def test_a_death_between_marker_and_switch_goes_on_to_the_end(moves: Moves, source: Path, local_base: Path) -> None:
    storage = moves.register(source)
    fill(source, {MARKER_KEY: marker_of(storage)})
    uid = moves.copy(storage, local_base / "new")
    with moves.portal.write_as("ada") as work:
        migrations.request_cut_over(work, uid, migrations.CutOver("source"))
    moves.drive_until(State.FENCED)
    with moves.portal.app.app_context():
        drive = moves.take()
        copy_marker(drive.facts().ends, storage)
        moves.runner_name = drive.lease.owner  # the same name: a lease of the dead is taken back at once
    moves.drive()
    assert moves.state(uid) is State.SOAKING
    assert moves.storage(storage).root == str(local_base / "new")
    assert (local_base / "new" / MARKER_KEY).read_bytes() == marker_of(storage)


def stopped_in_its_fence(moves: Moves, source: Path, target: Path) -> str:
    """Return a move whose cut-over stopped, and whose runner ended before it lifted the fence."""
    uid = moves.copy(moves.register(source), target)
    with moves.portal.write_as("ada") as work:
        migrations.request_cut_over(work, uid, migrations.CutOver("source"))
    moves.drive_while(lambda: not (moves.view(uid).plan or {}).get("fence_until"))
    with moves.portal.app.app_context():
        drive = moves.take()
        drive.trouble("The server went away.")
        with database.write() as session:
            give_back(session, drive.lease)
    assert moves.state(uid) is State.READY
    return uid


@pytest.mark.dialects
def test_a_fence_that_a_runner_left_behind_is_lifted_by_the_next(moves: Moves, source: Path, local_base: Path) -> None:
    uid = stopped_in_its_fence(moves, source, local_base / "new")
    moves.drive()
    plan = moves.view(uid).plan or {}
    assert (plan["fence_until"], plan["fenced"]) == (None, None)


@ON_SQLITE
def test_a_fence_that_is_long_over_does_not_end_the_next_cut_over(moves: Moves, source: Path, local_base: Path) -> None:
    uid = stopped_in_its_fence(moves, source, local_base / "new")
    with moves.row(uid) as row:
        row.plan = {**(row.plan or {}), "fence_until": (datetime.now(UTC) - timedelta(days=1)).isoformat()}
    view = moves.cut_over(uid, "source")
    assert view.state is State.SOAKING, view.message


@ON_SQLITE
def test_a_location_whose_record_changed_meanwhile_is_not_switched(
    moves: Moves, source: Path, local_base: Path
) -> None:
    storage = moves.register(source)
    uid = moves.copy(storage, local_base / "new")
    moves.register(local_base / "new")
    view = moves.cut_over(uid, "source")
    assert (view.state, "was not switched" in view.message) == (State.READY, True)
    assert moves.storage(storage).root == str(source)


def test_two_people_who_move_one_location_at_once_make_one_move(moves: Moves, source: Path, local_base: Path) -> None:
    storage = moves.register(source)

    def create(name: str) -> None:
        with moves.portal.write_as("ada") as work:
            migrations.create_migration(work, migrations.NewMigration(storage, f"{local_base}/{name}"))

    with ThreadPoolExecutor(1) as pool:
        with moves.portal.write_as("ada") as work:
            migrations.create_migration(work, migrations.NewMigration(storage, f"{local_base}/new"))
            second = pool.submit(create, "newer")
            assert wait([second], 0.5).not_done, "it waits for the first"
        with pytest.raises(Conflict, match="moves already"):
            second.result(30)


def test_a_location_that_appeared_inside_the_target_is_told_before_anything_is_switched(
    moves: Moves, world: World, source: Path, local_base: Path
) -> None:
    storage = moves.register(source, instance_id=world.instance_id)
    uid = moves.copy(storage, local_base / "new")
    raw = moves.register(local_base / "new/raw", instance_id=world.instance_id)
    view = moves.cut_over(uid, "source")
    assert (view.state, f"{local_base}/new/raw" in view.message) == (State.READY, True)
    assert view.message.endswith("must not share objects. The location was not switched.")
    assert moves.storage(storage).root == str(source)
    with moves.portal.write_as("ada") as work:
        work.session.delete(find_storage(work, raw))
    assert moves.cut_over(uid, "source").state is State.SOAKING


def test_the_old_root_is_kept_free_until_the_release(
    moves: Moves, world: World, source: Path, local_base: Path
) -> None:
    uid = moves.copy(moves.register(source, instance_id=world.instance_id), local_base / "new")
    moves.cut_over(uid, "source")
    for folder, words in ((source, "is taken"), (source / "raw", f"lies inside {source}")):
        with pytest.raises(Conflict, match=words) as caught:
            register_as(moves.portal, "ada", RegisterLocal(str(folder), instance="lab/atlas"))
        assert f"which migration {uid} keeps for its rollback" in caught.value.message
    assert moves.wish(migrations.request_rollback, uid).state is State.ROLLED_BACK
    assert register_as(moves.portal, "ada", RegisterLocal(str(local_base / "new"), instance="lab/atlas")).uid


@ON_SQLITE
def test_a_rollback_finds_the_roots_that_lay_inside_as_they_were(
    moves: Moves, world: World, source: Path, local_base: Path
) -> None:
    moves.register(source / "raw", instance_id=world.instance_id)
    uid = moves.copy(moves.register(source, instance_id=world.instance_id), local_base / "new")
    assert moves.cut_over(uid, "source").state is State.SOAKING
    assert moves.wish(migrations.request_rollback, uid).state is State.ROLLED_BACK


@ON_SQLITE
def test_a_rollback_that_finds_a_foreign_object_stops_and_keeps_the_new_root(
    moves: Moves, source: Path, local_base: Path
) -> None:
    storage, new = moves.register(source), local_base / "new"
    uid = moves.copy(storage, new)
    moves.cut_over(uid, "source")
    fill(new, {"since.txt": b"at the new root"})
    fill(source, {"since.txt": b"at the old one"})
    view = moves.wish(migrations.request_rollback, uid)
    assert (view.state, view.attention_count) == (State.SOAKING, 1)
    assert moves.storage(storage).root == str(new)
    assert (source / "since.txt").read_bytes() == b"at the old one"
    (source / "since.txt").unlink()
    assert moves.wish(migrations.request_rollback, uid).state is State.ROLLED_BACK
    assert (source / "since.txt").read_bytes() == b"at the new root"


@ON_SQLITE
def test_what_is_written_during_a_rollback_is_copied_back_too(moves: Moves, source: Path, local_base: Path) -> None:
    storage, new = moves.register(source), local_base / "new"
    uid = moves.copy(storage, new)
    moves.cut_over(uid, "source")
    fill(new, {"since.txt": b"since"})
    with moves.portal.write_as("ada") as work:
        migrations.request_rollback(work, uid)
    moves.drive_while(lambda: not (source / "since.txt").exists())
    fill(new, {"later.txt": b"later"})
    moves.drive()
    assert moves.state(uid) is State.ROLLED_BACK
    assert contents(source) == OBJECTS | {"since.txt": b"since", "later.txt": b"later"}


#: Bytes a second at which copying `many` takes so long that nobody misses the middle, however slow the machine is.
SLOW = 400_000


def many(count: int) -> dict[str, bytes]:
    """Return so many objects of 20 kB."""
    return {f"part-{number:04}.bin": bytes([number % 256]) * 20_000 for number in range(count)}


def test_a_cancel_in_mid_copy_stops_and_leaves_what_is_there(
    moves: Moves, local_base: Path, bucket_name: Callable[[], str]
) -> None:
    root, folder = moves.bucket(bucket_name())
    fill(local_base / "many", many(400))
    before = picture(local_base / "many")
    uid = moves.plan(moves.register(local_base / "many"), root)
    moves.limit(uid, SLOW)
    with moves.portal.write_as("ada") as work:
        migrations.start(work, uid)
    thread = threading.Thread(target=moves.drive)
    thread.start()
    wait_for(lambda: len(list(folder.glob("part-*"))) > 5)
    with moves.portal.write_as("ada") as work:
        migrations.cancel(work, uid)
    thread.join(90)
    assert not thread.is_alive()
    view = moves.view(uid)
    assert view.state is State.CANCELLED
    # Though no shard was finished, objects have arrived.
    assert f"What was copied to {root} stays there" in view.message
    there = contents(folder)
    assert 0 < len(there) < 400
    assert all(data == many(400)[key] for key, data in there.items())
    assert picture(local_base / "many") == before
    assert moves.row_lease(uid) is None


@ON_SQLITE
def test_a_paused_copy_goes_on_where_it_was(moves: Moves, local_base: Path, bucket_name: Callable[[], str]) -> None:
    root, folder = moves.bucket(bucket_name())
    fill(local_base / "many", many(400))
    uid = moves.plan(moves.register(local_base / "many"), root)
    moves.limit(uid, SLOW)
    with moves.portal.write_as("ada") as work:
        migrations.start(work, uid)
    thread = threading.Thread(target=moves.drive)
    thread.start()
    wait_for(lambda: len(list(folder.glob("part-*"))) > 5)
    with moves.portal.write_as("ada") as work:
        migrations.pause(work, uid)
    thread.join(90)
    assert not thread.is_alive()
    assert moves.state(uid) is State.PAUSED
    done = picture(folder)
    assert 0 < len(done) < 400
    moves.limit(uid, None)
    assert moves.wish(migrations.resume, uid).state is State.READY
    after = picture(folder)
    assert {key: after[key] for key in done} == done, "what was done was written again"
    assert contents(folder) == many(400)
