"""What people see of a move of a real instance, from the choice of the strategy to what is left for them."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from portal.cli import migration_records
from portal.planning.states import MigrationState as State
from portal.services import migrations
from tests.clients.instances import Instance
from tests.clients.moves.conftest import Desk
from tests.integration.command_line import CommandLine


@pytest.fixture
def database_kind() -> str:
    """One kind of database is enough here: pages say the same of both, but for a database that moves."""
    return "sqlite"


@pytest.fixture
def ada(desk: Desk) -> FlaskClient:
    return desk.moves.portal.client_as("ada")


def text_of(client: FlaskClient, url: str) -> str:
    """Return a page's words, without markup and with single spaces."""
    answer = client.get(url)
    assert answer.status_code == 200, answer.text
    plain = re.sub(r"<[^>]+>", " ", answer.text).replace("&#39;", "'").replace("&#34;", '"').replace("&lt;", "<")
    return re.sub(r"\s+", " ", plain)


def test_the_form_offers_both_ways_and_says_which_fits(
    desk: Desk, ada: FlaskClient, instance: Instance, tmp_path: Path
) -> None:
    source, main = instance.location(str(tmp_path / "second")), instance.location(str(tmp_path / "main"))
    desk.attach(instance)
    page = ada.get(f"/storages/{source['uid']}/move").text
    assert f'<option selected value="{main["uid"]}">' in page
    assert "Leave behind objects that no artifact refers to" in page
    assert "Does not fit here." not in page
    chosen = {"strategy": "repoint", "target_storage": main["uid"], "leaves_unreferenced": "y"}
    made = ada.post(f"/storages/{source['uid']}/move", data=chosen)
    assert made.status_code == 303, made.text
    view = desk.moves.view(made.headers["Location"].rsplit("/", 1)[-1])
    assert (view.strategy, view.target_storage_uid, view.leaves_unreferenced) == ("repoint", main["uid"], True)


def test_what_cannot_be_a_target_comes_back_on_its_field(
    desk: Desk, ada: FlaskClient, instance: Instance, tmp_path: Path
) -> None:
    uid = instance.location(str(tmp_path / "second"))["uid"]
    desk.attach(instance)
    url = f"/storages/{uid}/move"
    for typed, words in (
        (uid, "This is the location itself."),
        ("", "type the uid"),
        ("nowhere", "There is no storage"),
    ):
        given = {"strategy": "repoint", "target_storage": "", "target_storage_uid": typed}
        answer = ada.post(url, data=given)
        assert (answer.status_code, words in answer.text) == (422, True), typed
        assert 'href="#target_storage_uid"' in answer.text, typed
    empty = ada.post(url, data={"strategy": "rewrite", "target_root": " "})
    assert (empty.status_code, 'href="#target_root"' in empty.text) == (422, True)
    other = ada.post(
        url, data={"strategy": "teleport", "target_root": str(tmp_path / "third"), "target_connection_uid": "local"}
    )
    assert (other.status_code, "The strategy is rewrite or repoint." in other.text) == (422, True)


def test_a_move_of_a_default_location_is_told_from_plan_to_release(
    desk: Desk, ada: FlaskClient, instance: Instance, tmp_path: Path
) -> None:
    old, new = str(tmp_path / "main"), str(tmp_path / "moved")
    uid = instance.location(old)["uid"]
    (tmp_path / "main/notes.txt").write_text("nobody's")
    desk.attach(instance)
    url = f"/migrations/{desk.plan(uid, new)}"
    plan = text_of(ada, url)
    assert f"Rewrite the root: the location keeps its uid {uid}" in plan
    assert "Decided by one transaction in lab/real." in plan
    assert "the old one is sealed" in plan
    assert "objects that artifacts refer to copied and verified" in plan
    assert "1 object that no artifact refers to copied all the same" in plan
    assert "notes.txt" in plan
    assert "LaminDB's database, moved at cut-over" in plan
    assert "Left for people" not in plan

    made = url.rsplit("/", 1)[-1]
    assert desk.moves.wish(migrations.start, made).state is State.READY
    assert "was opened through the new root: " in text_of(ada, url)
    question = text_of(ada, f"{url}/cut-over")
    assert "UPDATE lamindb_storage" not in question
    assert "I will run this right after the cut-over" not in question
    assert "The fence is soft." not in question
    assert "~/.lamin/instance--lab--real.env" in question
    assert f"lamindb_instance_storage_root={new}" in question

    assert ada.post(f"{url}/cut-over", data={"confirm": "main"}).status_code == 303
    desk.moves.drive_until(State.FENCED)
    desk.moves.drive_while(lambda: not (desk.moves.view(made).plan or {}).get("fence_until"))
    fenced = text_of(ada, url)
    assert re.search(r"Writers are held off until \d\d:\d\d UTC\.", fenced)
    assert "lifts itself then, even if the portal stops" in fenced

    desk.moves.drive()
    soaking = text_of(ada, url)
    assert "Left for people" in soaking
    assert f"lamindb_instance_storage_root={new}" in soaking
    assert f"This database has moved with its storage location to {new}." in soaking
    assert "Instances that are not attached cannot be known." in soaking
    assert "Brought over since the cut-over 0 objects" in soaking
    desk.moves.let_it_be_quiet(made)
    assert "Can be released now" in text_of(ada, url)
    report = text_of(ada, f"{url}/report")
    assert "Restart open sessions, notebooks and jobs of lab/real" in report
    there = text_of(ada, f"/storages/{uid}")
    assert f"Moved from {old} on " in there
    assert "Who writes to it meets: “This database has moved" in there
    found = text_of(ada, f"/infrastructure?q={old}")
    assert f"Moved from {old} on " in found
    assert desk.moves.portal.client_as("otto").get(f"/infrastructure?q={old}").text.count("Moved from") == 0

    assert f"lamindb_instance_storage_root={old}" in text_of(ada, f"{url}/roll-back")
    desk.roll_back(made)
    assert f"lamindb_instance_storage_root={old}" in text_of(ada, url)
    assert "Moved from" not in text_of(ada, f"/storages/{uid}")


