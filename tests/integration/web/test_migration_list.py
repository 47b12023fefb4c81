"""The list of migrations: what a row says, filter, search and pages over the whole set, and its queries."""

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from portal.models import Migration, ShardException, Storage
from portal.services import migrations
from portal.values import ALL_SPACE_ID, Mode, StorageType
from tests.integration.world import Portal, World

Browsers = Callable[[str | None], FlaskClient]
Add = Callable[..., str]
HTMX = {"HX-Request": "true"}
NOW = datetime.now(UTC)


@pytest.fixture
def add(portal: Portal, world: World) -> Add:
    """Writes a migration of a location of lab/atlas; returns its id."""

    def one(number: int, state: str = "planned", **values: Any) -> str:
        with portal.write_as("ada") as work:
            owner = {"owner_id": work.actor.account_id, "created_by_id": work.actor.account_id}
            times = {"created_at": NOW, "updated_at": NOW}
            storage = Storage(
                root=f"/data/from-{number:03}", type=StorageType.LOCAL, space_id=ALL_SPACE_ID, mode=Mode.WRITABLE,
                instance_id=world.instance_id, **owner, **times,
            )  # fmt: skip
            row = Migration(
                storage=storage, state=state, source_root=storage.root, source_type=StorageType.LOCAL,
                target_root=f"/data/to-{number:03}", target_type=StorageType.LOCAL,
                created_by_id=work.actor.account_id, **{**times, **values},
            )  # fmt: skip
            work.session.add(row)
            work.session.flush()
            return row.uid

    return one


def test_a_row_says_how_far_a_move_is_and_what_needs_a_look(add: Add, portal: Portal, client_as: Browsers) -> None:
    far = {"pass_bytes": 100, "copied_bytes": 80, "verified_bytes": 6, "pass_count": 10}
    copying = add(1, "copying", progress=far, planned_count=10, planned_bytes=100)
    waiting = add(2, "copying", start_at=NOW + timedelta(days=400), zone="UTC")
    stuck = add(3, "needs_attention", progress=far)
    done = add(4, "released", progress=far)
    with portal.write_as("ada") as work:
        row = migrations.find_migration(work, stuck)
        work.session.add_all(
            ShardException(migration_id=row.id, kind="conflict", key=key, reason="", created_at=NOW) for key in "ab"
        )
    page = client_as("rita").get("/migrations").text
    assert re.search(rf'href="/migrations/{copying}".*?Copying 43\s%', page, re.DOTALL)
    assert re.search(rf'href="/migrations/{waiting}".*?Waits<.*?until', page, re.DOTALL)
    told = "2 objects need a look"
    assert f'href="/migrations/{stuck}/errors" aria-label="{told} in {stuck}">{told}</a>' in page
    assert f"/migrations/{done}/errors" not in page
    assert "4 migrations, 3 under way" in page
    assert ('data-label="From"' in page, 'data-label="To"' in page) == (True, True)
    for uid in (copying, waiting, stuck, done):
        assert f'<td class="c-meta mono">{uid}</td>' in page


def test_filter_and_search_run_over_the_whole_set_and_live_in_the_address(add: Add, client_as: Browsers) -> None:
    for number in range(55):
        add(number, "cancelled" if number % 2 else "released")
    failed = add(99, "failed")
    rita = client_as("rita")

    def ids(path: str) -> list[str]:
        return re.findall(r'<td class="c-main"[^>]*><a id="move-(\w+)"', rita.get(path).text)

    first = rita.get("/migrations").text
    assert "56 migrations" in first
    forth = html.unescape(re.findall(r'rel="next" href="([^"]+)"', first)[0])
    assert (len(ids("/migrations")), len(ids(forth))) == (50, 6)
    assert not set(ids("/migrations")) & set(ids(forth))
    back = html.unescape(re.findall(r'rel="prev" href="([^"]+)"', rita.get(forth).text)[0])
    assert ids(back) == ids("/migrations")
    for asked in ("state=failed", f"q={failed.upper()}", "q=FROM-099", "q=to-099&state=failed&state=planned"):
        assert ids(f"/migrations?{asked}") == [failed], asked
    assert len(ids("/migrations?state=cancelled&state=failed&q=to-00")) == 5
    page = rita.get("/migrations?state=failed").text
    assert "1 of 56 migrations match" in page
    assert "No migration matches “nowhere”, failed" in rita.get("/migrations?q=nowhere&state=failed").text
    fragment = rita.get("/migrations?state=failed", headers=HTMX).text
    assert ("<html" in fragment, 'hx-swap-oob="innerHTML:#filter-set"' in fragment) == (False, True)
    assert rita.get("/migrations?after=nonsense&state=unheard-of&q=%00").status_code == 200


def test_the_list_asks_again_only_while_something_is_done(add: Add, client_as: Browsers) -> None:
    add(1, "released")
    rita = client_as("rita")
    assert "data-poll" not in rita.get("/migrations").text
    add(2, "copying")
    page = rita.get("/migrations?q=data").text
    address = html.unescape(re.findall(r'id="migration-rows" hx-get="([^"]+)"', page)[0])
    polled = rita.get(address, headers=HTMX).text
    assert "hx-swap-oob" not in polled, "an open filter stays as it is"
    assert (polled.lstrip().startswith('<div class="stack" id="migration-rows"'), polled.count("live=1")) == (True, 1)


def test_who_sees_none_is_not_told_that_there_is_none(add: Add, client_as: Browsers) -> None:
    add(1, "released")
    page = client_as("otto").get("/migrations").text
    assert "No migration you can see" in page
    assert "No root has moved" not in page


def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(add: Add, portal: Portal) -> None:
    def count() -> int:
        sent: list[str] = []
        with portal.read_as("rita") as work:
            engine = work.session.get_bind()
            note = lambda _c, _u, statement, *_rest: sent.append(statement)  # noqa: E731 - one line of a test
            event.listen(engine, "before_cursor_execute", note)
            try:
                migrations.list_page(work, migrations.MigrationQuery(text="data"))
            finally:
                event.remove(engine, "before_cursor_execute", note)
        return len(sent)

    add(1, "released")
    before = count()
    for number in range(2, 30):
        add(number, "released")
    assert count() == before
