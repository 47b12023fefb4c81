"""The infrastructure page: rows, address, fragments, empty states, restoring and exports."""

import csv
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from flask import url_for
from flask.testing import FlaskClient

from portal.services.storage_list import EXPORT_COLUMNS
from portal.services.work import Work
from portal.values import CheckStatus, Mode, ModeReason
from tests.integration.storage_rows import NOW, add_many, add_storage
from tests.integration.world import World

ClientAs = Callable[[str | None], FlaskClient]
Units = Callable[..., AbstractContextManager[Work]]

HTMX = {"HX-Request": "true"}


def page(client: FlaskClient, path: str = "/infrastructure", **options: Any) -> str:
    """Return the text of a page that must answer 200."""
    answer = client.get(path, **options)
    assert answer.status_code == 200, answer.text
    return answer.text


def links(text: str, rel: str) -> str | None:
    """Return the address of the pager's link."""
    found = re.search(rf'<a class="button small" rel="{rel}" href="([^"]+)"', text)
    return found[1].replace("&amp;", "&") if found else None


def shown(text: str) -> list[str]:
    """Return the roots of the rows."""
    return re.findall(r'<td class="c-main"><a href="[^"]+"><span class="root" title="([^"]+)"', text)


def test_a_row_says_what_is_known_of_a_location(client_as: ClientAs, work_as: Units, world: World) -> None:
    with work_as("ada") as work:
        uid = add_storage(
            work, world, "s3://acme/atlas", mode=Mode.READ_ONLY, mode_reason=ModeReason.NO_PUT, is_default=True,
            last_check_at=NOW, last_check_status=CheckStatus.FAILED,
        )  # fmt: skip
    text = page(client_as("rita"))
    assert shown(text) == ["s3://acme/atlas"]
    for part in (
        f"/storages/{uid}",
        "S3",
        "eu-central-1",
        "imaging",
        "lab/atlas",
        "Read-only",
        "no put",
        "Default",
        "Failed",
    ):
        assert part in text, part
    assert "1 storage location<" in text
    assert "1 location, all shown" in text


def test_values_are_escaped(client_as: ClientAs, work_as: Units, world: World) -> None:
    with work_as("ada") as work:
        add_storage(work, world, "s3://acme/<b>", region="<i>", instance_id=None, instance_slug='"><script>')
    text = page(client_as("ada"), "/infrastructure?q=%3Cb%3E&space=%3Cscript%3E&space=imaging")
    assert "s3://acme/&lt;b&gt;" in text
    assert "<script>" not in text
    assert "<i>" not in text


def test_the_whole_state_is_in_the_address(client_as: ClientAs, work_as: Units, world: World) -> None:
    with work_as("ada") as work:
        add_many(work, world, 200)
    client = client_as("ada")
    address = "/infrastructure?type=s3&sort=-checked&q=bucket"
    first = page(client, address)
    assert links(first, "prev") is None
    following = links(first, "next")
    assert following is not None
    for part in ("type=s3", "sort=-checked", "q=bucket", "after="):
        assert part in following
    second = page(client, following)
    assert not set(shown(first)) & set(shown(second))
    back = links(second, "prev")
    assert back is not None
    assert "after=" not in back
    assert shown(page(client, back)) == shown(first)
    assert 'aria-sort="descending"' in first
    assert 'name="type" value="s3" checked' in first
    assert 'value="bucket"' in first


def test_htmx_gets_the_rows_and_the_menus_only(client_as: ClientAs, work_as: Units, world: World) -> None:
    with work_as("ada") as work:
        add_many(work, world, 20)
    answer = client_as("ada").get("/infrastructure?mode=writable", headers=HTMX)
    assert "HX-Request" in answer.headers["Vary"]
    assert answer.text.lstrip().startswith('<div class="stack">')
    assert "<html" not in answer.text
    assert 'hx-swap-oob="innerHTML:#filter-set"' in answer.text
    assert 'id="summary" aria-live="polite"' in answer.text
    assert "hx-swap-oob" not in page(client_as("ada"))


def test_an_empty_portal_explains_itself(client_as: ClientAs) -> None:
    for who, third in (("ada", "People and spaces"), ("otto", "Kept by others")):
        text = page(client_as(who))
        assert "Connect the first place your data lives" in text
        assert text.count("Connect S3 bucket") == 1
        with client_as(who).application.test_request_context():
            addresses = [url_for("connect_s3.new"), url_for("register_local.new")]
        assert all(f'href="{address}"' in text for address in addresses)
        assert third in text
        assert "<table" not in text