def test_a_straggler_puts_the_release_off(desk: Desk, ada: FlaskClient, instance: Instance, tmp_path: Path) -> None:
    old = tmp_path / "second"
    uid = instance.location(str(old))["uid"]
    desk.attach(instance)
    made = desk.ready(uid, str(tmp_path / "third"))
    desk.cut_over(made, "second")
    (old / "late.txt").write_text("late")
    with desk.moves.row(made) as row:
        row.sweep_at = row.cut_over_at
    desk.moves.drive()
    page = text_of(ada, f"/migrations/{made}")
    assert "Brought over since the cut-over 1 object " in page
    assert "late.txt" in page
    assert "if nothing new is found there" in page
    assert 'aria-disabled="true"' in ada.get(f"/migrations/{made}").text


def test_what_lamindb_recorded_otherwise_is_taken_only_after_a_question(
    desk: Desk, ada: FlaskClient, instance: Instance, tmp_path: Path
) -> None:
    source = instance.location(str(tmp_path / "second"))
    rotten = tmp_path / "second/notes/real.txt"
    rotten.write_bytes(bytes(reversed(rotten.read_bytes())))
    desk.attach(instance)
    made = desk.plan(source["uid"], str(tmp_path / "third"))
    assert desk.moves.wish(migrations.start, made).state is State.NEEDS_ATTENTION
    url = f"/migrations/{made}"
    page = text_of(ada, url)
    assert "Not as LaminDB recorded it" in page
    assert "Retry and take them as they are" in page
    question = text_of(ada, f"{url}/take-as-is")
    assert rotten.name in question
    assert "LaminDB keeps the hash it recorded" in question
    assert ada.post(f"{url}/take-as-is").status_code == 303
    desk.moves.drive()
    assert (desk.moves.view(made).state, desk.moves.view(made).takes_rot) == (State.READY, True)
    told = f"1 object was copied though it is not as LaminDB recorded it: notes/{rotten.name}."
    assert told in text_of(ada, url)
    assert told in text_of(ada, f"{url}/cut-over")
    desk.cut_over(made, "second")
    assert told in text_of(ada, url)


def test_an_instance_attached_read_only_is_changed_by_hand(
    desk: Desk, ada: FlaskClient, instance: Instance, tmp_path: Path
) -> None:
    old, new = str(tmp_path / "second"), str(tmp_path / "third")
    uid = instance.location(old)["uid"]
    desk.attach(instance, is_read_only=True)
    assert "Does not fit here. The portal may not write to lab/real." in text_of(ada, f"/storages/{uid}/move")
    around_it = text_of(ada, f"/storages/{instance.location(str(tmp_path / 'main'))['uid']}/move")
    assert "lies in this root, and the portal may not move it." in around_it
    assert "It cannot move now." in around_it
    made = desk.ready(uid, new)
    question = text_of(ada, f"/migrations/{made}/cut-over")
    assert "The fence is soft." in question
    assert f"SET root = '{new}'" in question
    unticked = ada.post(f"/migrations/{made}/cut-over", data={"confirm": "second"})
    assert unticked.status_code == 422
    ada.post(f"/migrations/{made}/cut-over", data={"confirm": "second", "registry_changed": "y"})
    desk.moves.drive()
    assert desk.moves.view(made).state is State.SOAKING
    assert "Change the row of lab/real by hand" in text_of(ada, f"/migrations/{made}/report")


