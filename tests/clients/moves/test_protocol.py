"""What a move of a real location takes care of besides the bytes."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from portal import database
from portal.errors import Conflict
from portal.lamindb.registry.fence import fence_deadline, lift_fence
from portal.lamindb.registry.opening import open_registry
from portal.models import Migration
from portal.planning.states import MigrationState
from portal.runner.drive import Drive
from portal.runner.jobs import Answer
from portal.runner.steps import step
from portal.services import migrations
from portal.services.migrations import registry_jobs, switch_jobs
from portal.services.migrations.certificate import get_certificate
from portal.services.registries.care import detach_instance
from portal.values import MARKER_KEY
from tests.clients.conftest import MakeInstance, NewInstance
from tests.clients.instances import Instance, ask, execute
from tests.clients.lamin import ClientError
from tests.clients.moves.conftest import Desk
from tests.clients.moves.test_kills import Killed, root_there, wish


@pytest.fixture
def roots(tmp_path: Path) -> tuple[str, str]:
    """The present root of the second location, and the one it moves to."""
    return str(tmp_path / "second"), str(tmp_path / "third")


@pytest.fixture
def uid(desk: Desk, instance: Instance, roots: tuple[str, str]) -> str:
    """The second location, with its instance attached."""
    desk.attach(instance)
    return str(instance.location(roots[0])["uid"])


def sweep_again(desk: Desk, migration: str) -> None:
    """Let the next look at the old root be due, and do it."""
    with desk.moves.row(migration) as row:
        row.sweep_at = datetime.now(UTC) - timedelta(seconds=1)
    desk.moves.drive()


def test_every_instance_that_refers_to_the_location_follows(
    desk: Desk, uid: str, roots: tuple[str, str], new_instance: NewInstance, instance: Instance, tmp_path: Path
) -> None:
    other = new_instance(str(tmp_path / "other"))
    with other.client.session() as session:
        session.ask("register", root=roots[0])
        adopted = session.ask("adopt", path=f"{roots[0]}/notes/real.txt")
    desk.attach(other, "lab/other")
    content = other.client.run("read", uid=adopted)
    migration = desk.ready(uid, roots[1])
    warnings = (desk.moves.view(migration).plan or {})["warnings"]
    assert any("lab/other refers to this location too" in words for words in warnings)
    desk.cut_over(migration, "second")
    Path(roots[0]).rename(tmp_path / "put away")
    assert root_there(other, uid) == root_there(instance, uid) == roots[1]
    assert other.client.run("read", uid=adopted) == content
    statement = get_certificate(desk.units, migration)["statement"]
    assert 0 < statement["lamindb"]["hash_checked_count"] <= statement["objects"]["moved_count"]
    switch = statement["switch"]
    parts = [(row["part"], row["fence"], row["name"]) for row in switch["instances"]]
    assert (switch["fence"], parts) == ("real", [("decides", "real", "lab/real"), ("follows", "real", None)])


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_an_unmanaged_location_moves_under_each_instances_own_uid(
    database_kind: str, desk: Desk, make_instance: MakeInstance, tmp_path: Path
) -> None:
    old, new = tmp_path / "shared", tmp_path / "elsewhere"
    old.mkdir()
    instances = [
        make_instance(kind, tmp_path / name, str(tmp_path / f"{name}-main"))
        for name, kind in (("first", "sqlite"), ("other", "postgresql"))
    ]
    uids, adopted = [], []
    for number, each in enumerate(instances):
        (old / f"{number}.txt").write_text(f"text {number}")
        with each.client.session() as session:
            uid = session.ask("register", root=str(old))["uid"]
            # As where the marker could not be written: neither instance manages it, and each gives a uid of its own.
            execute(each.way, "UPDATE lamindb_storage SET instance_uid = NULL WHERE uid = :uid", uid=uid)
            (old / MARKER_KEY).unlink()
            adopted.append(session.ask("adopt", path=str(old / f"{number}.txt")))
        uids.append(uid)
        desk.attach(each, f"lab/{each.client.home.name}")
    assert uids[0] != uids[1]
    made = desk.ready(uids[0], str(new))
    desk.cut_over(made, "shared")
    old.rename(tmp_path / "put away")
    assert [root_there(each, uid) for each, uid in zip(instances, uids, strict=True)] == [str(new)] * 2
    found = [each.client.run("read", uid=uid) for each, uid in zip(instances, adopted, strict=True)]
    assert found == ["text 0", "text 1"]
    assert not (new / MARKER_KEY).exists()


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_tab_of_artifacts_shows_those_of_each_instance_and_none_is_detached_in_a_move(
    database_kind: str, desk: Desk, uid: str, roots: tuple[str, str], new_instance: NewInstance, tmp_path: Path
) -> None:
    other = new_instance(str(tmp_path / "other"))
    Path(roots[0], "by-another.txt").write_text("by another")
    with other.client.session() as session:
        session.ask("register", root=roots[0])
        session.ask("adopt", path=f"{roots[0]}/by-another.txt")
    desk.attach(other, "lab/other")
    ada = desk.moves.portal.client_as("ada")
    of_first = ada.get(f"/storages/{uid}/artifacts").text
    assert '<select name="instance"' in of_first
    chosen = re.search(r'<option value="(\w+)"[^>]*>lab/other', of_first)
    assert chosen is not None, of_first
    assert ("notes/real.txt" in of_first, "by-another.txt" in of_first) == (True, False)
    of_other = ada.get(f"/storages/{uid}/artifacts?instance={chosen[1]}").text
    assert ("notes/real.txt" in of_other, "by-another.txt" in of_other) == (False, True)

    made = desk.plan(uid, roots[1])
    for slug, name in (("lab/real", "real"), ("lab/other", "other")):
        with desk.moves.portal.write_as("ada") as work, pytest.raises(Conflict, match="is being moved"):
            detach_instance(work, slug, name)
    wish(desk, migrations.cancel, made)
    desk.moves.drive()
    for slug, name in (("lab/real", "real"), ("lab/other", "other")):
        with desk.moves.portal.write_as("ada") as work:
            assert detach_instance(work, slug, name) == slug


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_what_a_stale_session_still_writes_is_brought_over(
    database_kind: str, desk: Desk, uid: str, roots: tuple[str, str]
) -> None:
    migration = desk.ready(uid, roots[1])
    desk.cut_over(migration, "second")
    late = Path(roots[0], ".lamindb/straggler0000000000.txt")
    late.write_text("saved by a session that had not noticed")
    Path(roots[0], "notes/real.txt").unlink()
    sweep_again(desk, migration)
    assert Path(roots[1], ".lamindb", late.name).read_text() == late.read_text()
    assert Path(roots[1], "notes/real.txt").exists()
    sweep = (desk.moves.view(migration).plan or {})["sweep"]
    assert (sweep["brought"], sweep["is_clean"], sweep["deleted"]) == (1, False, ["notes/real.txt"])
    with pytest.raises(Conflict, match="still wrote to the old root"):
        wish(desk, migrations.release, migration)
    sweep_again(desk, migration)
    desk.moves.let_it_be_quiet(migration)
    wish(desk, migrations.release, migration)
    assert desk.moves.state(migration) is MigrationState.RELEASED


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_an_open_session_is_held_off_and_what_it_writes_too_late_is_found(
    database_kind: str, desk: Desk, instance: Instance, tmp_path: Path
) -> None:
    new = str(tmp_path / "new")
    desk.attach(instance)
    migration = desk.ready(str(instance.location(str(tmp_path / "main"))["uid"]), new)
    with instance.client.session() as session:
        session.ask("save", content="in time", key="in-time.txt")
        wish(desk, migrations.request_cut_over, migration, migrations.CutOver("main"))
        desk.moves.drive_while(lambda: not is_fenced(desk, migration))
        with pytest.raises(ClientError, match=r"is moving from .* Writing is held off until"):
            session.ask("save", content="refused", key="refused.txt")
        desk.moves.drive()
        assert desk.moves.state(migration) is MigrationState.SOAKING
        straggler = session.ask("save", content="late", key="late.txt")
    assert straggler["path"].startswith(str(tmp_path / "main"))
    sweep_again(desk, migration)
    instance.client.edit_settings(storage_root=new)
    assert instance.client.run("read", uid=straggler["uid"]) == "late"


def is_fenced(desk: Desk, migration: str) -> bool:
    """Tell whether the fence is up; for use within an app context."""
    row = database.db.session.scalars(
        select(Migration).where(Migration.uid == migration), execution_options={"populate_existing": True}
    ).one()
    database.db.session.rollback()
    return bool((row.plan or {}).get("fence_until"))


def test_a_runner_that_was_overtaken_decides_nothing(
    desk: Desk, uid: str, roots: tuple[str, str], instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = desk.ready(uid, roots[1])
    run, seen = Drive.run, list[str]()

    def overtaken(drive: Drive, call: Callable[..., Any], *arguments: Any, **named: Any) -> Answer:
        if call is not switch_jobs.change_row or seen:
            return run(drive, call, *arguments, **named)
        # It slept right before it decides, and another has taken its lease.
        desk.moves.end_lease(migration)
        desk.moves.take("portal-host/2").stop_others()
        try:
            return run(drive, call, *arguments, **named)
        finally:
            seen.append(root_there(instance, uid))

    monkeypatch.setattr(Drive, "run", overtaken)
    desk.moves.wish(migrations.request_cut_over, migration, migrations.CutOver("second"))
    assert seen == [roots[0]]
    assert desk.moves.state(migration) is MigrationState.FENCED
    desk.moves.end_lease(migration)
    desk.moves.drive()
    assert desk.moves.state(migration) is MigrationState.SOAKING
    assert root_there(instance, uid) == roots[1]


def begin_cut_over(desk: Desk, migration: str, name: str) -> None:
    """Ask for a cut-over, and let a runner go as far as the fence."""
    wish(desk, migrations.request_cut_over, migration, migrations.CutOver(name, registry_changed=True))
    desk.moves.drive_while(lambda: not is_fenced(desk, migration))


def look_before(job: str, look: Callable[[], bool], patch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that tells what was true each time right before a runner did a job."""
    run, seen = Drive.run, list[bool]()

    def look_first(drive: Drive, call: Callable[..., Any], *arguments: Any, **named: Any) -> Answer:
        if call.__name__ == job:
            seen.append(look())
        return run(drive, call, *arguments, **named)

    patch.setattr(Drive, "run", look_first)
    return seen


