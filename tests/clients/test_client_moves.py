"""What the real client makes of a move, done by hand: which steps it needs, and what each that is left out breaks."""

from pathlib import Path

import pytest

from portal.lamindb.registry.ways import SqliteWay
from tests.clients.conftest import NewInstance
from tests.clients.instances import Instance, ask, assert_world_whole, execute, s3_root, sqlite_way
from tests.clients.lamin import ClientError
from tests.clients.moving import MARKER, carry, folder_of, rewrite_root
from tests.servers import S3Server

#: What the portal's own moves rest on; they are tested in moves/.
pytestmark = pytest.mark.full


@pytest.fixture
def instance(new_instance: NewInstance, tmp_path: Path) -> Instance:
    """An instance of two filled locations, `main`, the default one, and `second`."""
    return new_instance(str(tmp_path / "main"), fill=[str(tmp_path / "second")])


def test_a_location_moves_from_disk_to_disk_to_s3_and_back(
    instance: Instance, s3_server: S3Server, tmp_path: Path
) -> None:
    old = str(tmp_path / "second")
    uid = instance.location(old)["uid"]
    on_s3 = s3_root(s3_server, f"moves-{uid.lower()}", "deep/prefix")
    for new, region in ((str(tmp_path / "third"), None), (on_s3, "us-east-1"), (str(tmp_path / "fourth"), None)):
        carry(folder_of(old, s3_server), folder_of(new, s3_server))
        rewrite_root(instance.way, uid, new, region=region)
        found = assert_world_whole(instance.client, instance.world, {uid: new}, write=f"in-{new[-5:]}")
        assert not any(path.startswith(f"{old}/") for path in found["paths"].values())
        old = new


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_root_rewritten_before_its_files_are_there_breaks_every_artifact_of_it(
    database_kind: str, instance: Instance, tmp_path: Path
) -> None:
    uid = instance.location(str(tmp_path / "second"))["uid"]
    rewrite_root(instance.way, uid, str(tmp_path / "third"))
    problems = instance.client.run("check_world", world=instance.world, write=None)["problems"]
    broken = [each for each in instance.world["artifacts"] if each["storage_uid"] == uid]
    readable = [each for each in broken if each["is_latest"] or not each["_overwrite_versions"]]
    assert len([each for each in problems if "FileNotFoundError" in each]) == len(readable)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_without_its_marker_a_moved_location_works_and_is_nobodys(
    database_kind: str, instance: Instance, tmp_path: Path
) -> None:
    second, third = str(tmp_path / "second"), str(tmp_path / "third")
    uid = instance.location(second)["uid"]
    carry(Path(second), Path(third), marker=False)
    rewrite_root(instance.way, uid, third)
    problems = instance.client.run("check_world", world=instance.world, write="unmarked")["problems"]
    assert problems == [f"{third}: the marker says None, not {uid}"]


def test_the_artifacts_of_a_location_may_all_be_given_to_another(instance: Instance, tmp_path: Path) -> None:
    second, other = str(tmp_path / "second"), str(tmp_path / "other")
    source = instance.location(second)
    target = instance.client.run("register", root=other)
    mark = (Path(other) / MARKER).read_text()
    carry(Path(second), Path(other))
    (Path(other) / MARKER).write_text(mark)
    statement = "UPDATE lamindb_artifact SET storage_id = :target WHERE storage_id = :source"
    moved = [each for each in instance.world["artifacts"] if each["storage_uid"] == source["uid"]]
    assert execute(instance.way, statement, target=target["id"], source=source["id"]) == len(moved)
    for artifact in moved:
        artifact["storage_uid"] = target["uid"]
    instance.world["locations"] = [each for each in instance.world["locations"] if each != source] + [target]
    found = assert_world_whole(instance.client, instance.world)
    assert not any(path.startswith(f"{second}/") for path in found["paths"].values())


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_location_inside_a_moved_one_stays_where_it_is(
    database_kind: str, new_instance: NewInstance, tmp_path: Path
) -> None:
    second, third = tmp_path / "second", tmp_path / "third"
    instance = new_instance(str(tmp_path / "main"), fill=[str(second), str(second / "nested")])
    uid = instance.location(str(second))["uid"]
    carry(second / "nested", tmp_path / "aside")
    carry(second, third)
    carry(tmp_path / "aside", second / "nested")
    rewrite_root(instance.way, uid, str(third))
    assert_world_whole(instance.client, instance.world, {uid: str(third)})


