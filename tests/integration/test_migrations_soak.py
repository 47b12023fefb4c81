"""After the cut-over: what is found at the old root, when that may be let go, and rollbacks that stop on the way."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from portal.errors import Conflict
from portal.models import Migration
from portal.planning.states import MigrationState as State
from portal.runner.drive import Drive
from portal.runner.shards import Pass, run_pass, shard_tag
from portal.services import migrations
from portal.services.migrations import ledger
from portal.services.migrations.certificate import get_certificate
from portal.services.migrations.ledger import FORWARD, VERIFIED
from portal.services.units import Units
from portal.transfer.jobs import ShardResult
from tests.integration.move_fixtures import executor, moves, source
from tests.integration.moves import Moves, contents, fill

__all__ = ["executor", "moves", "source"]

pytestmark = pytest.mark.timeout(280)

LATE = {"late.txt": b"from a session that had not noticed"}


class Killed(BaseException):
    """Ends a runner as SIGKILL would."""


@pytest.fixture
def soaking(moves: Moves, source: Path, local_base: Path) -> str:
    """A move that was cut over; its new root is `local_base / "new"`."""
    made = moves.copy(moves.register(source), local_base / "new")
    assert moves.cut_over(made, "source").state is State.SOAKING
    return made


def refusal(moves: Moves, uid: str) -> str:
    """Return why a location is not released."""
    with pytest.raises(Conflict) as caught:
        moves.wish(migrations.release, uid)
    return caught.value.message


def doing_before(monkeypatch: pytest.MonkeyPatch, act: Callable[[Drive, Pass], None]) -> None:
    """Let something happen before each pass of a sweep."""

    def acting(drive: Drive, which: Pass) -> ShardResult | None:
        act(drive, which)
        return run_pass(drive, which)

    monkeypatch.setattr("portal.runner.stragglers.run_pass", acting)


def test_the_old_root_has_to_be_quiet_for_a_time_from_the_cut_over_on(moves: Moves, soaking: str) -> None:
    assert refusal(moves, soaking) == "The location was switched only a short time ago."
    moves.let_it_be_quiet(soaking)
    assert moves.wish(migrations.release, soaking).state is State.RELEASED


def test_release_needs_a_look_that_worked(moves: Moves, soaking: str, source: Path, local_base: Path) -> None:
    moves.let_it_be_quiet(soaking)
    source.rename(local_base / "away")
    assert moves.sweep(soaking)["error"]
    assert refusal(moves, soaking).startswith("The last look at the old root did not work: There is no directory")
    with moves.row(soaking) as row:  # gone for good
        found = {**(row.plan or {})["sweep"], "failing_since": (datetime.now(UTC) - timedelta(days=2)).isoformat()}
        row.plan = {**(row.plan or {}), "sweep": found}
    assert moves.wish(migrations.release, soaking).state is State.RELEASED


def test_release_needs_a_look_of_late(moves: Moves, soaking: str) -> None:
    moves.let_it_be_quiet(soaking)
    with moves.row(soaking) as row:
        found = {**(row.plan or {})["sweep"], "at": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}
        row.plan = {**(row.plan or {}), "sweep": found}
    assert refusal(moves, soaking).startswith("The old root was last looked at on")


def test_what_a_look_has_found_holds_up_the_release_until_it_is_brought_over(
    moves: Moves, soaking: str, source: Path, local_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves.let_it_be_quiet(soaking)
    fill(source, LATE)
    said: list[str] = []

    def release(_drive: Drive, _which: Pass) -> None:
        with moves.portal.write_as("ada") as work, pytest.raises(Conflict) as caught:
            migrations.release(work, soaking)
        said.append(caught.value.message)

    doing_before(monkeypatch, release)
    moves.sweep(soaking)
    assert said == ["Something new was found at the old root and has not been brought over yet."] * 2
    assert contents(local_base / "new")["late.txt"] == LATE["late.txt"]
    assert refusal(moves, soaking).startswith("Somebody still wrote to the old root at")


def test_a_look_that_was_killed_is_gone_on_with(
    moves: Moves, soaking: str, source: Path, local_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(source, LATE)
    tags: list[str] = []

    def die(drive: Drive, which: Pass) -> None:
        with drive.writing() as held:
            rows = ledger.shards_of(held.work.session, held.migration.id, FORWARD, which.number)
            ledger.mark_copying(held.work.session, [row.id for row in rows], drive.lease.epoch, held.work.now)
        tags.append(shard_tag(soaking, FORWARD, which.number, 0))
        fill(local_base / "new", {f".lamindb/_portal/{tags[0]}/half": b"half an object"})
        raise Killed

    with monkeypatch.context() as patch:
        doing_before(patch, die)
        with pytest.raises(Killed):
            moves.sweep(soaking)
    assert refusal(moves, soaking).startswith("Something new was found at the old root")
    assert moves.sweep(soaking)["brought"] == 1
    assert moves.sweep(soaking)["brought"] == 1
    there = contents(local_base / "new")
    assert there["late.txt"] == LATE["late.txt"]
    assert [key for key in there if "_portal" in key] == []


def test_a_straggler_is_not_called_brought_over_before_it_is_verified(
    moves: Moves, soaking: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(source, LATE)

    def die_before_verifying(_drive: Drive, which: Pass) -> None:
        if not which.is_copy:
            raise Killed

    with monkeypatch.context() as patch:
        doing_before(patch, die_before_verifying)
        with pytest.raises(Killed):
            moves.sweep(soaking)
    assert moves.sweep(soaking)["brought"] == 1
    with moves.portal.read_as("ada") as work:
        migration = work.session.scalars(select(Migration).where(Migration.uid == soaking)).one()
        shards = ledger.shards_of(work.session, migration.id, FORWARD, migration.pass_number)
    assert [shard.state for shard in shards] == [VERIFIED]


def test_a_straggler_that_differs_at_the_new_root_is_told_and_never_counted_as_brought_over(
    moves: Moves, soaking: str, source: Path, local_base: Path
) -> None:
    fill(local_base / "new", {"late.txt": b"written at the new root"})
    fill(source, LATE)
    for _ in range(3):
        found = moves.sweep(soaking)
        assert (found["brought"], found["left"]) == (0, 1)
    moves.let_it_be_quiet(soaking)
    said = "1 object written to the old root since could not be brought over."
    assert refusal(moves, soaking) == said
    with moves.portal.read_as("ada") as work:
        page = migrations.get_page(work, soaking)
    assert [(row.key, row.kind) for row in page.exceptions] == [("late.txt", "conflict")]
    passes = moves.view(soaking).pass_number
    moves.sweep(soaking)
    assert moves.view(soaking).pass_number == passes, "the same is tried again in the same pass"
    units = Units(lambda: moves.portal.read_as("ada"), lambda: moves.portal.write_as("ada"))
    assert get_certificate(units, soaking)["statement"]["after_cut_over"]["brought_over_count"] == 0

    (source / "late.txt").rename(source / "late, second.txt")
    found = moves.sweep(soaking)
    assert (found["brought"], found["left"], (local_base / "new/late, second.txt").read_bytes()) == (
        1,
        0,
        LATE["late.txt"],
    )
    with moves.portal.read_as("ada") as work:
        assert migrations.get_page(work, soaking).exceptions == ()


def stop_rollback(moves: Moves, soaking: str, source: Path, new: Path, **written: bytes) -> None:
    """Roll back while a directory is in the way of an object, so that it stops after some of it was copied back."""
    fill(new, {"in-the-way": b"new", **written})
    (source / "in-the-way").mkdir()
    view = moves.wish(migrations.request_rollback, soaking)
    assert (view.state, view.attention_count) == (State.SOAKING, 1), view.message


def test_a_look_between_two_rollbacks_forgets_nothing_that_failed(
    moves: Moves, soaking: str, source: Path, local_base: Path
) -> None:
    stop_rollback(moves, soaking, source, local_base / "new")
    fill(source, LATE)
    assert moves.sweep(soaking)["brought"] == 1
    view = moves.wish(migrations.request_rollback, soaking)
    assert (view.state, view.attention_count) == (State.SOAKING, 1), view.message
    (source / "in-the-way").rmdir()
    view = moves.wish(migrations.request_rollback, soaking)
    assert view.state is State.ROLLED_BACK, view.message
    assert (source / "in-the-way").read_bytes() == b"new"


def test_what_a_stopped_rollback_copied_back_is_no_straggler(
    moves: Moves, soaking: str, source: Path, local_base: Path
) -> None:
    new = local_base / "new"
    stop_rollback(moves, soaking, source, new, since=b"deleted by its owner", **{"README.md": b"rewritten"})
    assert (source / "since").is_file()
    (new / "since").unlink()
    found = moves.sweep(soaking)
    assert (found["brought"], found["left"], found["is_clean"]) == (0, 0, True)
    assert sorted(key for key in contents(new) if key.startswith(("since", "README"))) == ["README.md"]

    (source / "in-the-way").rmdir()
    view = moves.wish(migrations.request_rollback, soaking)
    assert view.state is State.ROLLED_BACK, view.message
    assert not (source / "since").exists(), "its owner had deleted it at the root that counts"
    (beside,) = [key for key in contents(source) if key.startswith("README.md.rewritten-")]
    assert (source / beside).read_bytes() == b"rewritten"


def test_what_a_stopped_rollback_copied_back_makes_room_for_what_was_written_since(
    moves: Moves, soaking: str, source: Path, local_base: Path
) -> None:
    new = local_base / "new"
    stop_rollback(moves, soaking, source, new, since=b"first", kept=b"kept", **{"README.md": b"rewritten"})
    (source / "in-the-way").rmdir()
    fill(new, {"since": b"second version, as life goes on", "README.md": b"rewritten again"})
    view = moves.wish(migrations.request_rollback, soaking)
    assert view.state is State.ROLLED_BACK, view.message
    there = contents(source)
    assert (there["since"], there["kept"]) == (b"second version, as life goes on", b"kept")
    assert [data for key, data in there.items() if key.startswith("README.md.")] == [b"rewritten again"]
    summary = (view.plan or {})["back_summary"]
    assert (summary["count"], summary["beside"]["count"]) == (4, 1)


def test_what_changes_during_a_rollback_is_copied_back_again(
    moves: Moves, soaking: str, source: Path, local_base: Path
) -> None:
    new = local_base / "new"
    fill(new, {"since": b"first"})
    with moves.portal.write_as("ada") as work:
        migrations.request_rollback(work, soaking)
    moves.drive_while(lambda: not (source / "since").is_file())
    fill(new, {"since": b"and changed", "later": b"later"})
    moves.drive()
    view = moves.view(soaking)
    assert view.state is State.ROLLED_BACK, view.message
    assert (contents(source)["since"], contents(source)["later"]) == (b"and changed", b"later")
    assert "2 objects" in view.message


def test_a_cancel_never_says_that_more_lies_at_the_target_than_does(
    moves: Moves, source: Path, local_base: Path
) -> None:
    made = moves.copy(moves.register(source), local_base / "new")
    fill(source, {"README.md": b"changed"})
    (source / "empty.txt").unlink()
    assert moves.wish(migrations.retry, made).state is State.READY
    view = moves.wish(migrations.cancel, made)
    assert view.message.endswith(f"{local_base / 'new'} stays there: at most 8 objects."), view.message


def test_a_look_leaves_alone_what_belongs_to_a_root_inside_the_old_one(
    moves: Moves, source: Path, local_base: Path
) -> None:
    fill(source, {"inner/own.txt": b"another location's"})
    moves.register(source / "inner")
    made = moves.copy(moves.register(source), local_base / "new")
    assert moves.cut_over(made, "source").state is State.SOAKING
    fill(source, {"inner/more.txt": b"another location's, too", **LATE})
    assert moves.sweep(made)["brought"] == 1
    assert [key for key in contents(local_base / "new") if key.startswith(("inner", "late"))] == ["late.txt"]
