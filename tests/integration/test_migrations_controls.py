"""What a person changes while a move runs: limits, budget, hours; and what is tried again alone."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from portal import database
from portal.errors import Conflict, InputError
from portal.models import Event
from portal.planning.states import MigrationState as State
from portal.runner.loop import Reconciler
from portal.services import migrations
from portal.services.migrations import ExceptionQuery, Limits, Times, ledger
from portal.transfer.shards import shard_files
from tests.integration.move_fixtures import bucket_name, executor, moves, source
from tests.integration.moves import OBJECTS, Moves, contents, fill, picture, wait_for

__all__ = ["bucket_name", "executor", "moves", "source"]

pytestmark = pytest.mark.timeout(300)

ON_SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])

#: Different at the target in four places of OBJECTS.
DIFFERENT = dict.fromkeys(("README.md", "raw/größe.csv", "raw/plate 1/well A1.tif", "empty.txt"), b"different")


def story_of(moves: Moves, uid: str) -> list[tuple[str, dict[str, object]]]:
    """Return the events of a migration in order: action without its noun, and what it says."""
    with moves.portal.read_as("ada") as work:
        query = select(Event.action, Event.after).where(Event.target_uid == uid).order_by(Event.id)
        return [(action.partition(".")[2], after or {}) for action, after in work.session.execute(query)]


def attentive(moves: Moves, source: Path, new: Path) -> str:
    """Make a migration that needs attention over four objects."""
    fill(new, DIFFERENT)
    uid = moves.copy(moves.register(source), new)
    assert moves.state(uid) is State.NEEDS_ATTENTION
    return uid


def test_chosen_objects_are_tried_again_alone_and_proven_as_the_others(
    moves: Moves, source: Path, local_base: Path
) -> None:
    new = local_base / "new"
    uid = attentive(moves, source, new)
    before = picture(new)
    for key in DIFFERENT:
        (new / key).unlink()
    view = moves.wish(lambda work, uid: migrations.retry_objects(work, uid, keys=("README.md", "empty.txt")), uid)
    assert (view.state, view.attention_count) == (State.NEEDS_ATTENTION, 0), "two are still open"
    with moves.portal.read_as("ada") as work:
        found = migrations.list_exceptions(work, uid, ExceptionQuery())
    assert [row.key for row in found.rows] == ["raw/größe.csv", "raw/plate 1/well A1.tif"]
    assert not (new / "raw/größe.csv").exists(), "only what was chosen was copied"
    assert {key: picture(new)[key] for key in before if key not in DIFFERENT} == {
        key: value for key, value in before.items() if key not in DIFFERENT
    }
    view = moves.wish(lambda work, uid: migrations.retry_objects(work, uid, kinds=("conflict",)), uid)
    assert (view.state, view.pass_number) == (State.READY, 3), view.message
    assert contents(new) == OBJECTS
    passes = (view.plan or {})["passes"]
    assert [(each["kind"], each["object_count"]) for each in passes] == [("first", 7), ("chosen", 2), ("chosen", 2)]
    view = moves.cut_over(uid, "source")
    assert view.state is State.SOAKING


@ON_SQLITE
def test_what_is_tried_alone_and_still_stands_in_the_way_is_listed_again(
    moves: Moves, source: Path, local_base: Path
) -> None:
    uid = attentive(moves, source, local_base / "new")
    view = moves.wish(lambda work, uid: migrations.retry_objects(work, uid, keys=("README.md",)), uid)
    assert view.state is State.NEEDS_ATTENTION
    with moves.portal.read_as("ada") as work:
        found = migrations.list_exceptions(work, uid, ExceptionQuery())
    assert [row.key for row in found.rows] == sorted(DIFFERENT), "by key, also what was tried last"
    assert [row.key for row in found.rows if row.is_again] == ["README.md"]
    assert not any(row.is_chosen for row in found.rows)
    (local_base / "new" / "README.md").unlink()
    (source / "README.md").unlink()
    moves.wish(lambda work, uid: migrations.retry_objects(work, uid, keys=("README.md",)), uid)
    with moves.portal.read_as("ada") as work:
        found = migrations.list_exceptions(work, uid, ExceptionQuery())
    assert {row.key for row in found.rows} == set(DIFFERENT) - {"README.md"}, "what is gone needs no look"


def note_folder(moves: Moves, uid: str, key: str) -> None:
    """Note a folder as not as recorded, as the comparison before a move is ready does."""
    with moves.row(uid) as row:
        ledger.keep_folders(database.db.session(), row.id, [f"{key}: its files have another hash."], datetime.now(UTC))


@ON_SQLITE
def test_a_folder_is_tried_alone_with_what_changed_below_it_since(moves: Moves, source: Path, local_base: Path) -> None:
    new = local_base / "new"
    uid = attentive(moves, source, new)
    note_folder(moves, uid, "raw/")
    fill(source, {"raw/new/since.txt": b"1", "raw/größe.csv": b"changed", "outside.txt": b"not chosen"})
    (source / "raw/plate 1/well A1.tif").unlink()
    view = moves.wish(lambda work, uid: migrations.retry_objects(work, uid, keys=("raw/",)), uid)
    assert view.state is State.NEEDS_ATTENTION, "others still need a look"
    assert (new / "raw/new/since.txt").read_bytes() == b"1"
    assert not (new / "outside.txt").exists(), "only the folder was looked at"
    with moves.portal.read_as("ada") as work:
        rows = migrations.list_exceptions(work, uid, ExceptionQuery()).rows
    assert {row.key for row in rows} == {"README.md", "empty.txt", "raw/größe.csv"}, "one is gone, and no folder is bad"
    assert not any(row.is_chosen for row in rows)


@ON_SQLITE
def test_what_needs_a_look_inside_a_chosen_folder_is_tried_with_it(
    moves: Moves, source: Path, local_base: Path
) -> None:
    uid = attentive(moves, source, local_base / "new")
    note_folder(moves, uid, "raw/")
    inside = {key for key in DIFFERENT if key.startswith("raw/")}
    for key in inside:
        (local_base / "new" / key).unlink()
    moves.wish(lambda work, uid: migrations.retry_objects(work, uid, kinds=("rotten",)), uid)
    with moves.portal.read_as("ada") as work:
        rows = migrations.list_exceptions(work, uid, ExceptionQuery()).rows
    assert {row.key for row in rows} == set(DIFFERENT) - inside
    for key in inside:
        assert (local_base / "new" / key).read_bytes() == OBJECTS[key]


@ON_SQLITE
def test_only_what_needs_a_look_can_be_tried_alone(moves: Moves, source: Path, local_base: Path) -> None:
    uid = attentive(moves, source, local_base / "new")
    with moves.portal.write_as("ada") as work:
        for given in ({"keys": ("README.md", "no-such")}, {"kinds": ("failed",)}, {"keys": ("x",) * 1001}):
            with pytest.raises(InputError):
                migrations.retry_objects(work, uid, **given)
    with moves.portal.write_as("ada") as work:
        migrations.retry_objects(work, uid, kinds=("conflict",))
    with moves.portal.write_as("ada") as work, pytest.raises(Conflict):
        migrations.retry_objects(work, uid, kinds=("conflict",))


def test_the_list_is_searched_filtered_and_paged(moves: Moves, source: Path, local_base: Path) -> None:
    uid = attentive(moves, source, local_base / "new")
    with moves.portal.read_as("rita") as work, pytest.raises(Exception, match="no migration"):
        migrations.list_exceptions(work, uid, ExceptionQuery())
    with moves.portal.read_as("ada") as work:
        whole = migrations.list_exceptions(work, uid, ExceptionQuery())
        assert (whole.counts, whole.match_count, whole.next_after) == ({"conflict": 4}, 4, None)
        keys, after = [], None
        for _ in range(2):
            part = migrations.list_exceptions(work, uid, ExceptionQuery(after=after, limit=2))
            keys += [row.key for row in part.rows]
            after = part.next_after
        assert (keys, after) == ([row.key for row in whole.rows], None)
        back = migrations.list_exceptions(work, uid, ExceptionQuery(before=part.previous_before, limit=2))
        assert [row.key for row in back.rows] == keys[:2]
        found = migrations.list_exceptions(work, uid, ExceptionQuery(text="Readme"))
        assert ([row.key for row in found.rows], found.match_count, found.total) == (["README.md"], 1, 4)
        assert migrations.list_exceptions(work, uid, ExceptionQuery(kinds=("rotten",))).match_count == 0
        assert migrations.list_exceptions(work, uid, ExceptionQuery(text="%", after="nonsense")).rows == ()
    reading = lambda: moves.portal.read_as("ada")  # noqa: E731 - the shape an export asks for
    assert len(list(migrations.iterate_exceptions(reading, uid, ExceptionQuery()))) == 4


def test_beyond_the_error_budget_it_stops_and_keeps_what_is_good(moves: Moves, source: Path, local_base: Path) -> None:
    new = local_base / "new"
    fill(new, DIFFERENT)
    uid = moves.plan(moves.register(source), new)
    with moves.portal.write_as("ada") as work:
        migrations.set_limits(work, uid, Limits(errors=3))
    view = moves.wish(migrations.start, uid)
    assert view.state is State.NEEDS_ATTENTION
    assert "4 objects failed; the error budget is 3" in view.message
    assert {key for key in OBJECTS if key not in DIFFERENT} <= set(contents(new))
    done = picture(new)
    with moves.portal.write_as("ada") as work:
        assert migrations.list_exceptions(work, uid, ExceptionQuery()).total == 4
        migrations.set_limits(work, uid, Limits(errors=4))
    view = moves.wish(migrations.retry, uid)
    assert "4 objects failed" not in view.message
    assert {key: picture(new)[key] for key in done} == done, "nothing was copied twice"
    assert "limits-changed" in [action for action, _ in story_of(moves, uid)]


@ON_SQLITE
def test_what_failed_to_be_copied_does_not_count_once_more_while_it_is_verified(moves: Moves, local_base: Path) -> None:
    """Fails on 8 objects of a budget of 10; verifying is slow enough for the counters to be looked at."""
    fill(local_base / "many", {f"part-{number:04}.bin": bytes([number % 256]) * 5_000 for number in range(600)})
    uid = moves.plan(moves.register(local_base / "many"), local_base / "new")
    for number in range(200, 400, 25):
        (local_base / f"new/part-{number:04}.bin").mkdir(parents=True)
    with moves.portal.write_as("ada") as work:
        migrations.set_limits(work, uid, migrations.Limits(errors=10))
        migrations.start(work, uid)
    moves.drive_until(State.VERIFYING)
    with moves.portal.write_as("ada") as work:
        migrations.set_limits(work, uid, migrations.Limits(errors=10, bandwidth=1_500_000))
    moves.drive()
    view = moves.view(uid)
    assert (view.state, view.attention_count) == (State.NEEDS_ATTENTION, 8), view.message
    assert "error budget" not in view.message


def test_a_retry_has_the_whole_error_budget_again(moves: Moves, source: Path, local_base: Path) -> None:
    new = local_base / "new"
    fill(new, DIFFERENT)
    uid = moves.plan(moves.register(source), new)
    with moves.portal.write_as("ada") as work:
        migrations.set_limits(work, uid, Limits(errors=3))
    assert "the error budget is 3" in moves.wish(migrations.start, uid).message
    view = moves.wish(migrations.retry, uid)
    assert view.message == "Objects different at the target: 4.", "it comes to the end of the pass"
    for key in DIFFERENT:
        (new / key).unlink()
    view = moves.wish(lambda work, uid: migrations.retry_objects(work, uid, kinds=("conflict",)), uid)
    assert (view.state, contents(new)) == (State.READY, OBJECTS), view.message


@ON_SQLITE
def test_a_bandwidth_limit_holds_at_once_and_is_lifted_within_seconds(
    moves: Moves, local_base: Path, bucket_name: Callable[[], str]
) -> None:
    root, folder = moves.bucket(bucket_name())
    fill(local_base / "big", {f"part-{number}.bin": bytes([number]) * 4_000_000 for number in range(8)})
    uid = moves.plan(moves.register(local_base / "big"), root)
    with moves.portal.write_as("ada") as work:
        migrations.set_limits(work, uid, Limits(bandwidth=1_000_000))
        migrations.start(work, uid)
    started_at = time.monotonic()
    thread = threading.Thread(target=moves.drive)
    thread.start()
    limits = moves.portal.app.extensions["portal_settings"].ledger_dir / uid / "limits.json"
    wait_for(limits.exists)
    time.sleep(3)
    assert moves.state(uid) is State.COPYING
    # The first piece of each object goes at once; then by the clock, since a busy machine wakes us late.
    copied_bytes = moves.view(uid).copied_bytes
    assert copied_bytes < 12_000_000 + 1_000_000 * (time.monotonic() - started_at)
    with moves.portal.write_as("ada") as work:
        migrations.set_limits(work, uid, Limits(concurrency=3))
    wait_for(lambda: json.loads(limits.read_text())["bytes_per_second"] is None)
    assert json.loads(limits.read_text())["concurrency"] == 3
    wait_for(lambda: moves.state(uid) is State.READY)
    thread.join(90)
    assert len(contents(folder)) == 8
    with moves.row(uid) as row:
        assert len(row.rates["samples"]) >= 2  # type: ignore[index]  # it was just written


@ON_SQLITE
def test_a_move_is_paused_while_it_is_verified_and_goes_on_there(moves: Moves, source: Path, local_base: Path) -> None:
    uid = moves.plan(moves.register(source), local_base / "new")
    with moves.portal.write_as("ada") as work:
        migrations.start(work, uid)
    moves.drive_until(State.VERIFYING)
    there = picture(local_base / "new")
    view = moves.wish(migrations.pause, uid)
    assert (view.state, view.copied_count) == (State.PAUSED, len(OBJECTS))
    assert moves.wish(migrations.resume, uid).state is State.READY
    assert picture(local_base / "new") == there, "nothing was copied again"


@ON_SQLITE
def test_limits_that_cannot_be_are_refused_and_an_ended_move_has_none(
    moves: Moves, source: Path, local_base: Path
) -> None:
    uid = moves.plan(moves.register(source), local_base / "new")
    with moves.portal.write_as("ada") as work:
        for limits in (Limits(bandwidth=1), Limits(concurrency=0), Limits(workers=3), Limits(errors=0)):
            with pytest.raises(InputError):
                migrations.set_limits(work, uid, limits)
    moves.wish(migrations.cancel, uid)
    with moves.portal.write_as("ada") as work:
        with pytest.raises(Conflict):
            migrations.set_limits(work, uid, Limits(concurrency=1))
        with pytest.raises(Conflict):
            migrations.set_times(work, uid, Times())


def drive_by(moves: Moves, clock: Callable[[], datetime]) -> None:
    """Let a runner with a clock of its own do all that is due."""
    extensions = moves.portal.app.extensions
    settings, vault = extensions["portal_settings"], extensions["portal_vault"]
    with moves.portal.app.app_context():
        runner = Reconciler(settings, vault, moves.runner_name, moves.executor, clock)
        while runner.run_once():
            pass


def drive_at(moves: Moves, at: datetime) -> None:
    """Let a runner do all that is due at one moment."""
    drive_by(moves, lambda: at)


class Clock:
    """The time, or later."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC) + self.ahead


