"""The pages of moving roots: who sees which button, and what a page says in each state."""

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from portal.engine import LocalExecutor, open_executor
from portal.planning.states import MigrationState as State
from portal.services import migrations
from portal.services.connections import list_connections
from tests.integration.moves import Moves, fill
from tests.integration.roots import connect_as, new_bucket
from tests.integration.world import Portal, World
from tests.servers import S3Server

Browsers = Callable[[str | None], FlaskClient]
HTMX = {"HX-Request": "true"}


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    with open_executor(1) as made:
        yield made


@pytest.fixture
def moves(portal: Portal, world: World, executor: LocalExecutor, s3_server: S3Server, local_base: Path) -> Moves:
    return Moves(portal, executor, s3_server, local_base)


@pytest.fixture
def managed(moves: Moves, world: World, local_base: Path) -> str:
    """A location that lab/atlas writes to, so that ada, erik and rita reach it."""
    fill(local_base / "cells")
    return moves.register(
        local_base / "cells", instance_id=world.instance_id, instance_uid=world.instance_uid, instance_slug="lab/atlas"
    )


def test_a_moved_location_is_found_by_its_old_root_and_names_its_move(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path
) -> None:
    def go(text: str, handle: str = "rita") -> str:
        return client_as(handle).get("/go", query_string={"q": text}).headers["Location"]

    old = f"{local_base}/cells"
    made = moves.copy(managed, local_base / "moved")
    assert go(old) == f"/storages/{managed}"
    assert 'Run</dt><dd class="none">' in client_as("rita").get(f"/storages/{managed}").text
    moves.cut_over(made, "cells")
    assert go(old) == go(f"{old}/") == f"/storages/{managed}"
    assert go(f"{local_base}/moved") == f"/storages/{managed}"
    assert go(old, "otto").startswith("/infrastructure?")
    assert f'href="/migrations/{made}">{made}</a>' in client_as("rita").get(f"/storages/{managed}").text
    fill(local_base / "cells")
    other = moves.register(local_base / "cells")
    assert go(old, "ada") == f"/storages/{other}"
    assert go(old) == f"/storages/{managed}"


def test_a_person_moves_a_root_through_the_pages(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path
) -> None:
    ada = client_as("ada")
    form = ada.get(f"/storages/{managed}/move")
    assert form.status_code == 200
    assert "A directory" in form.text
    given = {
        "target_connection_uid": "local",
        "target_root": str(local_base / "moved"),
        "target_host": "portal-host",
    }
    made = ada.post(f"/storages/{managed}/move", data=given)
    assert made.status_code == 303, made.text
    url = made.headers["Location"]
    uid = url.rsplit("/", 1)[-1]
    assert "No runner on host portal-host has ever reported" in ada.get(url).text

    moves.drive()
    page = ada.get(url).text
    assert "Start the move" in page
    assert "7 objects" in page
    assert f'href="{url}">{uid}</a>' in ada.get(f"/storages/{managed}/migrations").text
    assert ada.post(f"{url}/start").status_code == 303
    moves.drive()
    page = ada.get(url).text
    assert "its SHA-256 equals the source" in page
    assert f'href="{url}/cut-over"' in page

    question = ada.get(f"{url}/cut-over").text
    assert "Right after the cut-over run this" in question
    assert "I will run this right after the cut-over" in question
    assert "UPDATE lamindb_storage" in question
    assert "The fence is soft." in question
    wrong = ada.post(f"{url}/cut-over", data={"confirm": "cell", "registry_changed": "y"})
    assert (wrong.status_code, "Type cells to confirm." in wrong.text) == (422, True)
    unticked = ada.post(f"{url}/cut-over", data={"confirm": "cells"})
    assert (unticked.status_code, moves.view(uid).wish) == (422, "")
    assert "you run what is shown right after the cut-over" in unticked.text
    assert ada.post(f"{url}/cut-over", data={"confirm": "cells", "registry_changed": "y"}).status_code == 303
    moves.drive()
    assert moves.state(uid) is State.SOAKING
    moves.let_it_be_quiet(uid)
    assert "Run this now in its database" in ada.get(url).text
    question = ada.get(f"{url}/roll-back").text
    assert "is copied back first and verified" in question
    assert "Right after the rollback run this" in question
    assert f"KEY.rewritten-{uid}-…" in question
    assert "nothing is deleted" in ada.get(f"{url}/release").text
    assert ada.post(f"{url}/release").status_code == 303
    assert moves.state(uid) is State.RELEASED
    assert "hx-trigger" not in ada.get(url, headers=HTMX).text
    assert str(local_base / "moved") in ada.get("/migrations").text


