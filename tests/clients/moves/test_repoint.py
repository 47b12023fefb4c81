"""The portal re-points a location's artifacts to another one, and the real client notices nothing."""

from pathlib import Path

import pytest

from portal.errors import Refused
from tests.clients.instances import Instance, ask, assert_world_whole
from tests.clients.moves.conftest import Desk
from tests.clients.moves.test_rewrite import put_away


def told_apart(instance: Instance, source_uid: str, target: dict[str, object]) -> None:
    """Let the world say that the artifacts of one location are in another now."""
    for artifact in instance.world["artifacts"]:
        if artifact["storage_uid"] == source_uid:
            artifact["storage_uid"] = target["uid"]


def test_artifacts_are_repointed_and_back(desk: Desk, instance: Instance, tmp_path: Path) -> None:
    source = instance.location(str(tmp_path / "second"))
    target = instance.client.run("register", root=str(tmp_path / "other"))
    desk.attach(instance)
    made = desk.ready(source["uid"], target["uid"], strategy="repoint")
    desk.cut_over(made, "second")
    kept = put_away(str(tmp_path / "second"), tmp_path)
    moved = [each["uid"] for each in instance.world["artifacts"] if each["storage_uid"] == source["uid"]]
    told_apart(instance, source["uid"], target)
    locations = instance.world["locations"]
    instance.world["locations"] = [each for each in locations if each["uid"] != source["uid"]] + [target]
    assert_world_whole(instance.client, instance.world)
    kept.rename(tmp_path / "second")
    desk.roll_back(made)
    query = "SELECT a.uid FROM lamindb_artifact a JOIN lamindb_storage s ON s.id = a.storage_id WHERE s.uid = :uid"
    assert sorted(uid for (uid,) in ask(instance.way, query, uid=source["uid"])) == sorted(moved)
    assert ask(instance.way, query, uid=target["uid"]), "what was saved in the target since stays there"


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_default_location_with_its_database_can_be_emptied_into_a_bucket(
    database_kind: str, desk: Desk, instance: Instance, tmp_path: Path
) -> None:
    source = instance.location(str(tmp_path / "main"))
    name = f"emptied-{source['uid'].lower()}"
    _, folder = desk.moves.bucket(name)
    target = instance.client.run("register", root=f"s3://{name}/data?endpoint_url={desk.moves.s3.endpoint_url}")
    desk.attach(instance)
    desk.connect(target["uid"], name)
    desk.cut_over(desk.ready(source["uid"], target["uid"], strategy="repoint"), "main")
    told_apart(instance, source["uid"], target)
    instance.world["locations"].append(target)
    found = assert_world_whole(instance.client, instance.world)
    assert not any(path.startswith(f"{tmp_path}/main/") for path in found["paths"].values())
    assert not (folder / "data/.lamindb/lamin.db").exists()


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_it_is_refused_with_the_reason(database_kind: str, desk: Desk, instance: Instance, tmp_path: Path) -> None:
    source = instance.location(str(tmp_path / "second"))
    desk.attach(instance, is_read_only=True)
    with pytest.raises(Refused, match="may not write to lab/real") as refused:
        desk.plan(source["uid"], instance.location(str(tmp_path / "main"))["uid"], strategy="repoint")
    assert refused.value.hint
