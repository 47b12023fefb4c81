"""`portal doctor`: each kind of trouble is made, found with what to do about it, and put right where that is safe."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from portal import database
from portal.config import Settings
from portal.models import Intent, Shard, Storage
from portal.planning.states import MigrationState as State
from portal.services import migrations
from portal.services.doctor import Finding, examine
from portal.values import MARKER_KEY, Mode
from tests.integration.command_line import CommandLine
from tests.integration.move_fixtures import executor, marker_of, moves, source
from tests.integration.moves import Moves, fill

__all__ = ["executor", "moves", "source"]

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def here(moves: Moves) -> Settings:
    settings: Settings = moves.portal.app.extensions["portal_settings"]
    return settings


def look(settings: Settings, *, fix: bool = False) -> dict[str, Finding]:
    """Return what is found, by code; at most one of each kind is expected."""
    found = examine(settings, database.newest_revision(), datetime.now(UTC), fix=fix)
    by_code = {finding.code: finding for finding in found}
    assert len(by_code) == len(found), found
    return by_code


@pytest.fixture
def ended(moves: Moves, source: Path, local_base: Path) -> str:
    """A move that was released."""
    made = moves.copy(moves.register(source), local_base / "target")
    moves.cut_over(made, "source")
    assert moves.wish(migrations.release, made).state is State.RELEASED
    return made


def test_nothing_is_wrong_with_a_portal_that_works(moves: Moves, here: Settings, ended: str) -> None:
    moves.bucket("doctor")
    found = look(here)
    # A runner of this test leaves its progress files, as any runner does.
    assert found.keys() <= {"ledger-temporary", "disk"}
    fixed = look(here, fix=True)
    assert fixed.keys() <= {"ledger-temporary", "disk"}
    assert look(here).keys() <= {"disk"}


def test_a_lease_that_ran_out_is_given_back(moves: Moves, here: Settings, source: Path, local_base: Path) -> None:
    with moves.portal.write_as("ada") as work:
        made = migrations.create_migration(
            work, migrations.NewMigration(moves.register(source), str(local_base / "x"))
        ).id
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    with moves.row(made) as row:
        row.lease_owner, row.lease_epoch, row.lease_expires_at = "host/1", 3, long_ago
    found = look(here)
    assert found.keys() - {"disk"} == {"stale-lease", "no-runner"}
    assert found["no-runner"].todo == "portal runner --host portal-host"
    assert moves.row_lease(made) == "host/1", "looking changes nothing"
    assert look(here, fix=True)["stale-lease"].fixed == "The lease was given back."
    assert moves.row_lease(made) is None
    with moves.row(made) as row:
        row.lease_owner, row.lease_expires_at = "host/2", datetime.now(UTC) + timedelta(seconds=15)
    assert look(here, fix=True).keys() <= {"disk"}
    assert moves.row_lease(made) == "host/2", "a lease that lives is nobody's to take"


def test_a_switch_that_did_not_reach_everybody_is_named(moves: Moves, here: Settings, ended: str) -> None:
    with moves.row(ended) as row:
        session = database.db.session
        intent = session.scalars(select(Intent).where(Intent.migration_id == row.id)).one()
        session.add(
            Intent(
                migration_id=row.id, direction="forward", number=intent.number, part="follow", row_id=1,
                before={}, after={"root": "/new"}, created_at=intent.created_at,
            )
        )  # fmt: skip
    found = look(here)["intent"]
    assert "does not name /new yet" in found.what


def test_segments_that_are_missing_or_damaged_are_found(
    moves: Moves, here: Settings, source: Path, local_base: Path
) -> None:
    made = moves.copy(moves.register(source), local_base / "target")
    with moves.row(made) as row:
        shard = database.db.session.scalars(select(Shard).where(Shard.migration_id == row.id)).one()
        plan, verify = here.ledger_dir / shard.plan_path, here.ledger_dir / str(shard.verify_path)
    kept = plan.read_bytes()
    plan.write_bytes(kept[:-20])
    assert "is damaged" in look(here)["segment"].what
    plan.write_bytes(kept)
    verify.unlink()
    found = look(here)["segment"]
    assert (found.severity, "is missing" in found.what) == ("error", True)


def test_a_manifest_that_is_not_whole_is_found(here: Settings, ended: str) -> None:
    segment = next((here.ledger_dir / ended / "manifest").glob("*.gz"))
    kept = segment.read_bytes()
    segment.unlink()
    assert "is missing" in look(here)["manifest"].what
    segment.write_bytes(kept)
    index = next((here.ledger_dir / ended / "manifest").glob("*.json"))
    index.write_text(index.read_text() + " ")
    assert "is damaged" in look(here)["manifest"].what


def test_what_ended_moves_left_is_removed_and_nothing_else(
    here: Settings, ended: str, source: Path, local_base: Path
) -> None:
    left = source / f".lamindb/_portal/{ended}-f1-0"
    others = [source / ".lamindb/_portal/another-f1-0", local_base / f"elsewhere/.lamindb/_portal/{ended}-f1-0"]
    for folder in (left, *others):
        folder.mkdir(parents=True)
        (folder / "abc").write_bytes(b"half")
    (here.ledger_dir / ended / "stop-9").touch()
    stranger = here.ledger_dir / "stranger0000"
    stranger.mkdir()
    found = look(here)
    assert found.keys() - {"disk"} == {"temporary", "ledger-temporary", "ledger-folder"}
    assert left.exists(), "looking changes nothing"
    assert look(here, fix=True)["temporary"].fixed == "It was removed."
    assert look(here).keys() - {"disk"} == {"ledger-folder"}
    assert not left.exists()
    assert all(folder.exists() for folder in others)
    assert stranger.exists()


@pytest.mark.parametrize(("marker", "words"), [(None, "has no marker"), ("anotheruid00", "names anotheruid00")])
def test_a_root_that_is_not_marked_as_its_own_is_found(
    moves: Moves, here: Settings, local_base: Path, marker: str | None, words: str
) -> None:
    root = local_base / "cells"
    root.mkdir()
    uid = moves.register(root, instance_uid="abcdefghijkl", instance_slug="lab/atlas")
    with moves.portal.write_as("ada") as work:
        work.session.scalars(select(Storage)).one().mode = Mode.WRITABLE
    if marker:
        fill(root, {MARKER_KEY: marker_of(marker)})
    found = look(here)["marker"]
    assert (words in found.what, found.todo) == (True, f"portal storage check {uid}")
    fill(root, {MARKER_KEY: marker_of(uid)})
    assert look(here).keys() <= {"disk"}


def test_a_key_file_that_is_missing_open_or_wrong_is_found(moves: Moves, here: Settings) -> None:
    moves.bucket("doctor-keys")
    key, kept = here.key_path, here.key_path.read_bytes()
    key.chmod(0o644)
    assert look(here)["key"].todo == f"chmod 600 {key}"
    key.chmod(0o600)
    key.write_bytes(Fernet.generate_key())
    assert "doctor-keys" in look(here)["secret"].what
    key.write_text("no key")
    assert "holds no key" in look(here)["key"].what
    key.unlink()
    assert look(here).keys() - {"disk"} == {"no-key"}
    assert not key.exists(), "looking makes no new one"
    key.write_bytes(kept)
    key.chmod(0o600)
    assert look(here).keys() <= {"disk"}


def test_a_database_that_is_behind_missing_or_away_is_found(
    here: Settings, empty_database_url: str, tmp_path: Path
) -> None:
    other = replace(here, database_url=empty_database_url)
    assert look(other).keys() & {"no-schema", "no-database"}
    database.upgrade(empty_database_url, "0003")
    assert "revision 0003" in look(other)["revision"].what
    gone = replace(here, database_url=f"sqlite:///{tmp_path}/none.db", data_dir=tmp_path / "nowhere")
    assert look(gone).keys() == {"no-folder", "no-database"}
    assert not (tmp_path / "none.db").exists()
    away = replace(here, database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert "cannot be used" in look(away)["database"].what


def test_a_full_disk_is_found(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(here.data_dir)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=500_000_000))
    assert look(here)["disk"].severity == "warning"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    assert look(here)["disk"].severity == "error"


def test_the_command_ends_with_1_where_something_was_found(moves: Moves, here: Settings) -> None:
    typing = CommandLine(moves.portal)
    ran = typing.run("doctor", actor=None)
    assert (ran.code, ran.out) == (0, "Nothing is wrong.\n") or "disk" in ran.out
    (here.ledger_dir / "stranger0000").mkdir(parents=True)
    ran = typing.run("doctor", "--json", actor=None)
    assert ran.code == 1
    assert {"severity", "code", "what", "todo", "fixed"} == ran.record[0].keys()
    assert "rm -r" in typing.run("doctor", "--fix", actor=None).out
