"""The default location and keeping artifacts local: refused as LaminDB does, and what users change works for real."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.errors import Conflict, InputError, PermissionDenied, PortalError, Refused, RegistryChanged
from portal.lamindb.registry.ways import SqliteWay
from portal.models import Event, Reference, Storage
from portal.services.deletion import plan_deletion
from portal.services.instances import find_instance
from portal.services.register import RegisterLocal, register_local
from portal.services.registries.apply import take_over
from portal.services.registries.defaults import (
    DefaultsView,
    keep_local,
    list_choices,
    switch_default,
    view_defaults,
)
from portal.services.storages.edit import StorageEdit, edit_storage
from portal.values import Mode, ModeReason, StorageType
from tests.clients.conftest import NewInstance
from tests.clients.instances import Instance, World, execute
from tests.clients.registries.conftest import Desk
from tests.integration.command_line import CommandLine
from tests.integration.world import Portal
from tests.integration.world import World as People

ClientAs = Callable[[str | None], FlaskClient]


@pytest.fixture
def taken(attached: Desk) -> Desk:
    """An attached instance whose locations were all taken over."""
    take_over(attached.units(), attached.slug)
    return attached


@pytest.fixture
def uids(lamin_world: World) -> list[str]:
    """The locations, the first of which the client made the default."""
    return [str(each["uid"]) for each in lamin_world["locations"]]


def change(desk: Desk, uid: str, **values: object) -> None:
    """Change the portal's record behind its back."""
    with desk.portal.write_as("ada") as work:
        storage = work.session.scalars(select(Storage).where(Storage.uid == uid)).one()
        for name, value in values.items():
            setattr(storage, name, value)


def view(desk: Desk, handle: str = "ada") -> DefaultsView:
    with desk.portal.read_as(handle) as work:
        return view_defaults(work, find_instance(work, desk.slug))


def actions(desk: Desk) -> list[str]:
    with desk.portal.read_as("ada") as work:
        return [event.action for event in work.session.scalars(select(Event).order_by(Event.id))]


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_the_default_is_switched_on_postgresql(taken: Desk, uids: list[str]) -> None:
    first, second = uids[:2]
    assert switch_default(taken.units(), taken.slug, first).lines[0].endswith("/main")
    done = switch_default(taken.units(), taken.slug, second)
    assert done.default is not None
    assert (done.default.uid, done.lines[0]) == (second, f"lamindb_instance_storage_root={done.default.root}")
    assert actions(taken)[-2:] == ["storage.changed", "instance.default-switched"]
    count = len(actions(taken))
    switch_default(taken.units(), taken.slug, second)
    assert len(actions(taken)) == count, "nothing was changed"
    assert "default location" in " ".join(plan_deletion(taken.units(), second).refusals)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_the_default_of_a_sqlite_instance_is_where_its_database_lies(taken: Desk, uids: list[str]) -> None:
    assert isinstance(taken.way, SqliteWay)
    with pytest.raises(Refused, match=r"default of a SQLite instance is the root its database lies in"):
        switch_default(taken.units(), taken.slug, uids[1])
    with taken.portal.write_as("ada") as work, pytest.raises(InputError, match="SQLite instance"):
        edit_storage(work, uids[1], StorageEdit(is_default=True))
    # The copied database lies in a root of its own.
    root = taken.way.default_root
    execute(taken.way, "UPDATE lamindb_storage SET root = :root WHERE uid = :uid", root=root, uid=uids[0])
    take_over(taken.units(), taken.slug)
    done = switch_default(taken.units(), taken.slug, uids[0])
    assert (done.default and done.default.root, done.database_root) == (root, root)
    with taken.portal.write_as("ada") as work, pytest.raises(InputError, match="stays the default"):
        edit_storage(work, uids[0], StorageEdit(is_default=False))


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_new_location_does_not_take_the_default_from_a_sqlite_instance(
    desk: Desk, facts: dict[str, str], tmp_path: Path
) -> None:
    desk.attach(instance_id_hex=facts["id"])
    (tmp_path / "fresh").mkdir()
    with pytest.raises(InputError, match="without making it the default"):
        register_local(desk.units(), RegisterLocal(str(tmp_path / "fresh"), instance=desk.slug, is_default=True))
    assert not (tmp_path / "fresh/.lamindb/storage_uid.txt").exists()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (
            {"instance_id": None, "instance_uid": None, "mode": Mode.UNMANAGED},
            "is not managed by any instance; lab/atlas cannot write to it",
        ),
        (
            {"instance_id": None, "instance_uid": "SomebodyElse", "instance_slug": "acme/screens"},
            "belongs to another instance, acme/screens; lab/atlas cannot write to it",
        ),
        ({"branch_id": 0}, "archived or in the trash"),
        ({"mode": Mode.READ_ONLY, "mode_reason": ModeReason.NO_PUT}, "is read-only here"),
    ],
)
def test_what_lamindb_refuses_is_refused_with_its_reason(
    taken: Desk, uids: list[str], changed: dict[str, object], reason: str
) -> None:
    change(taken, uids[1], **changed)
    with taken.portal.read_as("ada") as work:
        choices, _ = list_choices(work, find_instance(work, taken.slug))
    [choice] = [each for each in choices if each.place.uid == uids[1]]
    assert reason in choice.why_not_default
    assert reason in choice.why_not_local
    for switch in (switch_default, keep_local):
        with pytest.raises(PortalError, match=reason):
            switch(taken.units(), taken.slug, uids[1])