@pytest.fixture
def unmanaged(desk: Desk, make_instance: MakeInstance, tmp_path: Path) -> tuple[Instance, str]:
    """An attached instance that refers to a location that none writes to, so that the portal decides; and its uid."""
    root = tmp_path / "shared"
    root.mkdir()
    (root / "0.txt").write_text("text")
    made = make_instance("sqlite", tmp_path / "first", str(tmp_path / "first-main"))
    with made.client.session() as session:
        uid = session.ask("register", root=str(root))["uid"]
        execute(made.way, "UPDATE lamindb_storage SET instance_uid = NULL WHERE uid = :uid", uid=uid)
        (root / MARKER_KEY).unlink()
        session.ask("adopt", path=str(root / "0.txt"))
    desk.attach(made, "lab/first")
    return made, str(uid)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_fence_that_was_lifted_before_a_kill_is_raised_again_by_the_next_cut_over(
    database_kind: str, desk: Desk, unmanaged: tuple[Instance, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance, uid = unmanaged
    migration = desk.ready(uid, str(tmp_path / "elsewhere"))
    begin_cut_over(desk, migration, "shared")
    assert is_held_off(instance, uid)
    run = Drive.run

    def killed_after_lifting(drive: Drive, call: Callable[..., Any], *arguments: Any, **named: Any) -> Answer:
        answer = run(drive, call, *arguments, **named)
        if call is registry_jobs.lift_fences:
            raise Killed
        return answer

    with desk.moves.portal.app.app_context(), pytest.MonkeyPatch.context() as patch:
        drive = desk.moves.take()
        drive.trouble("The server went away.")
        patch.setattr(Drive, "run", killed_after_lifting)
        with pytest.raises(Killed):
            step(drive)
    assert not is_held_off(instance, uid)
    desk.moves.end_lease(migration)
    seen = look_before("copy_marker", lambda: is_held_off(instance, uid), monkeypatch)
    view = desk.moves.wish(migrations.request_cut_over, migration, migrations.CutOver("shared", registry_changed=True))
    assert view.state is MigrationState.SOAKING, view.message
    assert seen == [True]
    assert get_certificate(desk.units, migration)["statement"]["switch"]["fence"] == "real"
    assert not is_held_off(instance, uid)


def test_a_fence_that_was_to_be_lifted_when_the_portal_was_killed_is_lifted_by_the_next_runner(
    desk: Desk, uid: str, roots: tuple[str, str], instance: Instance
) -> None:
    migration = desk.ready(uid, roots[1])
    begin_cut_over(desk, migration, "second")

    def killed_before_lifting(drive: Drive, call: Callable[..., Any], *arguments: Any, **named: Any) -> Answer:
        raise Killed

    with desk.moves.portal.app.app_context(), pytest.MonkeyPatch.context() as patch:
        drive = desk.moves.take()
        drive.trouble("The server went away.")
        patch.setattr(Drive, "run", killed_before_lifting)
        with pytest.raises(Killed):
            step(drive)
    assert is_held_off(instance, uid)
    desk.moves.end_lease(migration)
    desk.moves.drive()
    assert desk.moves.state(migration) is MigrationState.READY
    assert not is_held_off(instance, uid)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_an_instance_attached_while_writers_are_held_off_is_held_off_too(
    desk: Desk,
    uid: str,
    roots: tuple[str, str],
    new_instance: NewInstance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = new_instance(str(tmp_path / "other"))
    with other.client.session() as session:
        session.ask("register", root=roots[0])
    migration = desk.ready(uid, roots[1])
    begin_cut_over(desk, migration, "second")
    desk.attach(other, "lab/other")
    seen = look_before("change_row", lambda: is_held_off(other, uid), monkeypatch)
    desk.moves.drive()
    assert desk.moves.state(migration) is MigrationState.SOAKING
    assert seen == [True, True]
    assert root_there(other, uid) == roots[1]
    switch = get_certificate(desk.units, migration)["statement"]["switch"]
    assert (switch["fence"], [row["fence"] for row in switch["instances"]]) == ("real", ["real", "real"])
    assert not is_held_off(other, uid)


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("job", ["copy_marker", "change_row"])
def test_an_instance_attached_right_before_the_switch_is_held_off_or_the_certificate_says_that_it_was_not(
    job: str,
    desk: Desk,
    uid: str,
    roots: tuple[str, str],
    new_instance: NewInstance,
    tmp_path: Path,
) -> None:
    other = new_instance(str(tmp_path / "other"))
    with other.client.session() as session:
        session.ask("register", root=roots[0])
    migration = desk.ready(uid, roots[1])
    attached = list[bool]()

    def attach_once() -> bool:
        if not attached:
            attached.append(True)
            desk.attach(other, "lab/other")
        return True

    with pytest.MonkeyPatch.context() as patch:
        look_before(job, attach_once, patch)
        desk.cut_over(migration, "second")
    is_in_time = job == "copy_marker"
    switch = get_certificate(desk.units, migration)["statement"]["switch"]
    parts = [(row["part"], row["fence"], row["why_soft"]) for row in switch["instances"]]
    late = ("by_hand", "soft", "It was attached after writers were held off.")
    assert parts == [("decides", "real", ""), ("follows", "real", "") if is_in_time else late]
    assert switch["fence"] == ("real" if is_in_time else "soft")
    assert root_there(other, uid) == roots[1 if is_in_time else 0]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_fence_that_cannot_be_raised_everywhere_stays_nowhere(
    desk: Desk,
    uid: str,
    roots: tuple[str, str],
    new_instance: NewInstance,
    instance: Instance,
    tmp_path: Path,
) -> None:
    other = new_instance(str(tmp_path / "other"))
    with other.client.session() as session:
        session.ask("register", root=roots[0])
    desk.attach(other, "lab/other")
    migration = desk.ready(uid, roots[1])
    with open_registry(other.way, writes=True) as connection:
        connection.exec_driver_sql("SELECT 1")  # somebody keeps writing
        view = desk.moves.wish(migrations.request_cut_over, migration, migrations.CutOver("second"))
    assert (view.state, "could not be raised" in view.message) == (MigrationState.READY, True), view.message
    assert not is_held_off(instance, uid)


def test_a_rollback_that_was_decided_before_a_kill_goes_on_though_nobody_is_held_off_any_more(
    desk: Desk, uid: str, roots: tuple[str, str], instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = desk.ready(uid, roots[1])
    desk.cut_over(migration, "second")
    run = Drive.run

    def killed_once_it_is_decided(drive: Drive, call: Callable[..., Any], *arguments: Any, **named: Any) -> Answer:
        answer = run(drive, call, *arguments, **named)
        if call is switch_jobs.change_row:
            raise Killed
        return answer

    def busy(drive: Drive, call: Callable[..., Any], *arguments: Any, **named: Any) -> Answer:
        if call in {registry_jobs.find_uploads, registry_jobs.raise_fences}:
            return Answer(None, "Another program is writing to it.")
        return run(drive, call, *arguments, **named)

    monkeypatch.setattr(Drive, "run", killed_once_it_is_decided)
    with pytest.raises(Killed):
        desk.moves.wish(migrations.request_rollback, migration)
    assert root_there(instance, uid) == roots[0]
    desk.moves.end_lease(migration)
    monkeypatch.setattr(Drive, "run", busy)
    desk.moves.drive()
    assert desk.moves.state(migration) is MigrationState.ROLLED_BACK
    assert desk.moves.storage(uid).root == roots[0]
    assert not is_held_off(instance, uid)


def test_a_fence_that_is_over_by_the_clock_of_a_database_is_none(
    desk: Desk, uid: str, roots: tuple[str, str], instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = desk.ready(uid, roots[1])
    run = Drive.run

    def raised_an_hour_ago(drive: Drive, call: Callable[..., Any], *arguments: Any, **named: Any) -> Answer:
        if call is registry_jobs.raise_fences:
            doors, until, reason = arguments
            arguments = (doors, until - timedelta(hours=1), reason)
        return run(drive, call, *arguments, **named)

    monkeypatch.setattr(Drive, "run", raised_an_hour_ago)
    view = desk.moves.wish(migrations.request_cut_over, migration, migrations.CutOver("second"))
    assert (view.state, "the fence is over already" in view.message) == (MigrationState.READY, True), view.message
    assert root_there(instance, uid) == roots[0]


def lacks(desk: Desk, migration: str, name: str) -> bool:
    """Tell whether something is not in the plan yet."""
    return not (desk.moves.view(migration).plan or {}).get(name)


def test_what_was_written_while_a_fence_was_gone_comes_along(
    desk: Desk, uid: str, roots: tuple[str, str], instance: Instance
) -> None:
    migration = desk.ready(uid, roots[1])
    for service, given, key, target in (
        (migrations.request_cut_over, (migrations.CutOver("second"),), "is_clean", roots[1]),
        (migrations.request_rollback, (), "clean_back", roots[0]),
    ):
        wish(desk, service, migration, *given)
        desk.moves.drive_while(partial(lacks, desk, migration, key))
        with open_registry(instance.way, writes=True) as connection:
            lift_fence(connection, row_id_of(instance, uid))
        present = root_there(instance, uid)
        Path(present, f"{key}.txt").write_text("written while nobody was held off")
        with pytest.MonkeyPatch.context() as patch:
            seen = look_before("change_row", lambda: is_held_off(instance, uid), patch)
            desk.moves.drive()
        assert seen == [True]
        assert root_there(instance, uid) == target
        assert Path(target, f"{key}.txt").exists()
    assert desk.moves.state(migration) is MigrationState.ROLLED_BACK


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_rot_is_found_before_it_is_copied(
    database_kind: str, desk: Desk, uid: str, roots: tuple[str, str], instance: Instance
) -> None:
    file, folder = Path(roots[0], "notes/real.txt"), Path(roots[0], "folders/real")
    file.write_bytes(file.read_bytes()[::-1])
    (folder / "added since").write_text("not recorded")
    migration = desk.plan(uid, roots[1])
    view = desk.moves.wish(migrations.start, migration)
    assert (view.state, view.message) == (
        MigrationState.NEEDS_ATTENTION,
        "Objects not as LaminDB recorded them: 1.",
    )
    assert not Path(roots[1], "notes/real.txt").exists()
    with desk.moves.portal.read_as("ada") as work:
        [shown] = migrations.get_page(work, migration).exceptions
    assert (shown.kind, shown.key) == ("rotten", "notes/real.txt")
    file.write_bytes(file.read_bytes()[::-1])
    view = desk.moves.wish(migrations.retry, migration)
    assert view.state is MigrationState.NEEDS_ATTENTION
    assert "1 folder is not as LaminDB recorded" in view.message
    folder_alone = lambda work, uid: migrations.retry_objects(work, uid, keys=("folders/real/",))  # noqa: E731 - a wish
    view = desk.moves.wish(folder_alone, migration)
    assert "1 folder is not as LaminDB recorded" in view.message or "recorded them: 1" in view.message
    with desk.moves.portal.read_as("ada") as work:
        [shown] = migrations.get_page(work, migration).exceptions
    assert (shown.kind, shown.key) == ("rotten", "folders/real/")
    (folder / "added since").rename(folder.parent / "put away")
    view = desk.moves.wish(folder_alone, migration)
    assert view.state is MigrationState.READY, view.message
    assert not Path(roots[1], "folders/real/added since").exists()
    (folder.parent / "put away").rename(folder / "added since")
    desk.moves.wish(migrations.retry, migration)
    with desk.moves.portal.write_as("ada") as work:
        migrations.retry(work, migration, takes_rot=True)
    desk.moves.drive()
    assert desk.moves.state(migration) is MigrationState.READY
    assert Path(roots[1], "folders/real/added since").exists()


def test_an_upload_that_has_not_ended_holds_up_the_cut_over(
    desk: Desk, uid: str, roots: tuple[str, str], instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = desk.ready(uid, roots[1])
    flag = """UPDATE lamindb_artifact SET _aux = :aux WHERE key = 'notes/real.txt'
        AND storage_id = (SELECT id FROM lamindb_storage WHERE uid = :uid)"""
    assert execute(instance.way, flag, aux='{"so": 1}', uid=uid) == 1
    # Next to no time is left to the fence, so that the test need not wait for its end.
    monkeypatch.setattr("portal.runner.fencing.MARGIN", timedelta(minutes=29, seconds=58))
    view = desk.moves.wish(migrations.request_cut_over, migration, migrations.CutOver("second"))
    assert view.state is MigrationState.READY
    assert "Uploads did not end" in view.message
    assert "notes/real.txt" in view.message
    assert root_there(instance, uid) == roots[0]
    assert not is_held_off(instance, uid)
    execute(instance.way, flag, aux=None, uid=uid)
    monkeypatch.undo()
    desk.cut_over(migration, "second")
    assert root_there(instance, uid) == roots[1]
    assert not is_held_off(instance, uid)


def is_held_off(instance: Instance, uid: str) -> bool:
    """Tell whether a fence of ours is in the instance's database."""
    with open_registry(instance.way) as connection:
        return fence_deadline(connection, row_id_of(instance, uid)) is not None


def row_id_of(instance: Instance, uid: str) -> int:
    [(row_id,)] = ask(instance.way, "SELECT id FROM lamindb_storage WHERE uid = :uid", uid=uid)
    return int(row_id)


def test_a_row_that_was_changed_under_us_is_not_switched(
    desk: Desk, uid: str, roots: tuple[str, str], instance: Instance
) -> None:
    migration = desk.ready(uid, roots[1])
    statement = "UPDATE lamindb_storage SET root = :root WHERE uid = :uid"
    execute(instance.way, statement, root="/somewhere/else", uid=uid)
    view = desk.moves.wish(migrations.request_cut_over, migration, migrations.CutOver("second"))
    assert view.state is MigrationState.READY
    assert "/somewhere/else" in view.message
    assert desk.moves.storage(uid).root == roots[0]
    assert ask(instance.way, "SELECT root FROM lamindb_storage WHERE uid = :uid", uid=uid) == [("/somewhere/else",)]
    execute(instance.way, statement, root=roots[0], uid=uid)
    desk.cut_over(migration, "second")


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_plan_lists_what_nothing_refers_to_and_what_is_missing(
    database_kind: str, desk: Desk, uid: str, roots: tuple[str, str]
) -> None:
    Path(roots[0], "by hand").mkdir()
    Path(roots[0], "by hand/notes.md").write_text("nobody registered this")
    Path(roots[0], "notes/real.txt").unlink()
    migration = desk.ready(uid, roots[1], leaves_unreferenced=True)
    warnings = " ".join((desk.moves.view(migration).plan or {})["warnings"])
    assert "by hand/notes.md" in warnings
    assert "Registered and not there" in warnings
    assert "notes/real.txt" in warnings
    assert not Path(roots[1], "by hand").exists()
    assert Path(roots[1], "notes/empty.txt").exists()


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_look_at_the_old_root_leaves_behind_what_a_person_left_behind(
    database_kind: str, desk: Desk, uid: str, roots: tuple[str, str]
) -> None:
    Path(roots[0], "by hand.md").write_text("nobody registered this")
    migration = desk.ready(uid, roots[1], leaves_unreferenced=True)
    desk.cut_over(migration, "second")
    sweep_again(desk, migration)
    assert not Path(roots[1], "by hand.md").exists()
    assert (desk.moves.view(migration).plan or {})["sweep"]["is_clean"]