#: A shard of so many bytes at such a rate is under way for minutes.
SLOW_BYTES, SLOW_RATE = 40_000_000, 100_000


@contextmanager
def slow_shard(moves: Moves, uid: str, clock: Clock, pass_number: int) -> Iterator[Callable[[], bool]]:
    """Give a slow shard of a pass that a runner in another thread is at, as a function: whether the runner left it."""
    thread = threading.Thread(target=drive_by, args=(moves, clock))
    folder = moves.portal.app.extensions["portal_settings"].ledger_dir / uid
    progress = Path(shard_files(str(folder), "forward", pass_number, 0).copy_progress)
    moves.limit(uid, SLOW_RATE)
    thread.start()
    try:
        wait_for(progress.exists)
        yield lambda: not thread.is_alive()
    finally:
        moves.limit(uid, None)
        thread.join(90)


def test_a_start_waits_for_its_moment_and_for_its_hours(moves: Moves, source: Path, local_base: Path) -> None:
    uid = moves.plan(moves.register(source), local_base / "new")
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=2)
    with moves.portal.write_as("ada") as work:
        migrations.set_times(work, uid, Times(noon, "20:00-06:00", "UTC"))
        migrations.start(work, uid)
    for at in (noon - timedelta(hours=14), noon - timedelta(hours=1), noon, noon + timedelta(hours=7, minutes=59)):
        drive_at(moves, at)
        assert (moves.state(uid), moves.view(uid).wish) == (State.PLANNED, "start"), at
    assert moves.view(uid).waits_until == noon + timedelta(hours=8)
    assert not list((local_base / "new").rglob("*.md"))
    drive_at(moves, noon + timedelta(hours=8))
    assert moves.state(uid) is State.READY
    assert moves.view(uid).waits_until is None
    actions = [action for action, _ in story_of(moves, uid)]
    assert actions.count("waiting") == 1, "it is told once"


