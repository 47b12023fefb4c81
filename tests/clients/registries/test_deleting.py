"""Deleting a location of an attached instance: LaminDB's refusals in its order; row, marker and record go, or none."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.errors import Conflict, InputError, PortalError, Refused
from portal.lamindb.registry.ways import PostgresWay, SqliteWay, Way
from portal.models import Event, Instance, Reference, Registry, Storage
from portal.services import removals
from portal.services.checks import run_checks
from portal.services.deletion import Wish, delete_storage, execution, plan_deletion
from portal.services.register import RegisterLocal, register_local
from portal.services.registries.apply import take_over
from portal.services.registries.attach import AttachInstance, attach_instance
from portal.services.storages.edit import set_lock
from portal.services.units import Units
from portal.values import CheckStatus, Mode, ModeReason
from tests.clients.conftest import NewInstance
from tests.clients.instances import World, ask, execute, plain_url, postgres_way
from tests.clients.registries.conftest import Desk, given
from tests.integration.command_line import CommandLine
from tests.integration.world import Portal
from tests.integration.world import World as People

ClientAs = Callable[[str | None], FlaskClient]

#: The uid that follows from an instance id of zeros.
INSTANCE_0 = "6FzkxtOpgftZ"

ROW = "SELECT * FROM lamindb_storage WHERE uid = :uid"


@pytest.fixture
def fresh(desk: Desk, facts: dict[str, str], tmp_path: Path) -> tuple[Desk, str, Path]:
    """An attached instance with an empty location that was made in the portal: the desk, its uid and its folder."""
    assert desk.attach(instance_id_hex=facts["id"]).uid is not None
    folder = tmp_path / "fresh"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    uid = register_local(desk.units(), RegisterLocal(str(folder), instance=desk.slug, owner="lab")).uid
    assert uid is not None
    return desk, uid, folder


def marker(folder: Path) -> Path:
    return folder / ".lamindb/storage_uid.txt"


def is_known(desk: Desk, uid: str) -> bool:
    with desk.portal.read_as("ada") as work:
        return work.session.scalar(select(Storage.id).where(Storage.uid == uid)) is not None


def later(desk: Desk) -> Units:
    """Return ada's units of work three minutes from now."""
    at = datetime.now(UTC) + timedelta(minutes=3)
    return Units(lambda: desk.portal.read_as("ada", at), lambda: desk.portal.write_as("ada", at))


def test_row_marker_and_record_go_and_user_files_stay(fresh: tuple[Desk, str, Path]) -> None:
    desk, uid, folder = fresh
    plan = plan_deletion(desk.units(), uid)
    assert (plan.refusals, [kind.count for kind in plan.kinds]) == ((), [0, 0, 1])
    done = delete_storage(desk.units(), uid, "fresh")
    assert (done.removed_from, done.kept_in) == (("lab/atlas",), ())
    assert ask(desk.way, ROW, uid=uid) == []
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["mine.txt"]
    assert not is_known(desk, uid)


def test_artifacts_of_every_branch_refuse_it_and_are_named(attached: Desk, lamin_world: World) -> None:
    take_over(attached.units(), attached.slug)
    uid = lamin_world["locations"][1]["uid"]
    count = len([each for each in lamin_world["artifacts"] if each["storage_uid"] == uid])
    plan = plan_deletion(attached.units(), uid)
    assert plan.kinds[0].count == count
    assert len(plan.kinds[0].examples) == 5
    assert plan.refusals[0].startswith(f"lab/atlas has {count} artifacts here, those in trash and archive counted.")
    assert plan.refusals[1].startswith("Not empty: ")
    with pytest.raises(Conflict, match="artifacts here"):
        delete_storage(attached.units(), uid, plan.confirm_with)
    row_id = lamin_world["locations"][1]["id"]
    execute(attached.way, "UPDATE lamindb_artifact SET branch_id = -1 WHERE storage_id = :id", id=row_id)
    plan = plan_deletion(attached.units(), uid)
    assert (plan.kinds[0].count, plan.kinds[0].examples[0].endswith("(in the trash)")) == (count, True)