def test_a_location_the_instance_has_no_row_for_is_refused(taken: Desk, uids: list[str]) -> None:
    with taken.portal.write_as("ada") as work:
        for reference in work.session.scalars(select(Reference).where(Reference.uid == uids[1])):
            work.session.delete(reference)
    for switch in (switch_default, keep_local):
        with pytest.raises(Refused, match="lab/atlas has no row for"):
            switch(taken.units(), taken.slug, uids[1])


def test_a_row_that_says_something_else_now_is_told(taken: Desk, uids: list[str]) -> None:
    execute(taken.way, "UPDATE lamindb_storage SET instance_uid = 'SomebodyElse' WHERE uid = :uid", uid=uids[1])
    with pytest.raises(RegistryChanged, match="written by SomebodyElse"):
        keep_local(taken.units(), taken.slug, uids[1])


def test_only_an_admin_switches(taken: Desk, uids: list[str]) -> None:
    for switch in (switch_default, keep_local):
        with pytest.raises(PermissionDenied):
            switch(taken.units("erik"), taken.slug, uids[1])
    assert not view(taken, "erik").may_change


def test_artifacts_are_kept_local_and_not_again(taken: Desk, uids: list[str]) -> None:
    done = keep_local(taken.units(), taken.slug, uids[1])
    assert (done.keeps_local, done.local and done.local.uid) == (True, uids[1])
    assert actions(taken)[-1] == "instance.keep-local-switched"
    assert "keeps its artifacts here" in " ".join(plan_deletion(taken.units(), uids[1]).refusals)
    done = keep_local(taken.units(), taken.slug, None)
    assert (done.keeps_local, done.local) == (False, None)


def test_a_place_for_artifacts_must_be_local_here_and_marked(taken: Desk, uids: list[str], tmp_path: Path) -> None:
    change(taken, uids[1], type=StorageType.S3)
    with pytest.raises(Refused, match="is not local"):
        keep_local(taken.units(), taken.slug, uids[1])
    change(taken, uids[1], type=StorageType.LOCAL, root=str(tmp_path))
    with pytest.raises(Refused, match="does not carry the uid"):
        keep_local(taken.units(), taken.slug, uids[1])
    with taken.portal.write_as("ada") as work:
        storage = work.session.scalars(select(Storage).where(Storage.uid == uids[1])).one()
        assert storage.host is not None
        storage.host.name = "far"
    with pytest.raises(Conflict, match="lies on the host far"):
        keep_local(taken.units(), taken.slug, uids[1])


def test_an_instance_that_is_not_attached_keeps_nothing_local(desk: Desk) -> None:
    with pytest.raises(Conflict, match="is not attached"):
        keep_local(desk.units(), desk.slug, None)


