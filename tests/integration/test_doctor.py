"""`portal doctor`: each kind of trouble is made, found with what to do about it, and put right where that is safe."""

import json
import os
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
from portal.runner.names import claimed_name
from portal.services import migrations
from portal.services.doctor import Finding, examine
from portal.services.migrations.runners import report_alive
from portal.values import MARKER_KEY, Mode
from tests.integration.command_line import CommandLine
from tests.integration.move_fixtures import executor, marker_of, moves, source
from tests.integration.moves import OBJECTS, Moves, contents, fill
from tests.integration.test_servers import s3_client

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
    moves.let_it_be_quiet(made)
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


def test_a_runner_that_keeps_its_ledger_elsewhere_is_named(moves: Moves, here: Settings) -> None:
    with moves.portal.app.app_context(), database.write() as session:
        report_alive(session, "nas/1", "nas", datetime.now(UTC))
    found = look(here)["other-folder"]
    assert (found.severity, found.what) == ("error", f"The runner nas/1 uses another data folder than {here.data_dir}.")
    with claimed_name(here.data_dir, "nas"):
        assert "other-folder" not in look(here)


def test_a_lease_that_ran_out_is_ended_and_who_comes_next_takes_it_over(
    moves: Moves, here: Settings, source: Path, local_base: Path
) -> None:
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
    assert look(here, fix=True)["stale-lease"].fixed == "The lease was ended."
    assert look(here).keys() - {"disk"} == {"no-runner"}
    with moves.portal.app.app_context():
        drive = moves.take()
    assert drive.lease.is_taken_over, "whoever held it may only sleep, and is told to stop"
    with moves.row(made) as row:
        row.lease_owner, row.lease_expires_at = "host/2", datetime.now(UTC) + timedelta(seconds=15)
    assert look(here, fix=True).keys() <= {"disk"}
    assert moves.row_lease(made) == "host/2", "a lease that lives is nobody's to take"


@pytest.mark.parametrize(
    ("part", "words"), [("follow", "does not name /new yet"), ("open", "The database at /new is still sealed")]
)
def test_a_switch_that_did_not_reach_everybody_is_named(
    moves: Moves, here: Settings, ended: str, part: str, words: str
) -> None:
    with moves.row(ended) as row:
        session = database.db.session
        intent = session.scalars(select(Intent).where(Intent.migration_id == row.id)).one()
        session.add(
            Intent(
                migration_id=row.id, direction="forward", number=intent.number, part=part, row_id=1,
                before={}, after={"root": "/new"}, created_at=intent.created_at,
            )
        )  # fmt: skip
    found = look(here)["intent"]
    assert words in found.what


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
    for name, age in (("stop-8", timedelta(days=2)), ("stop-9", timedelta(hours=2))):
        (here.ledger_dir / ended / name).touch()
        moment = (datetime.now(UTC) - age).timestamp()
        os.utime(here.ledger_dir / ended / name, (moment, moment))
    stranger = here.ledger_dir / "stranger0000"
    stranger.mkdir()
    found = look(here)
    assert found.keys() - {"disk"} == {"temporary", "ledger-temporary", "ledger-folder"}
    assert left.exists(), "looking changes nothing"
    assert look(here, fix=True)["temporary"].fixed == "Removed."
    assert look(here).keys() - {"disk"} == {"ledger-folder"}
    assert not left.exists()
    kept = [path.name for path in (here.ledger_dir / ended).glob("stop-*")]
    assert kept == ["stop-9"], "a worker that hangs may look for it yet"
    assert all(folder.exists() for folder in others)
    assert stranger.exists()


def upload_of(moves: Moves, bucket: str, key: str) -> str:
    """Begin an upload in parts and leave it unfinished; return its id."""
    client = s3_client(moves.s3)
    upload_id: str = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    client.upload_part(Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=1, Body=b"half")
    return upload_id


def uploads_in(moves: Moves, bucket: str) -> set[str]:
    page = s3_client(moves.s3).list_multipart_uploads(Bucket=bucket)
    return {item["Key"] for item in page.get("Uploads", [])}


