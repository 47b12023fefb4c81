"""What a move is refused over: at once by the portal, or by the runner that looks at both sides."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from portal.errors import Conflict, InputError, NotFound, PermissionDenied, PortalError, Refused
from portal.planning.states import MigrationState as State
from portal.runner.drive import Drive, Interrupted
from portal.runner.jobs import inspect
from portal.services import migrations, server_grants
from portal.services.connect import ConnectS3
from portal.services.migrations import NewMigration
from portal.values import MARKER_KEY
from tests.integration.move_fixtures import bucket_name, executor, marker_of, moves, source
from tests.integration.moves import OBJECTS, Moves, contents, fill, picture
from tests.integration.roots import connect_as
from tests.integration.world import World

__all__ = ["bucket_name", "executor", "moves", "source"]

pytestmark = [pytest.mark.timeout(300), pytest.mark.parametrize("database_kind", ["sqlite"])]


def create(moves: Moves, uid: str, target: object, handle: str = "ada", **values: Any) -> str:
    with moves.portal.write_as(handle) as work:
        return migrations.create_migration(work, NewMigration(uid, str(target), **values)).id


def test_it_refuses_a_root_that_holds_the_database_of_an_instance(moves: Moves, source: Path, local_base: Path) -> None:
    fill(source, {".lamindb/lamin.db": b"SQLite format 3\0"})
    view = moves.view(moves.plan(moves.register(source), local_base / "new"))
    assert (view.state, "lamin.db" in view.message) == (State.FAILED, True)
    assert contents(local_base / "new") == {}


def test_it_refuses_a_target_that_is_marked_by_another_location(moves: Moves, source: Path, local_base: Path) -> None:
    fill(local_base / "new", {MARKER_KEY: marker_of("SomebodyElse")})
    before = picture(local_base / "new")
    view = moves.view(moves.plan(moves.register(source), local_base / "new"))
    assert (view.state, "SomebodyElse of lab/atlas" in view.message) == (State.FAILED, True)
    assert picture(local_base / "new") == before


def test_a_move_that_is_cancelled_leaves_no_empty_folder_of_its_own(moves: Moves, local_base: Path) -> None:
    (local_base / "empty").mkdir()
    (local_base / "theirs").mkdir()
    uid = moves.register(local_base / "empty")
    made = moves.copy(uid, local_base / "theirs/not there/new")
    assert (local_base / "theirs/not there/new").is_dir()
    assert moves.wish(migrations.cancel, made).state is State.CANCELLED
    assert list((local_base / "theirs").iterdir()) == []
    made = moves.copy(uid, local_base / "theirs/not there/new")
    (local_base / "theirs/not there/since").write_text("somebody's")
    assert moves.wish(migrations.cancel, made).state is State.CANCELLED
    assert [path.name for path in (local_base / "theirs/not there").iterdir()] == ["since"]


@pytest.mark.parametrize("is_there", [False, True])
def test_a_plan_that_is_cancelled_leaves_the_target_as_it_was(
    moves: Moves, source: Path, local_base: Path, is_there: bool
) -> None:
    if is_there:
        (local_base / "new").mkdir()
    made = moves.plan(moves.register(source), local_base / "new")
    assert (local_base / "new").is_dir()
    with moves.portal.write_as("ada") as work:
        asked = migrations.cancel(work, made)
    assert (asked.state, asked.wish) == (State.PLANNED, "cancel"), "a runner tidies up first"
    moves.drive()
    view = moves.view(made)
    assert (view.state, view.message) == (State.CANCELLED, "Cancelled before anything was copied.")
    assert (local_base / "new").exists() is is_there
    assert not is_there or list((local_base / "new").iterdir()) == []


def test_a_plan_that_left_nothing_is_cancelled_at_once(
    moves: Moves, source: Path, bucket_name: Callable[[], str]
) -> None:
    root, _ = moves.bucket(bucket_name())
    made = moves.plan(moves.register(source), root)
    with moves.portal.write_as("ada") as work:
        assert migrations.cancel(work, made).state is State.CANCELLED


def test_a_cancel_in_mid_check_leaves_no_folder(
    moves: Moves, source: Path, local_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(moves, moves.register(source), local_base / "new")
    run = Drive.run

    def interrupted(drive: Drive, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        answer = run(drive, call, *arguments, **named)
        if call is inspect:
            with moves.portal.write_as("ada") as work:
                migrations.cancel(work, made)
            raise Interrupted
        return answer

    monkeypatch.setattr(Drive, "run", interrupted)
    moves.drive()
    assert moves.state(made) is State.CANCELLED
    assert not (local_base / "new").exists()


def test_a_look_that_fails_leaves_no_folder_either(moves: Moves, source: Path, local_base: Path) -> None:
    fill(source, {".lamindb/lamin.db": b"SQLite format 3\0"})
    assert moves.state(moves.plan(moves.register(source), local_base / "new")) is State.FAILED
    assert not (local_base / "new").exists()


def test_it_takes_a_target_that_carries_its_own_marker(moves: Moves, source: Path, local_base: Path) -> None:
    uid = moves.register(source)
    fill(local_base / "new", {MARKER_KEY: marker_of(uid)})
    assert moves.state(moves.plan(uid, local_base / "new")) is State.PLANNED


def test_another_registered_root_inside_stays_where_it_is(moves: Moves, source: Path, local_base: Path) -> None:
    uid = moves.register(source)
    moves.register(source / "raw")
    made = moves.copy(uid, local_base / "target")
    view = moves.view(made)
    assert view.state is State.READY
    assert any("stay where they are: raw/" in warning for warning in (view.plan or {})["warnings"])
    assert set(contents(local_base / "target")) == {key for key in OBJECTS if not key.startswith("raw/")}


@pytest.mark.parametrize("target", ["source", "source/inside", "taken", "taken/inside", "."])
def test_it_refuses_a_target_that_shares_objects_with_a_registered_root(
    moves: Moves, world: World, source: Path, local_base: Path, target: str
) -> None:
    uid = moves.register(source)
    moves.register(local_base / "taken", instance_id=world.instance_id)
    with pytest.raises((Conflict, Refused)) as caught:
        create(moves, uid, local_base / target)
    assert caught.value.field == "target_root"


def test_it_takes_a_folder_of_a_root_that_nobody_writes_to_but_not_one_around_it(
    moves: Moves, source: Path, local_base: Path
) -> None:
    uid = moves.register(source)
    moves.register(local_base / "whole")
    moves.register(local_base / "around" / "inner")
    with pytest.raises(Conflict, match="inside the target"):
        create(moves, uid, local_base / "around")
    view = moves.view(moves.plan(uid, local_base / "whole" / "atlas"))
    assert view.state is State.PLANNED
    warning = f"The root lies inside {local_base}/whole. Objects below both are seen twice."
    assert warning in (view.plan or {})["warnings"]


def test_it_refuses_a_target_that_another_migration_moves_to(moves: Moves, source: Path, local_base: Path) -> None:
    uid = moves.register(source)
    fill(local_base / "other")
    other = moves.register(local_base / "other")
    create(moves, other, local_base / "new")
    with pytest.raises(Conflict, match="another migration"):
        create(moves, uid, local_base / "new" / "inside")


def test_a_bucket_that_a_move_goes_to_is_not_connected_to_write_inside(
    moves: Moves, source: Path, bucket_name: Callable[[], str]
) -> None:
    root, folder = moves.bucket(bucket_name())
    fill(folder, {"atlas/raw/a.txt": b"a"})
    made = create(moves, moves.register(source), f"s3://{root.bucket}/atlas")
    with moves.portal.read_as("ada") as work:
        connection = next(row.uid for row in migrations.list_target_connections(work) if row.name == root.bucket)
    new = ConnectS3(f"s3://{root.bucket}/atlas/raw", str(root.endpoint_url), connection_uid=connection)
    with pytest.raises(Conflict, match=f"which migration {made} moves to"):
        connect_as(moves.portal, "ada", replace(new, instance="lab/atlas"))
    with pytest.raises(Conflict, match="is taken"):
        connect_as(moves.portal, "ada", replace(new, root=f"s3://{root.bucket}/atlas"))
    assert connect_as(moves.portal, "ada", new).uid


def test_it_refuses_a_second_live_migration_and_a_locked_location(moves: Moves, source: Path, local_base: Path) -> None:
    uid = moves.register(source)
    made = create(moves, uid, local_base / "new")
    with pytest.raises(Conflict, match="moves already"):
        create(moves, uid, local_base / "newer")
    with moves.portal.write_as("ada") as work:
        assert migrations.cancel(work, made).state is State.CANCELLED
    locked = moves.register(local_base / "locked", is_locked=True)
    with pytest.raises(Conflict, match="is locked"):
        create(moves, locked, local_base / "newer")


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("/etc/portal", Refused),
        ("gs://bucket/folder", Refused),
        ("s3://nobodys-bucket", Refused),
        ("", InputError),
        ("/data/.lamindb/x", InputError),
    ],
)
def test_it_refuses_a_target_that_cannot_be_one(
    moves: Moves, source: Path, target: str, error: type[PortalError]
) -> None:
    uid = moves.register(source)
    with pytest.raises(error):
        create(moves, uid, target)


def test_it_refuses_a_directory_on_a_host_nobody_knows(moves: Moves, source: Path) -> None:
    with pytest.raises(InputError, match="No host is named elsewhere"):
        create(moves, moves.register(source), "/data/new", target_host="elsewhere")


def test_only_an_admin_of_the_location_who_may_use_the_target_plans_a_move(
    moves: Moves, world: World, local_base: Path, bucket_name: Callable[[], str]
) -> None:
    fill(local_base / "cells")
    uid = moves.register(local_base / "cells", instance_id=world.instance_id, instance_uid=world.instance_uid)
    for handle in ("erik", "rita"):
        with pytest.raises(PermissionDenied):
            create(moves, uid, local_base / "new", handle)
    with pytest.raises(NotFound):
        create(moves, uid, local_base / "new", "otto")
    root, _ = moves.bucket(bucket_name())
    with moves.portal.read_as("ada") as work:
        connection = migrations.list_target_connections(work)[0].uid
    own = moves.register_for("erik", local_base / "own")
    with pytest.raises(NotFound):
        create(moves, own, root, "erik", target_connection_uid=connection)
    with pytest.raises(Refused, match="None of your connections"):
        create(moves, own, root, "erik")


def test_a_directory_of_the_server_is_a_target_only_for_whom_an_admin_opened_it(moves: Moves, local_base: Path) -> None:
    fill(local_base / "own")
    own = moves.register_for("erik", local_base / "own")
    with pytest.raises(Refused, match="not open to you"):
        create(moves, own, local_base / "new", "erik")
    with moves.portal.write_as("ada") as work:
        root = server_grants.parse_grant_root(work.settings, str(local_base))
        server_grants.grant(work, "erik", root)
    create(moves, own, local_base / "new", "erik")


def test_a_connection_serves_as_target_only_what_it_may(
    moves: Moves, source: Path, bucket_name: Callable[[], str]
) -> None:
    root, _ = moves.bucket(bucket_name())
    uid = moves.register(source)
    with moves.portal.read_as("ada") as work:
        connection = next(row.uid for row in migrations.list_target_connections(work) if row.name == root.bucket)
    with pytest.raises(Refused, match="may serve"):
        create(moves, uid, "s3://another-bucket/x", target_connection_uid=connection)
    made = create(moves, uid, f"s3://{root.bucket}/atlas", target_connection_uid=connection)
    assert moves.view(made).target_root == f"s3://{root.bucket}/atlas?endpoint_url={root.endpoint_url}"