def test_the_default_location_comes_after_the_objects(attached: Desk, lamin_world: World) -> None:
    take_over(attached.units(), attached.slug)
    uid = lamin_world["locations"][0]["uid"]
    with attached.portal.write_as("ada") as work:
        storage = work.session.scalars(select(Storage).where(Storage.uid == uid)).one()
        storage.is_default = True
        set_lock(work, uid, True)
    artifacts, objects, default, locked = plan_deletion(attached.units(), uid).refusals
    assert "artifacts here" in artifacts
    assert "in .lamindb/" in objects
    assert "default location" in default
    assert "locked" in locked


def test_no_soft_delete(fresh: tuple[Desk, str, Path]) -> None:
    desk, uid, _ = fresh
    with pytest.raises(Refused, match="softly"):
        delete_storage(desk.units(), uid, "fresh", Wish(permanent=False))
    assert is_known(desk, uid)


def test_an_instance_attached_read_only_refuses_with_the_reason(fresh: tuple[Desk, str, Path]) -> None:
    desk, uid, folder = fresh
    with desk.portal.write_as("ada") as work:
        work.session.scalars(select(Registry)).one().why_read_only = "Its schema is newer than this portal knows."
    with pytest.raises(Conflict, match=r"attached read-only: Its schema is newer than this portal knows\."):
        delete_storage(desk.units(), uid, "fresh")
    assert marker(folder).exists()


def test_a_database_that_does_not_answer_refuses_it(fresh: tuple[Desk, str, Path]) -> None:
    desk, uid, _ = fresh
    if isinstance(desk.way, SqliteWay):
        Path(desk.way.path).rename(Path(desk.way.path).with_suffix(".away"))
    else:
        with desk.portal.write_as("ada") as work:
            registry = work.session.scalars(select(Registry)).one()
            assert isinstance(desk.way, PostgresWay)
            gone = f"{desk.way.url.rpartition('/')[0]}/nothing"
            registry.url_encrypted = work.vault.encrypt(gone).decode()
    with pytest.raises(Conflict, match="cannot be shown to have no artifacts in lab/atlas"):
        delete_storage(desk.units(), uid, "fresh")


def test_a_row_that_says_something_else_refuses_it(fresh: tuple[Desk, str, Path]) -> None:
    desk, uid, folder = fresh
    execute(desk.way, "UPDATE lamindb_storage SET instance_uid = 'SomebodyElse' WHERE uid = :uid", uid=uid)
    with pytest.raises(Conflict, match="names SomebodyElse as the one that writes"):
        delete_storage(desk.units(), uid, "fresh")
    assert marker(folder).exists()


def fail(*_given: object) -> None:
    raise Conflict("The power went.")