def test_outside_its_hours_a_copy_waits_by_itself_and_heeds_wishes(
    moves: Moves, source: Path, local_base: Path
) -> None:
    uid = moves.plan(moves.register(source), local_base / "new")
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=2)
    with moves.portal.write_as("ada") as work:
        migrations.start(work, uid)
    moves.drive_until(State.VERIFYING)
    with moves.portal.write_as("ada") as work:
        migrations.set_times(work, uid, Times(None, "20:00-06:00", "UTC"))
    drive_at(moves, noon)
    assert (moves.state(uid), moves.row_lease(uid)) == (State.VERIFYING, None)
    before = (moves.view(uid).plan or {})["watch"]["seconds"]
    drive_at(moves, noon + timedelta(hours=8))
    assert moves.state(uid) is State.READY
    assert [action for action, _ in story_of(moves, uid)][-3:] == ["waiting", "went-on", "verified"]
    assert (moves.view(uid).plan or {})["watch"]["seconds"] - before < 3600, "hours in which it waited are not counted"


@ON_SQLITE
def test_a_shard_that_is_under_way_when_the_hours_end_stops_within_seconds_and_is_gone_on_with(
    moves: Moves, local_base: Path
) -> None:
    fill(local_base / "big", {"large.bin": bytes(SLOW_BYTES)})
    uid, clock = moves.plan(moves.register(local_base / "big"), local_base / "new"), Clock()
    hours = f"{clock() - timedelta(hours=1):%H:%M}-{clock() + timedelta(hours=1):%H:%M}"
    with moves.portal.write_as("ada") as work:
        migrations.set_times(work, uid, Times(None, hours, "UTC"))
        migrations.start(work, uid)
    with slow_shard(moves, uid, clock, 1) as is_left:
        assert not is_left()
        clock.ahead = timedelta(hours=2)
        wait_for(is_left, 30)
        assert (moves.state(uid), moves.row_lease(uid)) == (State.COPYING, None)
        assert (moves.view(uid).waits_until or clock()) > clock() + timedelta(hours=20)
    assert contents(local_base / "new") == {}, "half an object was left"
    clock.ahead = timedelta(days=1)
    drive_by(moves, clock)
    assert moves.state(uid) is State.READY
    assert contents(local_base / "new") == {"large.bin": bytes(SLOW_BYTES)}


