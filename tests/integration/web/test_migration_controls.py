"""The pages of limits, times and errors: who may, what is refused on which field, and what is shown."""

import csv
import html
import io
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from portal.engine import LocalExecutor, open_executor
from portal.planning.states import MigrationState as State
from portal.services import migrations
from portal.services.migrations import Times
from tests.integration.moves import Moves, fill
from tests.integration.world import Portal, World
from tests.servers import S3Server

Browsers = Callable[[str | None], FlaskClient]
HTMX = {"HX-Request": "true"}

pytestmark = pytest.mark.timeout(120)


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


@pytest.fixture
def attentive(moves: Moves, managed: str, local_base: Path) -> str:
    """A migration that needs attention over two objects."""
    fill(local_base / "moved", {"README.md": b"other", "empty.txt": b"not empty"})
    return moves.copy(managed, local_base / "moved")


def test_limits_are_set_on_a_page_and_shown(moves: Moves, managed: str, client_as: Browsers, local_base: Path) -> None:
    uid = moves.plan(managed, local_base / "moved")
    ada = client_as("ada")
    assert f'href="/migrations/{uid}/limits"' in ada.get(f"/migrations/{uid}").text
    given = {"bandwidth": "20 MB/s", "concurrency": "4", "workers": "", "budget": "1,000"}
    assert ada.post(f"/migrations/{uid}/limits", data=given).status_code == 303
    view = moves.view(uid)
    assert (view.bandwidth_bytes_per_second, view.concurrency, view.worker_count) == (20_000_000, 4, None)
    assert view.max_errors == 1000
    assert 'value="20MB/s"' in ada.get(f"/migrations/{uid}/limits").text
    page = ada.get(f"/migrations/{uid}").text
    assert "changed the limits" in page
    assert page.count("Bandwidth 20MB/s; objects at a time per worker 4; error budget 1,000") == 2, "panel and story"


@pytest.mark.parametrize(
    ("field", "value"),
    [("bandwidth", "fast"), ("concurrency", "65"), ("workers", "two"), ("workers", "3"), ("budget", "0")],
)
def test_a_limit_that_cannot_be_comes_back_on_its_field(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path, field: str, value: str
) -> None:
    uid = moves.plan(managed, local_base / "moved")
    answer = client_as("ada").post(f"/migrations/{uid}/limits", data={field: value})
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
    assert f'value="{value}"' in answer.text, "what was typed is kept"


def test_times_are_set_on_a_page_and_the_move_says_that_it_waits(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path
) -> None:
    uid = moves.plan(managed, local_base / "moved")
    ada, far = client_as("ada"), datetime.now(UTC) + timedelta(days=30)
    given = {"start_at": f"{far:%Y-%m-%dT%H:%M}", "begins": "20:00", "ends": "06:00", "zone": "Asia/Kolkata"}
    assert ada.post(f"/migrations/{uid}/schedule", data=given).status_code == 303
    planned = ada.get(f"/migrations/{uid}").text
    assert f"Nothing before {far.day} {far:%b %Y}" in planned
    answer = ada.post(f"/migrations/{uid}/start", follow_redirects=True).text
    assert "then it begins by itself." in answer
    assert "Starting …" not in answer
    assert "Take the start back" in answer
    for place in ("/migrations", f"/storages/{managed}/migrations"):
        assert "Waits</span>" in ada.get(place).text
    moves.drive()
    assert "Waits until" in ada.get(f"/migrations/{uid}").text
    assert "The start is taken back." in ada.post(f"/migrations/{uid}/pause", follow_redirects=True).text
    page = ada.get(f"/migrations/{uid}").text
    assert ("Waits until" in page, "Start the move" in page) == (False, True)
    ada.post(f"/migrations/{uid}/start")
    moves.drive()
    page = ada.get(f"/migrations/{uid}").text
    assert "and only between 20:00 and 06:00, Asia/Kolkata" in page
    assert "<title>0.0 % · Waits" in page or "<title>Waits" in page
    form = ada.get(f"/migrations/{uid}/schedule").text
    assert 'value="Asia/Kolkata"' in form
    assert 'value="20:00"' in form
    assert ada.post(f"/migrations/{uid}/schedule", data={"zone": "UTC"}).status_code == 303
    moves.drive()
    assert moves.state(uid) is State.READY


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"begins": "20:00", "ends": ""}, "ends"),
        ({"begins": "20:00", "ends": "20:00"}, "begins"),
        ({"zone": "Europe/Atlantis"}, "zone"),
        ({"start_at": "soon"}, "start_at"),
        ({"start_at": "2020-01-01T10:00"}, "start_at"),
    ],
)
def test_a_time_that_cannot_be_comes_back_on_its_field(
    moves: Moves, managed: str, client_as: Browsers, local_base: Path, given: dict[str, str], field: str
) -> None:
    uid = moves.plan(managed, local_base / "moved")
    answer = client_as("ada").post(f"/migrations/{uid}/schedule", data=given)
    assert (answer.status_code, f'href="#{field}"' in answer.text) == (422, True)