def test_the_plan_tells_what_will_be_evidence_and_the_move_keeps_to_it(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path
) -> None:
    bucket, _ = moves.bucket("evidence")
    made = moves.copy(managed, bucket)
    page = client_as("ada").get(f"/migrations/{made}").text
    assert "The server&#39;s checksums: it computes them, and refused a wrong one." in page
    assert "the server" in moves.view(made).message
    levels = (moves.view(made).plan or {})["manifest"]["counts"]
    assert levels["level server"][0] == 7
    assert "level read_back" not in levels

    other = moves.register(local_base / "others")
    fill(local_base / "others")
    made = moves.copy(other, local_base / "moved")
    assert (
        "Every object is read back. A file system has no checksums" in client_as("ada").get(f"/migrations/{made}").text
    )
    assert (moves.view(made).plan or {})["manifest"]["counts"]["level read_back"][0] == 7


def test_who_may_not_move_sees_no_button_and_is_refused_all_the_same(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path
) -> None:
    uid = moves.plan(managed, local_base / "moved")
    for handle in ("erik", "rita"):
        client = client_as(handle)
        page = client.get(f"/migrations/{uid}")
        assert page.status_code == 200
        assert "Start the move" not in page.text
        assert "Cancel move" not in page.text
        assert client.post(f"/migrations/{uid}/start").status_code == 403
        assert client.get(f"/migrations/{uid}/cancel").status_code == 403
        assert client.get(f"/storages/{managed}/move").status_code == 403
    assert client_as("otto").get(f"/migrations/{uid}").status_code == 404
    assert client_as("otto").post(f"/migrations/{uid}/cancel").status_code == 404
    assert client_as("otto").get("/migrations").text.count(uid) == 0
    assert client_as(None).get(f"/migrations/{uid}").status_code == 303
    assert (moves.state(uid), moves.view(uid).wish) == (State.PLANNED, "")


def test_the_live_part_brings_the_buttons_only_when_the_state_is_another(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path
) -> None:
    uid = moves.plan(managed, local_base / "moved")
    ada = client_as("ada")
    same = ada.get(f"/migrations/{uid}?seen=planned::", headers=HTMX).text
    title, _, live = same.lstrip().partition("\n")
    assert title.startswith("<title>Planned · Move")
    assert live.lstrip().startswith('<div id="migration-live"')
    assert "migration-head" not in same
    assert "Nothing is left out" in same, "the plan comes with the live part"
    other = ada.get(f"/migrations/{uid}?seen=preflight::", headers=HTMX).text
    assert '<div id="migration-head" hx-swap-oob="true">' in other
    assert "Start the move" in other


def test_the_button_that_waits_for_a_look_at_the_old_root_comes_by_itself(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path
) -> None:
    uid = moves.copy(managed, local_base / "moved")
    with moves.portal.write_as("ada") as work:
        migrations.request_cut_over(work, uid, migrations.CutOver("cells", registry_changed=True))
    moves.drive_until(State.SOAKING)
    ada = client_as("ada")
    before = ada.get(f"/migrations/{uid}").text
    address = html.unescape(re.findall(r'id="migration-live"[^>]* hx-get="([^"]+)"', before)[0])
    assert f'href="/migrations/{uid}/release"' not in before
    asked = ada.get(f"/migrations/{uid}/release")
    assert (asked.status_code, asked.location) == (303, f"/migrations/{uid}")
    assert "The old root has not been looked at since the cut-over." in ada.get(asked.location).text
    assert "migration-head" not in ada.get(address, headers=HTMX).text
    moves.drive()
    moves.let_it_be_quiet(uid)
    assert f'href="/migrations/{uid}/release"' in ada.get(address, headers=HTMX).text