def test_what_ended_moves_and_killed_checks_left_in_a_bucket_is_removed_and_nothing_else(
    moves: Moves, here: Settings, source: Path
) -> None:
    root, _ = moves.bucket("doctor-left")
    uid, client = moves.register(source), s3_client(moves.s3)
    made = moves.plan(uid, root)
    with moves.portal.write_as("ada") as work:
        assert migrations.cancel(work, made).state is State.CANCELLED

    def put(key: str, body: bytes = b"left") -> str:
        client.put_object(Bucket="doctor-left", Key=key, Body=body)
        return key

    record = {"key": "raw/large.bin", "upload_id": upload_of(moves, "doctor-left", "raw/large.bin")}
    gone = {
        put(f".lamindb/_portal/{made}-f1-0/0123", json.dumps(record).encode()),
        put(f".lamindb/_probe/{uid}"),
        put(f".lamindb/_probe/{uid}-checksums"),
    }
    upload_of(moves, "doctor-left", f".lamindb/_probe/{uid}-checksums")
    upload_of(moves, "doctor-left", "somebodys/upload.bin")
    kept = {
        put(".lamindb/_portal/Another12345-f1-0/0123", json.dumps({"key": "x", "upload_id": "y"}).encode()),
        put(".lamindb/_probe/Another12345"),
        put(".lamindb/_probe/" + "0" * 32),  # of a check that may be under way
        put("raw/object.bin"),
    }
    found = look(here)
    assert found.keys() - {"disk", "ledger-temporary"} == {"temporary", "probe"}
    assert f"{made}-f1-0" in found["temporary"].what
    assert found["probe"].todo == "portal doctor --fix"
    listed = client.list_objects_v2(Bucket="doctor-left")["Contents"]
    assert {item["Key"] for item in listed} == gone | kept, "looking changes nothing"
    assert look(here, fix=True)["probe"].fixed == "Removed."
    listed = client.list_objects_v2(Bucket="doctor-left")["Contents"]
    assert {item["Key"] for item in listed} == kept
    assert uploads_in(moves, "doctor-left") == {"somebodys/upload.bin"}
    assert look(here).keys() <= {"disk"}


def test_what_a_check_left_is_nobodys_after_an_hour_and_not_before(
    moves: Moves, here: Settings, local_base: Path
) -> None:
    fill(local_base / "cells")
    moves.register(local_base / "cells")
    names = ("_probe/" + "ab" * 16, "_portal/probe-abababab/x", "_portal/move-abcdefghijkl/x", "_portal/untagged/x")
    left = [local_base / "cells/.lamindb" / name for name in names]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left")
    assert look(here).keys() <= {"disk"}
    later = datetime.now(UTC) + timedelta(hours=2)
    found = {finding.code for finding in examine(here, database.newest_revision(), later, fix=True)}
    assert found - {"disk"} == {"temporary", "probe"}
    assert not any(path.exists() for path in left)
    assert contents(local_base / "cells") == OBJECTS


def test_what_a_move_that_goes_on_needs_is_left_alone(
    moves: Moves, here: Settings, source: Path, local_base: Path
) -> None:
    uid = moves.register(source)
    made = moves.copy(uid, local_base / "target")
    mine = [local_base / "target/.lamindb/_probe" / uid, local_base / f"target/.lamindb/_portal/{made}-f1-0/x"]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"in use")
    assert look(here, fix=True).keys() <= {"disk"}
    assert all(path.exists() for path in mine)


def test_a_bucket_that_is_away_does_not_hold_up_the_doctor(moves: Moves, here: Settings, source: Path) -> None:
    root, _ = moves.bucket("doctor-away")
    made = moves.plan(moves.register(source), root)
    with moves.portal.write_as("ada") as work:
        migrations.cancel(work, made)
    with moves.row(made) as row:
        row.target_root = row.target_root.replace("127.0.0.1", "localhost")  # an endpoint that nobody listed
    assert look(here).keys() <= {"disk", "ledger-temporary"}


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