def test_what_needs_a_look_is_listed_searched_exported_and_tried_again(
    moves: Moves, attentive: str, client_as: Browsers, local_base: Path
) -> None:
    ada, url = client_as("ada"), f"/migrations/{attentive}"
    page = ada.get(url).text
    assert "Differs at the target" in page
    assert 'aria-label="Retry README.md"' in page
    assert "2 of 1,000" in page
    found = ada.get(f"{url}/errors?q=readme", headers=HTMX)
    assert "1 of 2 objects match" in found.text
    assert "empty.txt" not in found.text
    assert "<html" not in found.text
    assert "<html" in ada.get(f"{url}/errors?q=readme").text
    assert "No object matches" in ada.get(f"{url}/errors?kind=rotten").text
    rows = list(csv.DictReader(io.StringIO(ada.get(f"{url}/errors.csv?kind=conflict").text)))
    assert {row["key"] for row in rows} == {"README.md", "empty.txt"}
    assert [row["key"] for row in ada.get(f"{url}/errors.json?q=EMPTY").json or ()] == ["empty.txt"]

    (local_base / "moved" / "README.md").unlink()
    assert ada.post(f"{url}/errors/retry", data={"object": "README.md"}).status_code == 303
    moves.drive()
    assert "empty.txt" in ada.get(f"{url}/errors").text
    assert "README.md" not in ada.get(f"{url}/errors").text
    (local_base / "moved" / "empty.txt").unlink()
    assert ada.post(f"{url}/errors/retry", data={"kind": "conflict"}).status_code == 303
    moves.drive()
    assert moves.state(attentive) is State.READY
    page = ada.get(url).text
    assert "Copy what changed" in page
    assert "single objects tried again: 1 object, 9 bytes" in page or "single objects tried again: 1 object, 0" in page
    assert "Nothing needs a look" in ada.get(f"{url}/errors").text


def test_after_one_object_was_tried_alone_the_page_is_about_the_whole_move(
    moves: Moves, attentive: str, client_as: Browsers, local_base: Path
) -> None:
    ada, url = client_as("ada"), f"/migrations/{attentive}"
    page = ada.get(url).text
    assert "Ended copying <small>pass 1: 5 copied, 2 open" in page
    (local_base / "moved" / "README.md").unlink()
    ada.post(f"{url}/errors/retry", data={"object": "README.md"})
    moves.drive()
    page = ada.get(url).text
    assert "<title>99.9 % · Needs attention" in page, "the open object is empty"
    assert "of 7 objects" in page
    assert "99.9 % of the whole move; pass 2 tried 1 object alone" in page
    assert "Needs attention <b>1</b>" in page
    assert "1 of 1,000" in page
    assert "asked to retry single objects <small>README.md</small>" in page
    assert "Began to retry single objects" in page
    (local_base / "moved" / "empty.txt").unlink()
    moves.wish(migrations.retry, attentive)
    page = ada.get(url).text
    assert "7 verified, " in page
    answer = ada.post(f"{url}/retry", follow_redirects=True).text
    assert "Copying what changed: the source is listed again first." in answer
    assert "asked to copy what changed" in answer
    assert "Copying what changed …" in answer
    moves.drive()
    assert "Began to copy what changed" in ada.get(url).text