@pytest.mark.parametrize(
    ("where", "name"), [(removals, "delete_kept"), (execution, "_delete_record"), (execution, "remove_marker")]
)
def test_what_was_removed_is_put_back_exactly_when_a_later_step_fails(
    fresh: tuple[Desk, str, Path], where: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, uid, folder = fresh
    odd = marker(folder).read_text() + "\na line of somebody's own\n"
    marker(folder).write_text(odd)
    before = ask(desk.way, ROW, uid=uid)
    with monkeypatch.context() as patch:
        patch.setattr(where, name, fail)
        with pytest.raises(Conflict, match=r"The power went\. Nothing was deleted; what had been removed was put back"):
            delete_storage(desk.units(), uid, "fresh")
    assert ask(desk.way, ROW, uid=uid) == before
    assert marker(folder).read_text() == odd
    assert plan_deletion(desk.units(), uid).broken_off == ""
    delete_storage(desk.units(), uid, "fresh")
    assert ask(desk.way, ROW, uid=uid) == []


class Killed(BaseException):
    """The process ends here: nothing after it runs."""


def kill(*_given: object) -> None:
    raise Killed


KILLED_AT = [(execution, "remove_marker"), (execution, "remove_rows"), (execution, "_delete_record")]


@pytest.fixture(params=KILLED_AT, ids=[name for _, name in KILLED_AT])
def broken(
    request: pytest.FixtureRequest, fresh: tuple[Desk, str, Path], monkeypatch: pytest.MonkeyPatch
) -> tuple[Desk, str, Path]:
    """A deletion whose process was killed before a step."""
    desk, uid, _ = fresh
    where, name = request.param
    with monkeypatch.context() as patch:
        patch.setattr(where, name, kill)
        patch.setattr(execution, "put_back", lambda *_: ())
        with pytest.raises(Killed):
            delete_storage(desk.units(), uid, "fresh")
    return fresh


def test_killed_in_between_the_next_try_ends_it(broken: tuple[Desk, str, Path]) -> None:
    desk, uid, folder = broken
    assert plan_deletion(desk.units(), uid).broken_off == "ada"
    delete_storage(desk.units(), uid, "fresh")
    assert ask(desk.way, ROW, uid=uid) == []
    assert not marker(folder).exists()
    assert not is_known(desk, uid)


def test_killed_in_between_the_checks_put_everything_back(broken: tuple[Desk, str, Path]) -> None:
    desk, uid, folder = broken
    assert run_checks(desk.units(), uid).results[0].status is CheckStatus.SKIPPED, "it may still be going on"
    batch = run_checks(later(desk), uid)
    assert (batch.results[0].name, batch.results[0].status) == ("deletion", CheckStatus.WARNING)
    assert "put back" in batch.results[0].reason
    assert {check.name for check in batch.results} >= {"marker", "put"}
    assert len(ask(desk.way, ROW, uid=uid)) == 1
    assert marker(folder).read_text().startswith(f"{uid}\n")
    assert [check.name for check in run_checks(later(desk), uid).results if check.name == "deletion"] == []


def test_what_is_killed_and_then_fails_puts_all_of_it_back(
    broken: tuple[Desk, str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, uid, folder = broken
    with monkeypatch.context() as patch:
        patch.setattr(execution, "_delete_record", fail)
        with pytest.raises(Conflict, match="put back"):
            delete_storage(desk.units(), uid, "fresh")
    assert len(ask(desk.way, ROW, uid=uid)) == 1
    assert marker(folder).read_text().startswith(f"{uid}\n")


def test_a_row_that_is_changed_at_the_last_moment_stays(
    fresh: tuple[Desk, str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, uid, folder = fresh
    real = removals.remove_rows

    def change(units: Units, removal: Any) -> None:
        execute(desk.way, "UPDATE lamindb_storage SET description = 'Theirs' WHERE uid = :uid", uid=uid)
        real(units, removal)

    monkeypatch.setattr(execution, "remove_rows", change)
    with pytest.raises(PortalError, match=r"changed meanwhile: description.*put back"):
        delete_storage(desk.units(), uid, "fresh")
    assert len(ask(desk.way, ROW, uid=uid)) == 1
    assert marker(folder).exists()


def test_the_event_of_the_beginning_holds_what_goes(fresh: tuple[Desk, str, Path]) -> None:
    desk, uid, _ = fresh
    delete_storage(desk.units(), uid, "fresh")
    with desk.portal.read_as("ada") as work:
        events = work.session.scalars(select(Event).where(Event.target_uid == uid).order_by(Event.id)).all()
        assert [event.action for event in events][-2:] == ["storage.deletion-begun", "storage.deleted"]
        kept = events[-2].after or {}
        assert kept["marker"][1].startswith(uid)
        assert kept["rows"][0]["row"]["uid"] == uid
        json.dumps(kept)


@pytest.fixture
def two(fresh: tuple[Desk, str, Path], request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Desk, str, Way]:
    """A second attached instance, whose row for the location is only a reference."""
    desk, uid, _ = fresh
    way = copied(desk.way, request, tmp_path)
    other = AttachInstance("lab/other", **given(way), instance_id_hex="0" * 32)  # type: ignore[arg-type]  # by name
    execute(way, "UPDATE lamindb_storage SET instance_uid = :uid WHERE uid <> :own", uid=INSTANCE_0, own=uid)
    attached = attach_instance(desk.units(), other)
    assert attached.uid is not None, attached.examination.error
    [(row_id,)] = ask(way, "SELECT id FROM lamindb_storage WHERE uid = :uid", uid=uid)
    with desk.portal.write_as("ada") as work:
        storage = work.session.scalars(select(Storage).where(Storage.uid == uid)).one()
        instance = work.session.scalars(select(Instance).where(Instance.slug == "lab/other")).one()
        reference = Reference(
            instance_id=instance.id, storage_id=storage.id, row_id=row_id, uid=uid, root=storage.root, seen_at=work.now
        )
        work.session.add(reference)
    return desk, uid, way


def copied(way: Way, request: pytest.FixtureRequest, tmp_path: Path) -> Way:
    """Return the way to one more copy of a database."""
    if isinstance(way, SqliteWay):
        path = tmp_path / "other/.lamindb/lamin.db"
        path.parent.mkdir(parents=True)
        shutil.copyfile(way.path, path)
        return SqliteWay(str(path))
    server = request.getfixturevalue("postgres_server")
    return postgres_way(plain_url(server.new_database(template=way.url.rpartition("/")[2])))


def test_other_instances_keep_their_rows_unless_chosen(two: tuple[Desk, str, Way]) -> None:
    desk, uid, other = two
    [row] = plan_deletion(desk.units(), uid).other_rows
    assert (row.slug, row.may_go) == ("lab/other", True)
    done = delete_storage(desk.units(), uid, "fresh")
    assert (done.removed_from, done.kept_in) == (("lab/atlas",), ("lab/other",))
    assert (ask(desk.way, ROW, uid=uid), len(ask(other, ROW, uid=uid))) == ([], 1)


def test_chosen_rows_of_other_instances_go_too(two: tuple[Desk, str, Way]) -> None:
    desk, uid, other = two
    with pytest.raises(InputError, match="lab/third keeps its row"):
        delete_storage(desk.units(), uid, "fresh", Wish(also=("lab/third",)))
    done = delete_storage(desk.units(), uid, "fresh", Wish(also=("lab/other",)))
    assert (done.removed_from, done.kept_in) == (("lab/atlas", "lab/other"), ())
    assert (ask(desk.way, ROW, uid=uid), ask(other, ROW, uid=uid)) == ([], [])


def test_when_the_second_instance_fails_the_first_gets_its_row_back(two: tuple[Desk, str, Way]) -> None:
    desk, uid, other = two
    before = ask(desk.way, ROW, uid=uid)
    if isinstance(other, SqliteWay):
        execute(other, "CREATE TRIGGER t BEFORE DELETE ON lamindb_storage BEGIN SELECT RAISE(ABORT, 'no'); END")
    else:
        execute(other, "CREATE RULE r AS ON DELETE TO lamindb_storage DO INSTEAD SELECT 1/0")
    with pytest.raises(PortalError, match="put back"):
        delete_storage(desk.units(), uid, "fresh", Wish(also=("lab/other",)))
    assert ask(desk.way, ROW, uid=uid) == before
    assert len(ask(other, ROW, uid=uid)) == 1


def test_artifacts_in_another_instance_refuse_it(two: tuple[Desk, str, Way]) -> None:
    desk, uid, other = two
    [(row_id,)] = ask(other, "SELECT id FROM lamindb_storage WHERE uid = :uid", uid=uid)
    first = "(SELECT min(id) FROM lamindb_artifact)"
    execute(other, f"UPDATE lamindb_artifact SET storage_id = :id WHERE id = {first}", id=row_id)
    with pytest.raises(Conflict, match="lab/other has 1 artifact here"):
        delete_storage(desk.units(), uid, "fresh")
    assert len(ask(desk.way, ROW, uid=uid)) == 1


def test_of_a_location_nobody_here_writes_to_only_the_chosen_row_goes(two: tuple[Desk, str, Way]) -> None:
    desk, uid, _ = two
    with desk.portal.write_as("ada") as work:
        storage = work.session.scalars(select(Storage).where(Storage.uid == uid)).one()
        storage.instance_id, storage.instance_uid = None, "SomebodyElse"
        storage.mode, storage.mode_reason = Mode.READ_ONLY, ModeReason.FOREIGN
        folder = Path(storage.root)
    (folder / ".lamindb/theirs.csv").write_text("theirs")
    done = delete_storage(desk.units(), uid, "fresh", Wish(also=("lab/atlas",)))
    assert (done.removed_from, done.kept_in) == (("lab/atlas",), ("lab/other",))
    assert ask(desk.way, ROW, uid=uid) == []
    assert marker(folder).exists()


def test_a_managed_location_that_is_read_only_here_keeps_its_objects_and_loses_row_and_marker_together(
    fresh: tuple[Desk, str, Path],
) -> None:
    desk, uid, folder = fresh
    with desk.portal.write_as("ada") as work:
        storage = work.session.scalars(select(Storage).where(Storage.uid == uid)).one()
        storage.mode, storage.mode_reason = Mode.READ_ONLY, ModeReason.BY_CHOICE
    (folder / ".lamindb/0123.csv").write_text("data")
    with pytest.raises(Conflict, match="Not empty"):
        delete_storage(desk.units(), uid, "fresh")
    (folder / ".lamindb/0123.csv").unlink()
    delete_storage(desk.units(), uid, "fresh")
    assert (ask(desk.way, ROW, uid=uid), marker(folder).exists()) == ([], False)


def test_the_page_links_what_is_in_the_way(attached: Desk, lamin_world: World, client_as: ClientAs) -> None:
    take_over(attached.units(), attached.slug)
    uid = lamin_world["locations"][1]["uid"]
    page = client_as("ada").get(f"/storages/{uid}/delete").text
    assert "It cannot be deleted yet." in page
    assert f'href="/storages/{uid}/artifacts' in page.partition("Artifacts that refer to it")[2]
    assert "Delete the location" not in page


def test_the_page_offers_rows_of_other_instances(two: tuple[Desk, str, Way], client_as: ClientAs) -> None:
    desk, uid, other = two
    browser = client_as("ada")
    page = browser.get(f"/storages/{uid}/delete").text
    assert "The row in lab/atlas goes" in page
    assert "Delete the row in lab/other too" in page
    wrong = browser.post(f"/storages/{uid}/delete", data={"confirm": "else", "also": "lab/other"})
    assert wrong.status_code == 422
    assert 'value="lab/other" checked' in wrong.text
    done = browser.post(f"/storages/{uid}/delete", data={"confirm": "fresh", "also": "lab/other"})
    assert done.status_code == 303
    assert (ask(desk.way, ROW, uid=uid), ask(other, ROW, uid=uid)) == ([], [])


def test_the_command_names_whose_rows_go(two: tuple[Desk, str, Way]) -> None:
    desk, uid, other = two
    typing = CommandLine(desk.portal)
    assert typing.run("storage", "delete", uid, "--confirm", "fresh", "--no-permanent").code == 1
    gone = typing.record("storage", "delete", uid, "--confirm", "fresh", "--also", "lab/other")
    assert (gone["removed_from"], gone["kept_in"]) == (["lab/atlas", "lab/other"], [])
    assert (ask(desk.way, ROW, uid=uid), ask(other, ROW, uid=uid)) == ([], [])


def test_the_real_client_sees_it_gone_and_takes_the_root_anew(
    portal: Portal, world: People, new_instance: NewInstance, tmp_path: Path
) -> None:
    instance = new_instance(str(tmp_path / "main"))
    root = tmp_path / "second"
    old = instance.client.run("register", root=str(root))
    desk = Desk(portal, world, instance.way)
    assert desk.attach(instance_id_hex=instance.facts["id"]).uid is not None
    take_over(desk.units(), desk.slug)
    delete_storage(desk.units(), old["uid"], "second")
    with instance.client.session() as session:
        assert root not in map(Path, session.ask("locations").values())
        anew = session.ask("register", root=str(root))
        saved = session.ask("save", content="new", key="new.txt", storage_uid=anew["uid"])
    assert anew["uid"] != old["uid"]
    assert Path(saved["path"]).is_relative_to(root)
    assert marker(root).read_text().startswith(f"{anew['uid']}\n")
