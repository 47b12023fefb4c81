"""`portal storage …`: connect, register, list, show, edit, check and delete, with the same permissions as the pages."""

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import func, select

from portal.models import Connection, Event, Storage
from tests.integration.command_line import CommandLine, Ran
from tests.integration.roots import Bucket, new_bucket
from tests.integration.world import Portal, World
from tests.servers import S3Server


@pytest.fixture
def typing(portal: Portal, world: World) -> CommandLine:
    return CommandLine(portal)


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    return new_bucket(s3_server)


@pytest.fixture
def cells(typing: CommandLine, local_base: Path) -> str:
    """The uid of a location of lab/atlas in lab/imaging: erik writes, rita reads, otto sees nothing."""
    (local_base / "cells").mkdir()
    (local_base / "cells" / "genes.csv").write_bytes(b"a,b\n")
    place = ("--space", "lab/imaging", "--instance", "lab/atlas", "--owner", "lab")
    uid: str = typing.record("storage", "register", str(local_base / "cells"), *place)["uid"]
    return uid


def connect(typing: CommandLine, bucket: Bucket, *more: str, secret: str | None = None) -> Ran:
    """Run `connect-s3` with the bucket's key, the secret in the environment."""
    words = ("--endpoint-url", bucket.server.endpoint_url, "--access-key", bucket.server.access_key, *more, "--json")
    key = bucket.server.secret_key if secret is None else secret
    return typing.run("storage", "connect-s3", bucket.root, *words, PORTAL_SECRET_ACCESS_KEY=key)


def rows_of(typing: CommandLine) -> tuple[int | None, int | None, int | None]:
    with typing.portal.read_as("ada") as work:
        counts = [
            work.session.scalar(select(func.count()).select_from(table)) for table in (Storage, Connection, Event)
        ]
    return counts[0], counts[1], counts[2]


def test_a_bucket_is_connected_and_its_secret_never_printed(typing: CommandLine, bucket: Bucket) -> None:
    place = ("--instance", "lab/atlas", "--space", "lab/imaging", "--description", "Cells", "--owner", "lab")
    ran = connect(typing, bucket, *place)
    assert ran.code == 0, ran.err
    record = ran.record
    assert (record["type"], record["mode"], record["description"]) == ("s3", "writable", "Cells")
    assert {check["status"] for check in record["checks"]} <= {"passed", "skipped"}
    assert "atlas/.lamindb/storage_uid.txt" in set(bucket.keys())
    shown = (
        typing.run("storage", "show", record["uid"], "--json").out + typing.run("storage", "show", record["uid"]).out
    )
    listed = typing.run("storage", "list", "--json").out
    assert bucket.server.secret_key not in ran.out + ran.err + shown + listed
    assert [row["uid"] for row in json.loads(listed)] == [record["uid"]]


def test_a_secret_is_asked_for_where_none_is_in_the_environment(typing: CommandLine, bucket: Bucket) -> None:
    words = ("--endpoint-url", bucket.server.endpoint_url, "--access-key", bucket.server.access_key)
    ran = typing.run("storage", "connect-s3", bucket.root, *words, typed=f"{bucket.server.secret_key}\n")
    assert (ran.code, "Saved s3://" in ran.out) == (0, True), ran.err
    assert bucket.server.secret_key not in ran.out + ran.err


def test_a_dry_run_tries_and_saves_nothing(typing: CommandLine, bucket: Bucket) -> None:
    before, keys = rows_of(typing), bucket.keys()
    ran = connect(typing, bucket, "--instance", "lab/atlas", "--dry-run")
    record = ran.record
    assert ran.code == 0
    assert {check["name"] for check in record["checks"]} >= {"list", "put", "read-back", "delete"}
    assert "uid" not in record
    assert (rows_of(typing), bucket.keys()) == (before, keys)


def test_a_wrong_secret_ends_with_1_and_still_one_document(typing: CommandLine, bucket: Bucket) -> None:
    before = rows_of(typing)
    ran = connect(typing, bucket, secret="wrong/secret/wrong/secret")
    assert ran.code == 1
    assert "failed" in {check["status"] for check in ran.record["checks"]}
    assert ran.err.startswith("portal: ")
    assert "wrong/secret" not in ran.out + ran.err
    assert rows_of(typing) == before


def test_an_endpoint_nobody_listed_is_not_contacted(typing: CommandLine) -> None:
    ran = typing.run(
        "storage", "connect-s3", "s3://cells?endpoint_url=https://192.0.2.1", "--access-key", "AKIAEXAMPLEEXAMPLE11",
        "--json", PORTAL_SECRET_ACCESS_KEY="some/secret",
    )  # fmt: skip
    assert (ran.code, ran.out) == (1, "")
    assert "192.0.2.1" in ran.err


def test_a_directory_is_registered_after_a_dry_run_that_saves_nothing(typing: CommandLine, local_base: Path) -> None:
    (local_base / "notes").mkdir()
    before = rows_of(typing)
    typing.record("storage", "register", str(local_base / "notes"), "--dry-run")
    assert rows_of(typing) == before
    record = typing.record("storage", "register", str(local_base / "notes"), "--description", "Notes")
    assert (record["root"], record["host"], record["mode"]) == (str(local_base / "notes"), "portal-host", "unmanaged")
    again = typing.run("storage", "register", str(local_base / "notes"), "--json")
    assert (again.code, again.out) == (1, "")
    outside = typing.run("storage", "register", "/etc", "--json")
    assert (outside.code, outside.out) == (1, "")
    assert typing.run("storage", "register", str(local_base / "notes"), actor="otto").code == 1