def test_who_retries_one_object_stays_at_its_row_and_is_told_how_it_went(
    moves: Moves, attentive: str, client_as: Browsers, local_base: Path
) -> None:
    ada, url = client_as("ada"), f"/migrations/{attentive}"
    rows = ada.get(f"{url}/errors?q=readme", headers=HTMX).text
    action = html.unescape(re.findall(r'<form method="post" action="([^"]+)"', rows)[0])
    anchor = re.findall(r'<tr id="([^"]+)"', rows)[0]
    assert action == f"{url}/errors/retry?q=readme"
    answer = ada.post(action, data={"object": "README.md"})
    assert answer.headers["Location"] == f"{url}/errors?q=readme&tried=README.md#{anchor}"
    page = ada.get(answer.headers["Location"]).text
    assert "Trying README.md again." in page
    assert "1 of 2 objects match" in page
    assert f'<tr id="{anchor}"' in page
    live = html.unescape(re.findall(r'id="errors-live" hx-get="([^"]+)"', page)[0])
    assert "every 2s" in ada.get(live, headers=HTMX).text
    moves.drive()
    told = ada.get(live, headers=HTMX)
    assert "README.md failed again," in told.text
    assert "hx-get" not in told.text
    assert "errors-changed" in told.headers["HX-Trigger"]
    rows = ada.get(f"{url}/errors", headers=HTMX).text
    assert re.findall(r'<tr id="([^"]+)"', rows)[0] == anchor, "it keeps its place"
    assert rows.count("Failed again <time") == 1
    (local_base / "moved" / "README.md").unlink()
    ada.post(action, data={"object": "README.md"})
    moves.drive()
    assert "README.md needs no look any more." in ada.get(live, headers=HTMX).text
    assert ada.get(f"{url}/errors?tried=%00").status_code == 200


def test_the_live_page_says_at_once_that_a_cancelled_move_is_over(
    moves: Moves, attentive: str, client_as: Browsers
) -> None:
    ada, url = client_as("ada"), f"/migrations/{attentive}"
    address = html.unescape(re.findall(r'id="migration-live"[^>]* hx-get="([^"]+)"', ada.get(url).text)[0])
    ada.post(f"{url}/cancel")
    asked = ada.get(address, headers=HTMX)
    assert "errors-changed" in asked.headers["HX-Trigger"]
    address = html.unescape(re.findall(r'id="migration-live"[^>]* hx-get="([^"]+)"', asked.text)[0])
    moves.drive()
    assert moves.state(attentive) is State.CANCELLED
    assert "errors-changed" in ada.get(address, headers=HTMX).headers["HX-Trigger"]
    assert "Left open" in ada.get(f"{url}/errors?part=panel", headers=HTMX).text


def test_who_may_not_move_sees_the_errors_and_no_button(attentive: str, client_as: Browsers) -> None:
    rita = client_as("rita")
    page = rita.get(f"/migrations/{attentive}/errors")
    assert (page.status_code, "README.md" in page.text, 'aria-label="Retry' in page.text) == (200, True, False)
    assert rita.post(f"/migrations/{attentive}/errors/retry", data={"kind": "conflict"}).status_code == 403
    assert client_as("otto").get(f"/migrations/{attentive}/errors.csv").status_code == 404


def test_a_poll_brings_the_title_and_says_when_the_errors_are_others(
    moves: Moves, attentive: str, client_as: Browsers
) -> None:
    ada = client_as("ada")
    first = ada.get(f"/migrations/{attentive}?seen=x&errors=", headers=HTMX)
    assert first.text.lstrip().startswith("<title>")
    assert "errors-changed" in first.headers["HX-Trigger"]
    mark = first.text.partition("errors=")[2].partition('"')[0]
    again = ada.get(f"/migrations/{attentive}?seen=x&errors={mark}", headers=HTMX)
    assert "HX-Trigger" not in again.headers
    with moves.portal.write_as("ada") as work:
        migrations.set_times(work, attentive, Times(None, "20:00-06:00", "UTC"))
    assert 'id="migration-rest" class="stack" hx-swap-oob="true"' in again.text