@ON_SQLITE
def test_a_waiting_copy_can_be_cancelled_and_its_hours_be_taken_off(
    moves: Moves, source: Path, local_base: Path
) -> None:
    uid = moves.plan(moves.register(source), local_base / "new")
    far = datetime.now(UTC) + timedelta(days=20)
    with moves.portal.write_as("ada") as work:
        migrations.set_times(work, uid, Times(far, "", "Europe/Berlin"))
        migrations.start(work, uid)
    moves.drive()
    assert moves.view(uid).waits_until == far
    with moves.portal.write_as("ada") as work:
        migrations.set_times(work, uid, Times())
    moves.drive()
    assert moves.state(uid) is State.READY


@ON_SQLITE
def test_a_start_that_waits_is_taken_back_and_one_that_does_not_is_not(
    moves: Moves, source: Path, local_base: Path
) -> None:
    uid = moves.plan(moves.register(source), local_base / "new")
    with moves.portal.write_as("ada") as work:
        migrations.set_times(work, uid, Times(work.now + timedelta(days=2)))
        migrations.start(work, uid)
    moves.drive()
    view = moves.wish(migrations.pause, uid)
    assert (view.state, view.wish, view.waits_until) == (State.PLANNED, "", None)
    assert story_of(moves, uid)[-1][0] == "start-withdrawn"
    with moves.portal.write_as("ada") as work:
        migrations.set_times(work, uid, Times())
        migrations.start(work, uid)
        with pytest.raises(Conflict):
            migrations.pause(work, uid)