def test_a_plan_that_cannot_end_says_so_before_its_story(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path
) -> None:
    fill(local_base / "moved", {"README.md": b"another's"})
    uid = moves.plan(managed, local_base / "moved")
    page = client_as("ada").get(f"/migrations/{uid}").text
    told = "1 object differs at the target: README.md. The move will stop there: remove it at the target,"
    assert page.index(told) < page.index("<h2>Story</h2>")
    assert '<button type="submit" class="button">' in page.partition("Start the move")[0].rpartition("<form")[2]
    moves.wish(migrations.start, uid)
    page = client_as("ada").get(f"/migrations/{uid}").text
    assert "remove it at the target, then retry" in page
    assert page.index(told) > page.index("<h2>Story</h2>")


def test_what_the_state_of_a_move_forbids_is_said_on_its_page(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path
) -> None:
    uid = moves.plan(managed, local_base / "moved")
    ada, url = client_as("ada"), f"/migrations/{uid}"
    early = {"release": "released", "roll-back": "rolled back", "cut-over": "cut over"}
    for path, deed in early.items():
        for method in (ada.get, ada.post):
            answer = method(f"{url}/{path}", data={"confirm": "cells"})
            assert (answer.status_code, answer.headers["Location"]) == (303, url), path
            assert f"A migration that is planned cannot be {deed}." in ada.get(url).text, path
    assert ada.get(f"{url}/certificate").headers["Location"] == url
    assert "it has no certificate. A move has one once it is cut over." in ada.get(url).text
    assert ada.get(f"{url}/certificate.json").status_code == 409
    assert "Not as it stands now" in ada.get(f"{url}/certificate.json").text
    assert ada.post(f"{url}/pause", headers=HTMX).status_code == 409


def test_a_move_that_failed_is_planned_anew_with_its_fields_filled_in(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path
) -> None:
    root, _ = moves.bucket("anew")
    for target in (root.text, str(local_base / "moved")):
        uid = moves.plan(managed, target, leaves_unreferenced=False)
        with moves.row(uid) as row:
            row.state = "failed"
        page = client_as("ada").get(f"/migrations/{uid}").text
        address = html.unescape(re.findall(r'<a href="([^"]+)" class="button primary">.*?Plan it anew', page)[0])
        form = client_as("ada").get(address).text
        assert f'value="{target.partition("?")[0]}"' in form
        [chosen] = re.findall(r'<option selected value="([^"]*)">(?!portal-host)', form)[:1]
        assert (chosen == "local") is (target != root.text)
        assert "Plan it anew" not in client_as("rita").get(f"/migrations/{uid}").text


def test_a_location_under_way_shows_its_move_and_offers_no_other(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path
) -> None:
    ada, here = client_as("ada"), f"/storages/{managed}"
    assert "Move root" in ada.get(here).text
    uid = moves.plan(managed, local_base / "moved")
    for tab in ("", "/checks", "/migrations"):
        page = ada.get(f"{here}{tab}").text
        assert re.search(rf'<a href="/migrations/{uid}"><span class="badge mute filled">.*?Planned', page), tab
        assert ("Show the move" in page, "Move root" in page) == (True, False), tab
    assert f'<a href="/migrations/{uid}"><span class="badge' in client_as("rita").get(here).text
    again = ada.get(f"{here}/move")
    assert (again.status_code, again.headers["Location"]) == (303, f"/migrations/{uid}")
    assert "moves already: this is its move." in ada.get(f"/migrations/{uid}").text
    given = {"target_connection_uid": "local", "target_root": str(local_base / "x"), "target_host": "portal-host"}
    refused = ada.post(f"{here}/move", data=given)
    assert (refused.status_code, "Keep the source or Roll back ends it" in refused.text) == (422, True)
    moves.wish(migrations.cancel, uid)
    assert "Move root" in ada.get(here).text


def test_a_target_that_cannot_be_taken_comes_back_on_its_field(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path
) -> None:
    given = {"target_connection_uid": "local", "target_host": "portal-host", "target_root": "/proc/self"}
    answer = client_as("ada").post(f"/storages/{managed}/move", data=given)
    assert answer.status_code == 422
    assert "is not below a base directory" in answer.text
    with moves.portal.read_as("ada") as work:
        assert migrations.list_migrations(work) == []