def test_who_may_write_describes_and_who_may_read_looks(typing: CommandLine, cells: str) -> None:
    assert typing.record("storage", "edit", cells, "--description", "Atlas", actor="erik")["description"] == "Atlas"
    assert typing.record("storage", "show", cells, actor="rita")["description"] == "Atlas"
    refused = typing.run("storage", "edit", cells, "--description", "Mine", "--json", actor="rita")
    assert (refused.code, refused.out) == (1, "")
    assert "needs the role write" in refused.err
    assert typing.run("storage", "edit", cells, "--space", "lab/clinical", actor="erik").code == 1
    assert typing.run("storage", "check", cells, actor="rita").code == 1
    assert typing.run("storage", "delete", cells, "--confirm", "cells", actor="erik").code == 1
    assert typing.run("migration", "plan", cells, "/nowhere", actor="erik").code == 1
    shown = typing.record("storage", "show", cells)
    assert (shown["description"], shown["space"]) == ("Atlas", "lab/imaging")


def test_an_outsider_sees_nothing_by_any_name(typing: CommandLine, cells: str, local_base: Path) -> None:
    assert typing.record("storage", "list", actor="otto") == []
    assert typing.record("migration", "list", actor="otto") == []
    for name in (cells, str(local_base / "cells")):
        for verb, more in (
            ("show", ()),
            ("edit", ("--description", "x")),
            ("check", ()),
            ("delete", ("--confirm", "x")),
        ):
            ran = typing.run("storage", verb, name, *more, "--json", actor="otto")
            assert (ran.code, ran.out) == (1, ""), verb
            assert f"There is no storage location {name}" in ran.err


def test_filters_narrow_the_list(typing: CommandLine, cells: str, local_base: Path) -> None:
    (local_base / "notes").mkdir()
    notes = typing.record("storage", "register", str(local_base / "notes"), "--description", "plate readings")["uid"]

    def found(*words: str) -> set[str]:
        return {row["uid"] for row in typing.record("storage", "list", *words)}

    assert found() == {cells, notes}
    assert found("--search", "plate") == {notes}
    assert found("--instance", "lab/atlas") == {cells}
    assert found("--type", "s3") == set()
    typing.record("storage", "edit", notes, "--branch", "archive")
    assert (found(), found("--branch", "archive")) == ({cells}, {notes})
    assert cells in typing.run("storage", "list").out


def test_a_check_that_fails_ends_with_1_after_its_result(typing: CommandLine, cells: str, local_base: Path) -> None:
    assert typing.record("storage", "check", cells, actor="erik")["status"] == "passed"
    shutil.rmtree(local_base / "cells")
    ran = typing.run("storage", "check", cells, "--json")
    assert (ran.code, ran.record["status"]) == (1, "failed")
    assert "A check failed." in ran.err


def test_a_location_is_deleted_with_its_name_and_user_files_stay(
    typing: CommandLine, cells: str, local_base: Path
) -> None:
    managed = local_base / "cells" / ".lamindb" / "0123456789abcdef.parquet"
    managed.write_bytes(b"PAR1")
    full = typing.run("storage", "delete", cells, "--confirm", "cells", "--json")
    assert (full.code, full.out) == (1, "")
    managed.unlink()
    wrong = typing.run("storage", "delete", cells, "--confirm", "cell", "--json")
    assert (wrong.code, wrong.out) == (1, "")
    assert typing.run("storage", "delete", cells, typed="\n").code == 1
    gone = typing.record("storage", "delete", cells, "--confirm", "cells")
    root = str(local_base / "cells")
    assert gone == {"uid": cells, "root": root, "deleted": True, "removed_from": [], "kept_in": []}
    assert typing.run("storage", "show", cells).code == 1
    assert (local_base / "cells" / "genes.csv").exists()


def test_a_bucket_is_named_without_its_endpoint_while_only_one_server_has_it(
    typing: CommandLine, bucket: Bucket
) -> None:
    connected = connect(typing, bucket, "--instance", "lab/atlas", "--space", "lab/imaging", "--owner", "lab").record
    bare = connected["root"].partition("?")[0]
    assert connected["root"] != bare
    assert typing.record("storage", "show", bare)["uid"] == connected["uid"]
    assert typing.record("storage", "show", f"{bare}/")["uid"] == connected["uid"]
    assert "There is no storage location" in typing.run("storage", "show", bare[:-1]).err
    elsewhere = f"{bare}?endpoint_url=https://store.example.org"
    with typing.portal.write_as("ada") as work:
        first = work.session.scalars(select(Storage).where(Storage.uid == connected["uid"])).one()
        names = ("type", "mode", "space_id", "instance_id", "owner_id", "created_by_id", "created_at", "updated_at")
        twin = {name: getattr(first, name) for name in names}
        work.session.add(Storage(uid="twinTWINtwin", root=elsewhere, **twin))
    assert "is a root on several servers. Give its uid." in typing.run("storage", "show", bare).err
    assert typing.record("storage", "show", elsewhere)["uid"] == "twinTWINtwin"


def test_why_nothing_was_saved_is_said_once(typing: CommandLine, bucket: Bucket) -> None:
    words = ("--endpoint-url", bucket.server.endpoint_url, "--access-key", bucket.server.access_key)
    wrong = "not+the+secret/not+the+secret/not+the+se"
    ran = typing.run("storage", "connect-s3", bucket.root, *words, PORTAL_SECRET_ACCESS_KEY=wrong)
    assert (ran.code, ran.err.count("Nothing was saved."), ran.out.count("Nothing was saved.")) == (1, 1, 0)
    assert "The key was refused." in ran.out
