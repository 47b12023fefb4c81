"""The portal rewrites a location's root, and the real client notices nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from portal.errors import RegistryChanged
from portal.lamindb.registry import fence
from portal.planning.states import MigrationState
from portal.runner.drive import Drive
from portal.runner.jobs import Answer, guarded
from portal.services import migrations
from portal.services.migrations import switch_jobs
from tests.clients.conftest import NewInstance
from tests.clients.instances import Instance, ask, assert_world_whole, execute, s3_root, sqlite_way
from tests.clients.lamin import ClientError
from tests.clients.moves.conftest import Desk
from tests.clients.moves.test_kills import is_sealed, root_there
from tests.clients.moving import folder_of


def put_away(root: str, tmp_path: Path) -> Path:
    """Take the old root from under everybody's feet."""
    tmp_path.mkdir(parents=True, exist_ok=True)
    aside = tmp_path / "put away"
    Path(root).rename(aside)
    return aside


def test_a_location_moves_from_disk_to_disk_and_back(desk: Desk, instance: Instance, tmp_path: Path) -> None:
    old, new = str(tmp_path / "second"), str(tmp_path / "third")
    uid = instance.location(old)["uid"]
    desk.attach(instance)
    made = desk.ready(uid, new)
    desk.cut_over(made, "second")
    aside = put_away(old, tmp_path)
    assert_world_whole(instance.client, instance.world, {uid: new})
    aside.rename(old)
    desk.roll_back(made)
    put_away(new, tmp_path)
    assert_world_whole(instance.client, instance.world, {uid: old}, write="after the way back")


def test_a_location_moves_to_a_bucket_to_another_and_home_again(desk: Desk, instance: Instance, tmp_path: Path) -> None:
    old, home = str(tmp_path / "second"), str(tmp_path / "home")
    uid = instance.location(old)["uid"]
    buckets = [f"{place}-{uid.lower()}" for place in ("first", "other")]
    for name in buckets:
        desk.moves.bucket(name)
    desk.attach(instance)
    first, other = (s3_root(desk.moves.s3, name, "deep/prefix") for name in buckets)
    query = "SELECT type, region FROM lamindb_storage WHERE uid = :uid"
    for present, new, row in (
        (old, first, ("s3", "us-east-1")),
        (first, other, ("s3", "us-east-1")),
        (other, home, ("local", "portal-host")),
    ):
        migration = desk.ready(uid, new)
        desk.cut_over(migration, desk.confirmation(migration))
        desk.release(migration)
        put_away(str(folder_of(present, desk.moves.s3)), tmp_path / present.replace("/", "-"))
        assert ask(instance.way, query, uid=uid) == [row]
        assert_world_whole(instance.client, instance.world, {uid: new}, write=f"in {row[0]} {new[-6:]}")


@pytest.mark.full
def test_a_large_file_moves_too(desk: Desk, new_instance: NewInstance, tmp_path: Path) -> None:
    """Above 50 MiB LaminDB hashes the two ends, and uploads go in parts."""
    instance = new_instance(str(tmp_path / "main"))
    old = str(tmp_path / "large")
    instance.fill(old, big=True)
    uid = instance.location(old)["uid"]
    name = f"large-{uid.lower()}"
    desk.moves.bucket(name)
    desk.attach(instance)
    desk.cut_over(desk.ready(uid, f"s3://{name}"), "large")
    put_away(old, tmp_path)
    assert_world_whole(instance.client, instance.world, {uid: s3_root(desk.moves.s3, name)})


@contextmanager
def fence_that_ends_before_the_decision() -> Iterator[None]:
    """Let the fence be over once a moved database is published, right before it is decided."""
    run, require = Drive.run, fence.require_fence
    seen = list[int]()

    def require_at_first(connection: Any, row_id: int) -> None:
        seen.append(row_id)
        if len(seen) > 1:
            raise RegistryChanged("The fence has lifted itself: artifacts may have been written since.")
        require(connection, row_id)

    def run_here(drive: Drive, call: Callable[..., Any], *arguments: Any, **named: Any) -> Answer:
        if call is not switch_jobs.move_database:
            return run(drive, call, *arguments, **named)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fence, "require_fence", require_at_first)
            return guarded(call, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Drive, "run", run_here)
        yield
    assert len(seen) == 2, "nothing was published"