def test_a_root_outside_of_what_the_connection_serves_comes_back_on_its_field(
    moves: Moves, managed: str, client_as: Browsers, s3_server: S3Server
) -> None:
    bucket = new_bucket(s3_server)
    connect_as(moves.portal, "ada", bucket.form())
    with moves.portal.read_as("ada") as work:
        connection = list_connections(work)[0].uid
    given = {"target_connection_uid": connection, "target_root": "s3://elsewhere/cells", "target_host": "portal-host"}
    answer = client_as("ada").post(f"/storages/{managed}/move", data=given)
    assert answer.status_code == 422
    assert f"may serve {bucket.name} only. Choose a root below that, or another connection." in answer.text
    assert 'href="#target_connection_uid"' in answer.text


def test_a_bucket_is_no_directory_and_a_directory_has_no_connection(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path
) -> None:
    moves.bucket("elsewhere")
    with moves.portal.read_as("ada") as work:
        connection = list_connections(work)[0].uid
    for chosen, root, words in (
        ("local", "s3://elsewhere/cells", "s3://elsewhere/cells is no directory: choose its connection."),
        (connection, str(local_base / "moved"), "is a directory: choose a directory and its host, no connection."),
    ):
        given = {"target_connection_uid": chosen, "target_root": root, "target_host": "portal-host"}
        answer = client_as("ada").post(f"/storages/{managed}/move", data=given)
        assert (answer.status_code, words in answer.text) == (422, True), root
        assert 'href="#target_root"' in answer.text
    with moves.portal.read_as("ada") as work:
        assert migrations.list_migrations(work) == []


@pytest.mark.parametrize(
    ("state", "mark"),
    [("needs_attention", "waits"), ("failed", "stopped"), ("cancelled", "ended"), ("rolled_back", "ended")],
)
def test_only_what_went_wrong_is_loud_in_the_steps(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path, state: str, mark: str
) -> None:
    uid = moves.plan(managed, local_base / "moved")
    with moves.portal.write_as("ada") as work:
        migrations.find_migration(work, uid).state = state
    page = client_as("ada").get(f"/migrations/{uid}").text
    assert re.findall(r'<li class="(waits|stopped|ended|now)"', page) == [mark]


def test_without_an_attached_instance_only_rewriting_fits(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path
) -> None:
    ada = client_as("ada")
    page = ada.get(f"/storages/{managed}/move").text
    assert "the writing instance is not attached" in page
    assert "Leave behind objects" not in page
    refused = ada.post(f"/storages/{managed}/move", data={"strategy": "repoint", "target_storage_uid": managed})
    assert (refused.status_code, "the writing instance is not attached" in refused.text) == (422, True)
    uid = moves.plan(managed, local_base / "moved")
    page = ada.get(f"/migrations/{uid}").text
    assert "so which objects are artifacts is not known" in page
    assert "Nothing is left for people yet" in ada.get(f"/migrations/{uid}/report").text
    assert ada.post(f"/migrations/{uid}/take-as-is").headers["Location"] == f"/migrations/{uid}"
    assert "A migration that is planned cannot be tried again." in ada.get(f"/migrations/{uid}").text
    assert client_as("rita").get(f"/migrations/{uid}/report").status_code == 200
    assert client_as("erik").get(f"/migrations/{uid}/take-as-is").status_code == 403


def test_a_search_for_an_old_root_finds_where_it_went(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path
) -> None:
    uid = moves.copy(managed, local_base / "moved")
    moves.cut_over(uid, "cells")
    for text, is_found in ((f"{local_base}/cells", True), ("/CELLS", True), ("cells", False), ("/else", False)):
        page = client_as("rita").get("/infrastructure", query_string={"q": text}).text
        assert ("Moved from" in page) is is_found, text
    assert "Moved from" not in client_as("otto").get("/infrastructure", query_string={"q": "/cells"}).text
    assert f"Moved from <code>{local_base}/cells</code>" in client_as("rita").get(f"/storages/{managed}").text
    report = client_as("ada").get(f"/migrations/{uid}/report").text
    assert "Change the row of lab/atlas by hand" in report
    moves.wish(migrations.request_rollback, uid)
    assert "Moved from" not in client_as("rita").get("/infrastructure", query_string={"q": "/cells"}).text