@pytest.mark.parametrize("database_kind", ["sqlite"])
class TestALocationThatAnotherInstanceRefersTo:
    """The other instance has a row of its own: the same uid, and the root as it was."""

    @pytest.fixture
    def other(self, database_kind: str, instance: Instance, new_instance: NewInstance, tmp_path: Path) -> Instance:
        """An instance that registered one file of the first's second location."""
        made = new_instance(str(tmp_path / "other"))
        with made.client.session() as session:
            session.ask("register", root=str(tmp_path / "second"))
            made.world["uid"] = session.ask("adopt", path=str(tmp_path / "second/notes/real.txt"))
        return made

    def test_it_loses_its_artifacts_until_its_own_row_says_the_new_root(
        self, database_kind: str, instance: Instance, other: Instance, tmp_path: Path
    ) -> None:
        uid, new = instance.location(str(tmp_path / "second"))["uid"], str(tmp_path / "third")
        assert ask(other.way, "SELECT instance_uid FROM lamindb_storage WHERE uid = :uid", uid=uid) == [
            (instance.facts["uid"],)
        ]
        content = other.client.run("read", uid=other.world["uid"])
        carry(tmp_path / "second", Path(new))
        rewrite_root(instance.way, uid, new)
        with pytest.raises(ClientError, match="FileNotFoundError"):
            other.client.run("read", uid=other.world["uid"])
        rewrite_root(other.way, uid, new)
        assert other.client.run("read", uid=other.world["uid"]) == content


@pytest.mark.parametrize("database_kind", ["sqlite"])
class TestTheDefaultLocationOfASqliteInstance:
    """Its database moves with it."""

    def test_it_moves_when_the_settings_file_says_so(
        self, database_kind: str, instance: Instance, tmp_path: Path
    ) -> None:
        new = str(tmp_path / "new")
        uid = instance.location(str(tmp_path / "main"))["uid"]
        carry(tmp_path / "main", Path(new))
        rewrite_root(sqlite_way(new), uid, new)
        instance.client.edit_settings(storage_root=new)
        assert_world_whole(instance.client, instance.world, {uid: new})
        assert not (tmp_path / "main").exists()

    def test_a_stale_settings_file_makes_an_empty_database_where_the_old_one_was(
        self, database_kind: str, instance: Instance, tmp_path: Path
    ) -> None:
        new = str(tmp_path / "new")
        carry(tmp_path / "main", Path(new))
        rewrite_root(sqlite_way(new), instance.location(str(tmp_path / "main"))["uid"], new)
        with pytest.raises(ClientError, match="no such table"):
            instance.client.run("save", content="lost", key="lost.txt")
        assert isinstance(instance.way, SqliteWay)
        assert ask(instance.way, "SELECT count(*) FROM sqlite_master") == [(0,)]


@pytest.mark.parametrize("database_kind", ["postgresql"])
class TestTheDefaultLocationOfAPostgresqlInstance:
    """Its database stays where it is."""

    def test_it_moves_to_s3_when_the_settings_file_says_so(
        self, database_kind: str, instance: Instance, s3_server: S3Server, tmp_path: Path
    ) -> None:
        uid = instance.location(str(tmp_path / "main"))["uid"]
        new = s3_root(s3_server, f"default-{uid.lower()}")
        carry(tmp_path / "main", folder_of(new, s3_server))
        rewrite_root(instance.way, uid, new, region="us-east-1")
        instance.client.edit_settings(storage_root=new, storage_region="us-east-1")
        assert_world_whole(instance.client, instance.world, {uid: new})

    def test_a_stale_settings_file_breaks_the_artifacts_of_every_location(
        self, database_kind: str, instance: Instance, tmp_path: Path
    ) -> None:
        new = str(tmp_path / "new")
        carry(tmp_path / "main", Path(new))
        rewrite_root(instance.way, instance.location(str(tmp_path / "main"))["uid"], new)
        problems = instance.client.run("check_world", world=instance.world, write=None)["problems"]
        assert len([each for each in problems if "Storage matching query does not exist" in each]) == len(
            instance.world["artifacts"]
        )
