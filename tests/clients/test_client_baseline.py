"""The real client reads back what it made, nothing moved: what every test of a move leans on."""

from pathlib import Path

import pytest

from portal.lamindb.registry.ways import Way
from tests.clients.conftest import NewInstance
from tests.clients.instances import World, ask, assert_world_whole, execute, s3_root
from tests.clients.lamin import ClientError
from tests.servers import S3Server


def test_a_world_on_disk_and_on_s3_is_whole(
    database_kind: str, new_instance: NewInstance, s3_server: S3Server, tmp_path: Path
) -> None:
    instance = new_instance(str(tmp_path / "main"))
    bucket = f"baseline-{instance.facts['uid'].lower()}"
    second = str(tmp_path / "second")
    on_s3 = s3_root(s3_server, bucket, "some/prefix")
    world = instance.fill(second, f"{second}/nested", on_s3, big=database_kind == "sqlite")
    found = assert_world_whole(instance.client, world)
    assert {path.split(":")[0] for path in found["paths"].values()} >= {"s3"}


def test_the_world_has_every_sort_of_artifact(lamin_world: World) -> None:
    artifacts = lamin_world["artifacts"]
    assert len(lamin_world["locations"]) == 3
    assert {each["branch_id"] for each in artifacts} == {-1, 0, 1}
    assert {each["_hash_type"] for each in artifacts} == {"md5", "md5-d"}
    assert {(each["_key_is_virtual"], each["_overwrite_versions"]) for each in artifacts} == {
        (True, True), (True, False), (False, True), (False, False),
    }  # fmt: skip
    assert any(each["_real_key"] for each in artifacts)
    assert any(each["key"] is None for each in artifacts)
    assert any(each["size"] == 0 for each in artifacts)
    assert any(not each["is_latest"] and each["n_files"] for each in artifacts)


def test_a_copied_database_has_the_rows_of_the_world(lamin_database: Way, lamin_world: World) -> None:
    rows = ask(lamin_database, "SELECT uid, key FROM lamindb_artifact ORDER BY id")
    assert rows == [(each["uid"], each["key"]) for each in lamin_world["artifacts"]]
    assert execute(lamin_database, "UPDATE lamindb_artifact SET description = :text", text="changed") == len(rows)


def test_the_next_copy_knows_nothing_of_changes_to_the_last(lamin_database: Way) -> None:
    assert ask(lamin_database, "SELECT count(*) FROM lamindb_artifact WHERE description = :text", text="changed") == [
        (0,)
    ]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_check_finds_what_a_bad_move_leaves(database_kind: str, new_instance: NewInstance, tmp_path: Path) -> None:
    instance = new_instance(str(tmp_path / "main"), fill=[])
    world = instance.world
    root = tmp_path / "main"
    (root / "notes/real.txt").write_bytes(b"other bytes\n")
    (root / "a/b/c/d/deep.txt").unlink()
    (root / "folders/real/one.txt").unlink()
    (root / "in place/folder/more.txt").write_bytes(b"more")
    (root / ".lamindb/storage_uid.txt").write_text("somebody-else")
    execute(instance.way, "UPDATE lamindb_artifact SET branch_id = 1 WHERE key = :key", key="notes/trash.txt")
    problems = instance.client.run("check_world", world=world, write=None)["problems"]
    told = [("notes/real.txt", "files was"), ("a/b/c/d/deep.txt", "FileNotFoundError"), ("folders/real", "files was")]
    told += [
        ("in place/folder", "files was"),
        ("notes/trash.txt", "branch_id was -1, is 1"),
        (str(root), "marker says"),
    ]
    for subject, words in told:
        assert any(problem.startswith(subject) and words in problem for problem in problems), (subject, problems)
    assert {problem.split(" (")[0].split(": ")[0] for problem in problems} == {subject for subject, _words in told}


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_what_the_client_raises_reaches_the_test(database_kind: str, new_instance: NewInstance, tmp_path: Path) -> None:
    instance = new_instance(str(tmp_path / "main"))
    with pytest.raises(ClientError) as raised:
        instance.client.run("build_world", roots=["ftp://host/root"], big=False)
    assert raised.value.kind == "ValueError"
    assert "Protocol ftp is not supported" in raised.value.message


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_client_reaches_no_other_machine(database_kind: str, new_instance: NewInstance, tmp_path: Path) -> None:
    instance = new_instance(str(tmp_path / "main"))
    with pytest.raises(ClientError, match="The tests have no network"):
        instance.client.run("reach", host="192.0.2.1")