class TestTheDefaultLocation:
    """The settings file on every user's machine names it, and a SQLite database lies in it."""

    @pytest.mark.parametrize("database_kind", ["sqlite"])
    def test_it_moves_with_its_database_and_back(
        self, database_kind: str, desk: Desk, instance: Instance, tmp_path: Path
    ) -> None:
        old, new = str(tmp_path / "main"), str(tmp_path / "moved")
        uid = instance.location(old)["uid"]
        desk.attach(instance)
        made = desk.ready(uid, new)
        desk.cut_over(made, "main")
        with pytest.raises(ClientError, match="has moved with its storage location"):
            instance.client.run("save", content="lost", key="lost.txt")
        instance.client.edit_settings(storage_root=new)
        aside = put_away(old, tmp_path)
        assert_world_whole(instance.client, instance.world, {uid: new})
        aside.rename(old)
        desk.roll_back(made)
        instance.client.edit_settings(storage_root=old)
        put_away(new, tmp_path)
        assert_world_whole(instance.client, instance.world, write="after the way back")

    @pytest.mark.parametrize("database_kind", ["sqlite"])
    def test_one_of_its_two_databases_takes_writes_though_a_switch_fails_after_it_published_one(
        self, database_kind: str, desk: Desk, instance: Instance, tmp_path: Path
    ) -> None:
        old, new = str(tmp_path / "main"), str(tmp_path / "moved")
        uid = instance.location(old)["uid"]
        desk.attach(instance)
        made = desk.ready(uid, new)
        with fence_that_ends_before_the_decision():
            view = desk.moves.wish(migrations.request_cut_over, made, migrations.CutOver("main"))
        assert view.state is MigrationState.READY, view.message
        assert (is_sealed(old), is_sealed(new)) == (False, True)
        desk.cut_over(made, "main")
        assert (is_sealed(old), is_sealed(new)) == (True, False)
        with fence_that_ends_before_the_decision():
            view = desk.moves.wish(migrations.request_rollback, made)
        assert view.state is MigrationState.SOAKING, view.message
        assert (is_sealed(old), is_sealed(new)) == (True, False)
        with pytest.raises(ClientError, match="is not in use yet"):
            instance.client.run("save", content="lost", key="lost.txt")
        desk.roll_back(made)
        assert (is_sealed(old), is_sealed(new)) == (False, True)
        assert len(list(Path(old, ".lamindb").glob("lamin.db.sealed-*"))) == 1
        assert not list(Path(new, ".lamindb").glob("lamin.db.sealed-*"))
        assert_world_whole(instance.client, instance.world, write="after the way back")

    @pytest.mark.parametrize("database_kind", ["sqlite"])
    def test_a_database_that_somebody_opened_at_the_old_root_is_not_replaced(
        self, database_kind: str, desk: Desk, instance: Instance, tmp_path: Path
    ) -> None:
        old, new = str(tmp_path / "main"), str(tmp_path / "moved")
        uid = instance.location(old)["uid"]
        desk.attach(instance)
        made = desk.ready(uid, new)
        desk.cut_over(made, "main")
        before = Path(old, ".lamindb/lamin.db").read_bytes()
        for (name,) in ask(sqlite_way(old), "SELECT name FROM sqlite_master WHERE name GLOB 'storage_portal_seal_*'"):
            execute(sqlite_way(old), f"DROP TRIGGER {name}")
        instance.client.run("save", content="not lost", key="written-at-the-old-root.txt")
        view = desk.moves.wish(migrations.request_rollback, made)
        assert (view.state, "takes writes" in view.message) == (MigrationState.SOAKING, True), view.message
        query = "SELECT count(*) FROM lamindb_artifact WHERE key = 'written-at-the-old-root.txt'"
        assert ask(sqlite_way(old), query) == [(1,)]
        Path(old, ".lamindb/lamin.db").write_bytes(before)  # a person has looked at it, and put the sealed one back
        desk.roll_back(made)
        assert_world_whole(instance.client, instance.world, write="after the way back")

    @pytest.mark.parametrize("database_kind", ["sqlite"])
    def test_a_worker_that_slept_does_not_open_a_database_that_has_moved_on(
        self, database_kind: str, desk: Desk, instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old, new = str(tmp_path / "main"), str(tmp_path / "moved")
        uid = instance.location(old)["uid"]
        desk.attach(instance)
        made = desk.ready(uid, new)
        run, slept = Drive.run, list[tuple[Any, ...]]()

        def keep(drive: Drive, call: Callable[..., Any], *arguments: Any, **named: Any) -> Answer:
            if call is switch_jobs.open_database:
                slept.append(arguments)
            return run(drive, call, *arguments, **named)

        monkeypatch.setattr(Drive, "run", keep)
        desk.cut_over(made, "main")
        desk.roll_back(made)
        assert len(slept) == 2
        for arguments in slept:
            assert guarded(switch_jobs.open_database, *arguments) == Answer(False)
        assert (is_sealed(old), is_sealed(new)) == (False, True)
        assert root_there(instance, uid) == old

    @pytest.mark.parametrize("database_kind", ["sqlite"])
    def test_its_database_cannot_go_into_a_bucket(
        self, database_kind: str, desk: Desk, instance: Instance, tmp_path: Path
    ) -> None:
        uid = instance.location(str(tmp_path / "main"))["uid"]
        desk.moves.bucket("no-database-here")
        desk.attach(instance)
        view = desk.moves.view(desk.plan(uid, "s3://no-database-here/main"))
        assert view.state is MigrationState.FAILED
        assert "a bucket cannot hold it in use" in view.message
        assert "Re-point the artifacts" in view.hint

    @pytest.mark.parametrize("database_kind", ["postgresql"])
    def test_a_postgresql_instance_keeps_its_database(
        self, database_kind: str, desk: Desk, instance: Instance, tmp_path: Path
    ) -> None:
        old = str(tmp_path / "main")
        uid = instance.location(old)["uid"]
        name = f"default-{uid.lower()}"
        desk.moves.bucket(name)
        desk.attach(instance)
        desk.cut_over(desk.ready(uid, f"s3://{name}/main"), "main")
        new = s3_root(desk.moves.s3, name, "main")
        instance.client.edit_settings(storage_root=new, storage_region="us-east-1")
        put_away(old, tmp_path)
        assert_world_whole(instance.client, instance.world, {uid: new})
