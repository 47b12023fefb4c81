"""The portal re-points a location's artifacts to another one, and the real client notices nothing."""

from pathlib import Path

import pytest

from portal.errors import Conflict, Refused
from portal.planning.states import MigrationState
from portal.services import migrations
from portal.services.checks import attempt_of
from portal.services.registries.compare import compare
from portal.services.storages import find_storage
from portal.services.storages.edit import StorageEdit, edit_storage
from portal.values import Branch
from tests.clients.instances import Instance, ask, assert_world_whole, execute
from tests.clients.moves.conftest import Desk
from tests.clients.moves.test_rewrite import put_away

#: Gives a location another root behind the portal's back.
RENAME = "UPDATE lamindb_storage SET root = :root WHERE uid = :uid"


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


def test_a_location_is_not_moved_away_while_artifacts_are_repointed_to_it(
    desk: Desk, instance: Instance, tmp_path: Path
) -> None:
    source = instance.location(str(tmp_path / "second"))
    target = instance.client.run("register", root=str(tmp_path / "other"))
    desk.attach(instance)
    made = desk.plan(source["uid"], target["uid"], strategy="repoint")
    with pytest.raises(Conflict, match=f"Migration {made} re-points artifacts to {tmp_path}/other"):
        desk.plan(target["uid"], str(tmp_path / "moved"))
    with desk.moves.portal.write_as("ada") as work, pytest.raises(Conflict, match="is being moved"):
        edit_storage(work, target["uid"], StorageEdit(branch=Branch.ARCHIVE))
    with desk.moves.portal.read_as("ada") as work:
        assert not attempt_of(work, find_storage(work, target["uid"])).may_try_writing
    execute(instance.way, RENAME, root=str(tmp_path / "moved"), uid=target["uid"])
    [difference] = compare(desk.units, desk.slug).differences
    assert (difference.uid, "being moved" in difference.why_not) == (target["uid"], True)
    execute(instance.way, RENAME, root=str(tmp_path / "other"), uid=target["uid"])
    desk.moves.wish(migrations.start, made)
    desk.cut_over(made, "second")
    put_away(str(tmp_path / "second"), tmp_path)
    told_apart(instance, source["uid"], target)
    locations = instance.world["locations"]
    instance.world["locations"] = [each for each in locations if each["uid"] != source["uid"]] + [target]
    assert_world_whole(instance.client, instance.world)


def test_artifacts_are_not_repointed_to_a_location_that_is_moving(
    desk: Desk, instance: Instance, tmp_path: Path
) -> None:
    source = instance.location(str(tmp_path / "second"))
    target = instance.client.run("register", root=str(tmp_path / "other"))
    desk.attach(instance)
    desk.plan(target["uid"], str(tmp_path / "moved"))
    with pytest.raises(Conflict, match="another migration"):
        desk.plan(source["uid"], target["uid"], strategy="repoint")


@pytest.mark.parametrize("where", ["the portal", "the instance"])
def test_artifacts_are_not_repointed_to_a_location_that_is_elsewhere_by_now(
    desk: Desk, instance: Instance, tmp_path: Path, where: str
) -> None:
    source = instance.location(str(tmp_path / "second"))
    target = instance.client.run("register", root=str(tmp_path / "other"))
    desk.attach(instance)
    made = desk.ready(source["uid"], target["uid"], strategy="repoint")

    def rename(root: str) -> None:
        if where == "the instance":
            execute(instance.way, RENAME, root=root, uid=target["uid"])
        else:
            with desk.moves.portal.write_as("ada") as work:
                find_storage(work, target["uid"]).root = root

    rename(f"{tmp_path}/moved")
    view = desk.moves.wish(migrations.request_cut_over, made, migrations.CutOver("second"))
    assert view.state is MigrationState.READY
    assert f"names the root {tmp_path}/moved now, not {tmp_path}/other." in view.message
    rename(f"{tmp_path}/other")
    instance.world["locations"].append(target)
    assert_world_whole(instance.client, instance.world, write=None)
    desk.cut_over(made, "second")


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_it_is_refused_with_the_reason(database_kind: str, desk: Desk, instance: Instance, tmp_path: Path) -> None:
    source = instance.location(str(tmp_path / "second"))
    desk.attach(instance, is_read_only=True)
    with pytest.raises(Refused, match="may not write to lab/real") as refused:
        desk.plan(source["uid"], instance.location(str(tmp_path / "main"))["uid"], strategy="repoint")
    assert refused.value.hint