def test_the_page_tells_and_switches(taken: Desk, uids: list[str], client_as: ClientAs) -> None:
    browser, page = client_as("ada"), f"/instances/{taken.people.instance_uid}"
    change(taken, uids[0], is_default=True)
    assert "What each user changes" in browser.get(page).text
    assert "Keep artifacts here" in browser.get(f"{page}/default-storage").text
    done = browser.post(f"{page}/keep-local", data={"storage": uids[1]})
    assert (done.status_code, done.headers["Location"]) == (303, f"{page}/default-storage#each-user")
    shown = browser.get(f"{page}/default-storage").text
    assert "lamindb_instance_keep_artifacts_local=True" in shown
    assert "ln.settings.local_storage = " in shown
    assert browser.post(f"{page}/keep-local").status_code == 303
    assert not view(taken).keeps_local
    change(taken, uids[1], branch_id=0)
    refused = browser.post(f"{page}/default-storage", data={"storage": uids[1]})
    assert (refused.status_code, "is archived or in the trash" in refused.text) == (422, True)
    assert (
        "Change</a>" not in client_as("rita").get(page).text.partition('id="default-storage"')[2].partition("</sec")[0]
    )


def test_the_commands_tell_and_switch(taken: Desk, uids: list[str]) -> None:
    typing = CommandLine(taken.portal)
    assert typing.run("instance", "default", taken.slug).out == "Default: none\n"
    change(taken, uids[0], is_default=True)
    shown = typing.record("instance", "default", taken.slug)
    assert (shown["default"]["uid"], shown["keeps_local"]) == (uids[0], False)
    kept = typing.record("instance", "keep-local", taken.slug, "--on", uids[1])
    assert (kept["local"]["uid"], kept["lines"][2]) == (uids[1], "lamindb_instance_keep_artifacts_local=True")
    assert typing.run("instance", "keep-local", taken.slug).code == 2
    assert typing.record("instance", "keep-local", taken.slug, "--off")["local"] is None
    code = typing.run("instance", "default", taken.slug, uids[1]).code
    assert code == (1 if isinstance(taken.way, SqliteWay) else 0)


def attach_real(portal: Portal, people: People, instance: Instance) -> Desk:
    desk = Desk(portal, people, instance.way)
    assert desk.attach(instance_id_hex=instance.facts["id"]).uid is not None
    take_over(desk.units(), desk.slug)
    return desk


def run(instance: Instance, command: str) -> str:
    """Run what a user copies from the page, twice, and return what the settings file says then."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(instance.client.home)}
    environment["LAMIN_SETTINGS_DIR"] = str(instance.client.home / "settings")
    texts = []
    for _ in range(2):
        subprocess.run(["bash", "-c", command], env=environment, check=True, timeout=120, capture_output=True)
        texts.append(instance.client.settings_path.read_text())
    assert texts[0] == texts[1]
    return texts[0]


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_after_the_copied_command_the_real_client_saves_in_the_new_default(
    portal: Portal, world: People, new_instance: NewInstance, tmp_path: Path
) -> None:
    instance = new_instance(str(tmp_path / "main"))
    root = tmp_path / "it's $new & 50%"
    second = instance.client.run("register", root=str(root))
    desk = attach_real(portal, world, instance)
    mode = instance.client.settings_path.stat().st_mode
    before = len(instance.client.settings_path.read_text().splitlines())
    done = switch_default(desk.units(), desk.slug, second["uid"])
    text = run(instance, done.command)
    assert f"lamindb_instance_storage_root={root}\n" in text
    assert (len(text.splitlines()), instance.client.settings_path.stat().st_mode) == (before, mode)
    saved = instance.client.run("save", content="new", key="new.txt")
    assert Path(saved["path"]).is_relative_to(root)


def test_after_the_copied_command_the_real_client_keeps_artifacts_local(
    portal: Portal, world: People, new_instance: NewInstance, tmp_path: Path
) -> None:
    instance = new_instance(str(tmp_path / "main"))
    second = instance.client.run("register", root=str(tmp_path / "second"))
    desk = attach_real(portal, world, instance)
    with portal.write_as("ada") as work:
        storage = work.session.scalars(select(Storage).where(Storage.root == str(tmp_path / "main"))).one()
        edit_storage(work, storage.uid, StorageEdit(is_default=True))
    done = keep_local(desk.units(), desk.slug, second["uid"])
    assert "lamindb_instance_keep_artifacts_local=True\n" in run(instance, done.command)
    with instance.client.session() as session:
        session.ask("use_local", root=str(tmp_path / "second"))
        saved = session.ask("save", content="new", key="new.txt")
    assert Path(saved["path"]).is_relative_to(tmp_path / "second")
    run(instance, keep_local(desk.units(), desk.slug, None).command)
    saved = instance.client.run("save", content="newer", key="newer.txt")
    assert Path(saved["path"]).is_relative_to(tmp_path / "main")
