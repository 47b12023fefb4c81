"""`portal migration pause`, `check`, `limit`, `errors`, `retry --object` and the like: what they write and refuse."""

import csv
import io
from pathlib import Path

import pytest

from portal.planning.states import MigrationState
from portal.services import migrations
from tests.integration.command_line import CommandLine
from tests.integration.move_fixtures import executor, moves
from tests.integration.moves import Moves, fill
from tests.integration.world import Portal, World

__all__ = ["executor", "moves"]

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def database_kind() -> str:
    """One database is enough here: what differs between them is below the services."""
    return "sqlite"


@pytest.fixture
def typing(portal: Portal, world: World) -> CommandLine:
    return CommandLine(portal)


def attentive(moves: Moves, base: Path) -> str:
    """Return a migration that needs attention over two objects."""
    fill(base / "cells")
    fill(base / "moved", {"README.md": b"other", "empty.txt": b"not empty"})
    return moves.copy(moves.register(base / "cells"), base / "moved")


def test_limits_are_set_one_by_one_and_taken_off(typing: CommandLine, moves: Moves, local_base: Path) -> None:
    uid = attentive(moves, local_base)
    limits = typing.record("migration", "limit", uid, "--bandwidth", "50MiB/s", "--concurrency", "4")
    assert limits == {"id": uid, "bandwidth": 50 * 2**20, "concurrency": 4, "workers": None, "errors": None}
    limits = typing.record("migration", "limit", uid, "--errors", "20", "--concurrency", "none")
    assert (limits["bandwidth"], limits["concurrency"], limits["errors"]) == (50 * 2**20, None, 20)
    assert "bandwidth: 50MiB/s" in typing.run("migration", "limit", uid).out
    assert typing.record("migration", "limit", uid, "--bandwidth", "none")["bandwidth"] is None
    refused = typing.run("migration", "limit", uid, "--bandwidth", "fast")
    assert (refused.code, "50MiB/s" in refused.err) == (2, True)
    assert typing.run("migration", "limit", uid, "--errors", "few").code == 2
    assert typing.run("migration", "limit", uid, "--concurrency", "1000").code == 1, "a number, and refused"


def test_errors_are_listed_for_people_and_for_programs(typing: CommandLine, moves: Moves, local_base: Path) -> None:
    uid = attentive(moves, local_base)
    rows = typing.record("migration", "errors", uid)
    assert {(row["key"], row["kind"], row["is_passing"]) for row in rows} == {
        ("README.md", "conflict", False),
        ("empty.txt", "conflict", False),
    }
    assert [row["key"] for row in typing.record("migration", "errors", uid, "--search", "readme")] == ["README.md"]
    assert typing.record("migration", "errors", uid, "--kind", "failed") == []
    table = list(csv.DictReader(io.StringIO(typing.run("migration", "errors", uid, "--csv").out)))
    assert {row["key"] for row in table} == {"README.md", "empty.txt"}
    assert "The target holds" in typing.run("migration", "errors", uid).out


def test_one_object_is_tried_again_by_its_key(typing: CommandLine, moves: Moves, local_base: Path) -> None:
    uid = attentive(moves, local_base)
    (local_base / "moved" / "README.md").unlink()
    assert typing.run("migration", "retry", uid, "--object", "nobody").code == 1
    both = typing.run("migration", "retry", uid, "--object", "README.md", "--kind", "conflict")
    assert (both.code, "not two of them" in both.err) == (2, True)
    assert typing.run("migration", "retry", uid, "--object", "README.md").code == 0
    moves.drive()
    assert [row["key"] for row in typing.record("migration", "errors", uid)] == ["empty.txt"]


def test_times_are_given_at_the_start_and_changed_later(typing: CommandLine, moves: Moves, local_base: Path) -> None:
    fill(local_base / "cells")
    uid = moves.plan(moves.register(local_base / "cells"), local_base / "moved")
    times = ("--at", "2027-01-01T20:00", "--between", "20:00-06:00", "--zone", "Europe/Berlin")
    started = typing.record("migration", "start", uid, *times)
    assert (started["wish"], started["start_at"][:16], started["hours"], started["zone"]) == (
        "start",
        "2027-01-01T19:00",
        "20:00-06:00",
        "Europe/Berlin",
    )
    shown = typing.record("migration", "schedule", uid, "--none")
    assert (shown["start_at"], shown["hours"]) == (None, None)
    for given in ((), ("--none", "--between", "20:00-06:00"), ("--between", "20-6"), ("--at", "soon")):
        assert typing.run("migration", "schedule", uid, *given).code == 2
    assert typing.run("migration", "start", uid, "--at", "soon").code == 2


def test_a_copy_is_paused_and_gone_on_with(typing: CommandLine, moves: Moves, local_base: Path) -> None:
    fill(local_base / "cells")
    uid = moves.plan(moves.register(local_base / "cells"), local_base / "moved")
    refused = typing.run("migration", "pause", uid, "--json")
    assert (refused.code, refused.out) == (1, "")
    assert "cannot be paused" in refused.err
    with moves.portal.write_as("ada") as work:
        migrations.start(work, uid)
    moves.drive_until(MigrationState.COPYING)

    assert typing.record("migration", "pause", uid)["wish"] == "pause"
    moves.drive()
    paused = typing.run("migration", "pause", uid)
    assert (paused.code, "A migration that is paused cannot be paused" in paused.err) == (1, True)
    assert typing.run("migration", "resume", uid, actor="erik").code == 1, "only who may move it"
    resumed = typing.record("migration", "resume", uid)
    assert (resumed["state"], resumed["wish"]) == ("paused", "resume")
    moves.drive()
    assert typing.record("migration", "show", uid)["state"] == "ready"
    assert typing.run("migration", "resume", uid).code == 1


def test_a_plan_is_made_anew_until_copying_has_begun(typing: CommandLine, moves: Moves, local_base: Path) -> None:
    fill(local_base / "cells")
    uid = moves.plan(moves.register(local_base / "cells"), local_base / "moved")
    fill(local_base / "cells", {"since.txt": b"new"})
    before = typing.record("migration", "show", uid)["planned_count"]
    assert typing.record("migration", "check", uid)["wish"] == "check"
    moves.drive()
    assert typing.record("migration", "show", uid)["planned_count"] == before + 1
    moves.wish(migrations.start, uid)
    refused = typing.run("migration", "check", uid)
    assert (refused.code, "the plan stays" in refused.err) == (1, True)
