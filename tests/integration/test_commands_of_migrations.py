"""`portal migration …` with a real runner process: what it prints where, and how it ends."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.config import Settings
from tests.integration.command_line import CommandLine
from tests.integration.moves import OBJECTS, contents, fill, let_it_be_quiet, wait_for
from tests.integration.real_processes import environment_of, running
from tests.integration.world import Portal, World

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def database_kind() -> str:
    """One database is enough here: what differs between them is below the services."""
    return "sqlite"


@pytest.fixture
def typing(portal: Portal, world: World) -> CommandLine:
    return CommandLine(portal)


@pytest.fixture
def runner(typing: CommandLine, settings: Settings, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A runner as a process of its own."""
    log = tmp_path / "runner.log"
    with running("runner", environment=environment_of(settings), log=log) as process:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0, log.read_text()


def registered(typing: CommandLine, folder: Path, *place: str) -> str:
    fill(folder)
    uid: str = typing.record("storage", "register", str(folder), *place)["uid"]
    return uid


def test_a_move_is_followed_cut_over_and_rolled_back(
    typing: CommandLine, local_base: Path, runner: "subprocess.Popen[bytes]"
) -> None:
    uid = registered(typing, local_base / "cells")
    moved = typing.run("migration", "start", uid, str(local_base / "moved"), "--wait", "--json")
    assert moved.code == 0, moved.err
    assert (moved.record["state"], moved.record["storage_uid"]) == ("ready", uid)
    assert contents(local_base / "moved") == OBJECTS
    assert moved.err.splitlines(), "nothing was said while it was under way"
    identity = moved.record["id"]
    assert typing.record("storage", "show", uid)["root"] == str(local_base / "cells")

    over = typing.record("migration", "cut-over", identity, "--wait")
    assert (over["id"], over["state"]) == (identity, "soaking")
    assert typing.record("storage", "show", uid)["root"] == str(local_base / "moved")
    back = typing.run("migration", "rollback", identity, "--wait", "--json")
    assert (back.code, back.record["state"]) == (0, "rolled_back"), back.err
    assert typing.record("storage", "show", uid)["root"] == str(local_base / "cells")

    again = typing.run("migration", "start", uid, str(local_base / "again"), "--wait", "--cut-over", "--json")
    assert (again.code, again.record["state"]) == (0, "soaking"), again.err
    assert [row["id"] for row in typing.record("migration", "list")] == [again.record["id"], identity]
    assert [row["id"] for row in typing.record("migration", "list", "--live")] == [again.record["id"]]
    wait_for(lambda: "at" in typing.record("migration", "show", again.record["id"])["plan"].get("sweep", {}))
    let_it_be_quiet(typing.portal, again.record["id"])
    assert typing.record("migration", "release", again.record["id"])["state"] == "released"
    assert typing.run("migration", "rollback", again.record["id"], "--json").code == 1


def test_a_move_that_ends_otherwise_ends_with_1_and_its_record(
    typing: CommandLine, local_base: Path, runner: "subprocess.Popen[bytes]"
) -> None:
    uid = registered(typing, local_base / "cells")
    fill(local_base / "moved", {"README.md": b"another's\n"})
    ran = typing.run("migration", "start", uid, str(local_base / "moved"), "--wait", "--json")
    assert ran.code == 1
    assert ran.record["state"] not in {"ready", "soaking"}
    assert ran.err.splitlines()[-1].startswith("portal: ")
    assert (local_base / "moved" / "README.md").read_bytes() == b"another's\n"


def test_a_registry_of_an_instance_is_confirmed_before_a_cut_over(
    typing: CommandLine, local_base: Path, runner: "subprocess.Popen[bytes]"
) -> None:
    uid = registered(typing, local_base / "cells", "--instance", "lab/atlas", "--owner", "lab")
    ran = typing.run("migration", "start", uid, str(local_base / "moved"), "--wait", "--cut-over", "--json")
    assert (ran.code, ran.record["state"]) == (1, "ready")
    assert "UPDATE lamindb_storage" in ran.err
    assert "--registry-changed" in ran.err
    [row] = typing.record("migration", "list")
    assert row["state"] == "ready"
    for actor in ("erik", "rita"):
        assert typing.record("migration", "show", row["id"], actor=actor)["id"] == row["id"]
        for verb in ("cut-over", "cancel", "start"):
            refused = typing.run("migration", verb, row["id"], "--json", actor=actor)
            assert (refused.code, refused.out) == (1, ""), verb
    assert typing.run("migration", "show", row["id"], "--json", actor="otto").code == 1
    over = typing.run("migration", "cut-over", row["id"], "--registry-changed", "--wait", "--json")
    assert (over.code, over.record["state"]) == (0, "soaking"), over.err


def test_a_plan_is_made_shown_and_cancelled(
    typing: CommandLine, local_base: Path, runner: "subprocess.Popen[bytes]"
) -> None:
    uid = registered(typing, local_base / "cells")
    plan = typing.record("migration", "plan", uid, str(local_base / "moved"))
    assert (plan["state"], plan["planned_count"]) == ("planned", len(OBJECTS))
    assert contents(local_base / "moved") == {}, "a plan copies nothing"
    second = typing.run("migration", "plan", uid, str(local_base / "other"), "--json")
    assert (second.code, second.out) == (1, "")
    assert plan["id"] in typing.run("migration", "show", plan["id"]).out
    assert typing.record("migration", "cancel", plan["id"], "--wait")["state"] == "cancelled"
    ran = typing.run("migration", "start", plan["id"], "--wait", "--json")
    assert (ran.code, ran.out) == (1, "")
    assert typing.run("migration", "show", "nowhereatall").code == 1


def test_ctrl_c_leaves_the_move_to_the_runner_and_ends_with_130(
    typing: CommandLine, local_base: Path, settings: Settings, tmp_path: Path
) -> None:
    uid = registered(typing, local_base / "cells")
    words = ("--as", "ada", "migration", "start", uid, str(local_base / "moved"), "--wait", "--json")
    log = tmp_path / "command.log"
    with running(*words, environment=environment_of(settings), log=log, out=subprocess.PIPE) as process:
        wait_for(lambda: "no runner has reported lately" in log.read_text())
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=90)
    assert (process.returncode, out) == (130, b"")
    assert "Traceback" not in log.read_text()
    [row] = typing.record("migration", "list")
    assert (row["state"], row["wish"]) == ("draft", "start")