@ON_SQLITE
def test_hours_in_which_people_think_are_not_counted_as_copying(moves: Moves, source: Path, local_base: Path) -> None:
    uid = moves.plan(moves.register(source), local_base / "new")
    with moves.portal.write_as("ada") as work:
        migrations.start(work, uid)
    moves.drive_until(State.VERIFYING)
    moves.wish(migrations.pause, uid)
    with moves.portal.write_as("ada") as work:
        migrations.resume(work, uid)
    drive_at(moves, datetime.now(UTC) + timedelta(hours=8))
    view = moves.view(uid)
    assert view.state is State.READY
    watch = (view.plan or {})["watch"]
    assert watch["since"] is None
    assert watch["seconds"] < 3600
    assert (view.plan or {})["passes"][0]["seconds"] < 3600


@ON_SQLITE
@pytest.mark.parametrize(
    "times",
    [Times(None, "20-6", "UTC"), Times(None, "20:00-06:00", "Europe/Atlantis"), Times(None, "", "../etc/passwd")],
)
def test_times_that_cannot_be_are_refused(moves: Moves, source: Path, local_base: Path, times: Times) -> None:
    uid = moves.plan(moves.register(source), local_base / "new")
    with moves.portal.write_as("ada") as work:
        with pytest.raises(InputError):
            migrations.set_times(work, uid, times)
        with pytest.raises(InputError, match="year ahead"):
            migrations.set_times(work, uid, Times(work.now + timedelta(days=400)))
        with pytest.raises(InputError, match="That is past"):
            migrations.set_times(work, uid, Times(work.now))