def test_a_search_without_matches_names_it_and_offers_a_way_out(
    client_as: ClientAs, work_as: Units, world: World
) -> None:
    with work_as("ada") as work:
        add_storage(work, world, "s3://acme/atlas")
    text = page(client_as("ada"), "/infrastructure?q=novaseq&mode=unmanaged")
    assert "No location matches “novaseq”, mode Unmanaged" in text
    assert 'href="/infrastructure?q=novaseq"' in text
    assert 'href="/infrastructure">Clear filters' in text
    assert "0 of 1 location match" in text
    assert "beginning of words" in page(client_as("ada"), "/infrastructure?q=zz")


def test_who_owns_what_has_an_address(client_as: ClientAs, work_as: Units, world: World) -> None:
    with work_as("ada") as work:
        add_storage(work, world, "s3://acme/adas")
        add_storage(work, world, "s3://acme/labs", owner_id=world.accounts["lab"])
    client = client_as("erik")
    assert shown(page(client, "/lab/infrastructure")) == ["s3://acme/labs"]
    assert shown(page(client, "/ada/infrastructure?q=acme")) == ["s3://acme/adas"]
    assert "otto has no storage location you can see" in page(client, "/otto/infrastructure")
    assert client.get("/nobody/infrastructure").status_code == 404
    assert client.get("/nobody/infrastructure.csv").status_code == 404
    assert 'href="/lab/infrastructure.csv?' in page(client, "/lab/infrastructure")


def test_what_is_put_away_can_be_restored_by_its_admins(client_as: ClientAs, work_as: Units, world: World) -> None:
    with work_as("ada") as work:
        uid = add_storage(work, world, "s3://acme/old", branch_id=-1)
    assert shown(page(client_as("ada"))) == []
    assert "Restore" not in page(client_as("erik"), "/infrastructure?branch=trash").replace(">Restore</span></th>", "")
    text = page(client_as("ada"), "/infrastructure?branch=trash")
    action = re.search(r'<form method="post" action="([^"]+)"><input type="hidden" name="branch" value="main">', text)
    assert action is not None
    assert uid in action[1]
    assert client_as("erik").post(action[1], data={"branch": "main"}).status_code == 403
    assert client_as("ada").post(action[1], data={"branch": "main"}).status_code == 303
    assert shown(page(client_as("ada"))) == ["s3://acme/old"]


@pytest.mark.parametrize(
    "query",
    ["after=x", "before=////", "after=WyJyb290IiwxLDFd", "sort=nothing", "sort=--", "q=%00", "q=%ff",
     "space=%00&host=%ff", "type=&mode=", "branch=9", f"q={'x' * 3000}", "after=" + "a" * 5000],
)  # fmt: skip
def test_no_address_breaks_the_page(client_as: ClientAs, work_as: Units, world: World, query: str) -> None:
    with work_as("ada") as work:
        add_many(work, world, 10)
    for path in ("/infrastructure", "/infrastructure.json"):
        assert client_as("ada").get(f"{path}?{query}").status_code == 200


def test_exports_hold_the_rows_of_the_filter(client_as: ClientAs, work_as: Units, world: World) -> None:
    with work_as("ada") as work:
        add_many(work, world, 150)
        add_storage(work, world, "s3://zzz/formula", description="=1+1")
    client = client_as("ada")
    address = "?type=s3&sort=-root"
    expected = shown(page(client, f"/infrastructure{address}"))
    answer = client.get(f"/infrastructure.csv{address}")
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="storages.csv"'
    assert tuple(rows[0]) == EXPORT_COLUMNS
    assert [row["root"] for row in rows][: len(expected)] == expected
    assert rows[0]["description"] == "'=1+1"
    records = json.loads(client.get(f"/infrastructure.json{address}").text)
    assert [record["root"] for record in records] == [row["root"] for row in rows]
    assert records[0]["description"] == "=1+1"
    assert records[0]["created_at"] == NOW.isoformat()
    assert json.loads(client_as("otto").get("/infrastructure.json").text) == []


def test_nobody_sees_it_without_signing_in(client_as: ClientAs) -> None:
    for path in ("/infrastructure", "/ada/infrastructure", "/infrastructure.csv", "/infrastructure.json"):
        assert client_as(None).get(path).status_code == 303