def test_both_ends_of_repointed_artifacts_say_so(
    desk: Desk, ada: FlaskClient, instance: Instance, tmp_path: Path
) -> None:
    source = instance.location(str(tmp_path / "second"))
    target = instance.client.run("register", root=str(tmp_path / "other"))
    desk.attach(instance)
    made = desk.ready(source["uid"], target["uid"], strategy="repoint")
    assert "Its artifacts name the other location." in text_of(ada, f"/migrations/{made}/cut-over")
    for uid in (source["uid"], target["uid"]):
        assert f'href="/migrations/{made}">{made}</a>' in ada.get(f"/storages/{uid}/migrations").text
    assert "into this one" in ada.get(f"/storages/{target['uid']}/migrations").text
    assert "into this one" not in ada.get(f"/storages/{source['uid']}/migrations").text
    desk.cut_over(made, "second")
    page = text_of(ada, f"/migrations/{made}")
    assert f"Re-point the artifacts: they belong to the location {target['uid']}" in page
    assert f'ln.settings.storage = "{tmp_path}/other"' in page
    assert f"Its artifacts went to {tmp_path}/other on " in text_of(ada, f"/storages/{source['uid']}")
    assert f"Artifacts came from {tmp_path}/second on " in text_of(ada, f"/storages/{target['uid']}")


def test_the_command_line_tells_the_same(desk: Desk, instance: Instance, tmp_path: Path) -> None:
    old, new = str(tmp_path / "main"), str(tmp_path / "moved")
    uid, second = instance.location(old)["uid"], instance.location(str(tmp_path / "second"))["uid"]
    desk.attach(instance)
    typing = CommandLine(desk.moves.portal)
    ways = typing.record("migration", "strategies", uid)
    assert (ways["rewrite"]["why_not"], ways["repoint"]["targets"]) == ("", [[second, str(tmp_path / "second")]])
    assert "moves along" in typing.run("migration", "strategies", uid).out
    repoint = ("migration", "plan", uid, second, "--strategy", "repoint", "--leave-unreferenced", "--no-wait")
    planned = typing.record(*repoint)
    assert (planned["strategy"], planned["leaves_unreferenced"]) == ("repoint", True)
    typing.record("migration", "cancel", planned["id"])

    made = desk.ready(uid, new)
    shown = typing.record("migration", "show", made)
    assert (shown["by_hand"], shown["tasks"], shown["instances"][0]["decides"]) == ([], [], True)
    assert typing.run("migration", "cut-over", made).code == 0, "no row is to be changed by hand"
    desk.moves.drive()
    shown = typing.record("migration", "show", made)
    assert [task["kind"] for task in shown["tasks"]] == ["settings", "sealed", "sessions", "unattached"]
    assert f"lamindb_instance_storage_root={new}" in shown["tasks"][0]["code"]
    told = typing.run("migration", "show", made).out
    assert "Or run this on each machine:" in told
    assert typing.run("migration", "retry", made).code == 1


@pytest.mark.parametrize(
    ("is_read_only", "said"),
    [
        (False, r"^Writers are held off until \d\d:\d\d UTC\.$"),
        (True, r"^Not held off: lab/real: It is attached read-only\.$"),
    ],
)
def test_waiting_on_the_command_line_tells_whether_writers_are_held_off(
    desk: Desk, instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_read_only: bool, said: str
) -> None:
    desk.attach(instance, is_read_only=is_read_only)
    made = desk.ready(instance.location(str(tmp_path / "second"))["uid"], str(tmp_path / "third"))

    def fence() -> None:
        desk.moves.drive_until(State.FENCED)
        if not is_read_only:
            desk.moves.drive_while(lambda: not (desk.moves.view(made).plan or {}).get("fence_until"))

    # The runner goes on while the command sleeps: first until the fence is up, then to the end.
    going_on = iter([fence, desk.moves.drive])
    monkeypatch.setattr(migration_records, "time", SimpleNamespace(sleep=lambda _seconds: next(going_on)()))
    more = ["--registry-changed"] if is_read_only else []
    ran = CommandLine(desk.moves.portal).run("migration", "cut-over", made, "--wait", "--json", *more)
    assert (ran.code, ran.record["state"]) == (0, "soaking"), ran.err
    assert len(re.findall(said, ran.err, re.MULTILINE)) == 1, ran.err