def test_a_fence_that_is_over_lifts_itself_and_says_why(moves: Moves, source: Path, local_base: Path) -> None:
    uid = moves.copy(moves.register(source), local_base / "new")
    with moves.portal.write_as("ada") as work:
        migrations.request_cut_over(work, uid, migrations.CutOver("source", registry_changed=True))
    moves.drive_while(lambda: not (moves.view(uid).plan or {}).get("fence_until"))
    assert moves.state(uid) is State.FENCED
    fill(source, {"late.txt": b"late"})
    until = datetime.fromisoformat((moves.view(uid).plan or {})["fence_until"])
    drive_at(moves, until)
    view = moves.view(uid)
    assert (view.state, view.wish) == (State.READY, "")
    assert "longest time" in view.message
    assert (view.plan or {})["fence_until"] is None
    story = story_of(moves, uid)
    assert "fence-raised" in dict(story)
    assert "longest time" in str(dict(story)["fence-lifted"]["message"])
    view = moves.cut_over(uid, "source")
    assert view.state is State.SOAKING
    assert contents(local_base / "new") == OBJECTS | {"late.txt": b"late"}


@ON_SQLITE
def test_a_fence_lifts_itself_within_seconds_though_its_last_changes_are_not_over_yet(
    moves: Moves, source: Path, local_base: Path
) -> None:
    storage = moves.register(source)
    uid, clock = moves.copy(storage, local_base / "new"), Clock()
    late = {"late.bin": bytes(SLOW_BYTES)}
    fill(source, late)
    with moves.portal.write_as("ada") as work:
        migrations.request_cut_over(work, uid, migrations.CutOver("source", registry_changed=True))
    with slow_shard(moves, uid, clock, 2) as is_left:
        assert (moves.state(uid), is_left()) == (State.FENCED, False)
        clock.ahead = datetime.fromisoformat((moves.view(uid).plan or {})["fence_until"]) - datetime.now(UTC)
        wait_for(is_left, 30)
        view = moves.view(uid)
        assert (view.state, (view.plan or {})["fence_until"]) == (State.READY, None)
        assert "longest time" in view.message
        assert moves.storage(storage).root == str(source)
    assert contents(local_base / "new") == OBJECTS, "half an object was left"
    assert moves.cut_over(uid, "source").state is State.SOAKING
    assert contents(local_base / "new") == OBJECTS | late


@ON_SQLITE
def test_from_ready_what_changed_is_copied_again_and_the_pass_is_told(
    moves: Moves, source: Path, local_base: Path
) -> None:
    uid = moves.copy(moves.register(source), local_base / "new")
    fill(source, {"late.txt": b"late", "README.md": b"changed"})
    view = moves.wish(migrations.retry, uid)
    assert (view.state, view.pass_number) == (State.READY, 2)
    last = (view.plan or {})["passes"][-1]
    assert (last["kind"], last["object_count"], last["total_bytes"]) == ("changes", 2, 11)
    assert last["seconds"] >= 0
    assert contents(local_base / "new") == OBJECTS | {"late.txt": b"late", "README.md": b"changed"}
    story = [(action, said.get("pass"), said.get("objects")) for action, said in story_of(moves, uid)]
    assert ("copied", 1, 7) in story
    assert ("copied", 2, 2) in story
    assert ("verified", 2, 2) in story
