"""The tab Artifacts of a location in an attached instance, as each of the people meets it."""

import csv
import io
import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.errors import InputError, NotFound
from portal.lamindb.registry.artifact_orders import Position
from portal.lamindb.registry.artifact_queries import ArtifactQuery
from portal.lamindb.registry.ways import PostgresWay
from portal.models import Registry
from portal.services import artifacts
from portal.services.artifacts import list_artifacts, list_sources, parse_position, write_position
from portal.services.object_checks import Existence, find_objects
from portal.services.reach import door_of
from portal.services.registries.apply import take_over
from portal.services.storages import find_storage
from tests.clients.instances import World, ask, execute
from tests.clients.registries.conftest import Desk
from tests.integration.command_line import CommandLine


@pytest.fixture
def taken(attached: Desk) -> Desk:
    """An attached instance whose locations are known here."""
    take_over(attached.units(), attached.slug)
    return attached


def address(lamin_world: World, number: int = 0) -> str:
    return f"/storages/{lamin_world['locations'][number]['uid']}/artifacts"


def read(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_tab_lists_what_the_client_saved_and_looks_whether_it_is_there(taken: Desk, lamin_world: World) -> None:
    client = taken.portal.client_as("rita")
    page = read(client, address(lamin_world))
    assert page.count('id="object-') > 10
    for key in ("notes/virtual.txt", "notes/real.txt", "a/b/c/d/deep.txt"):
        assert key in page
    assert "not checked" in page
    there = read(client, f"{address(lamin_world)}?check=1")
    assert "not checked" not in there
    later = re.search(r'hx-get="([^"]+/artifacts/objects[^"]+)"', page)
    assert later is not None
    cells = read(client, later[1].replace("&amp;", "&"))
    assert cells.count('hx-swap-oob="true"') == page.count('id="object-')
    assert "Missing" not in cells


def test_a_missing_object_is_told(taken: Desk, lamin_world: World) -> None:
    execute(taken.way, "UPDATE lamindb_artifact SET _real_key = 'nowhere/at-all.txt' WHERE key = 'notes/real.txt'")
    page = read(taken.portal.client_as("rita"), f"{address(lamin_world)}?check=1&q=notes/real")
    assert page.count("Missing") == 1


def test_an_upload_that_has_not_ended_is_not_missing(taken: Desk, lamin_world: World) -> None:
    execute(
        taken.way,
        "UPDATE lamindb_artifact SET _real_key = 'nowhere/at-all.txt', _aux = :aux WHERE key = 'notes/real.txt'",
        aux='{"so": 1}',
    )
    client = taken.portal.client_as("rita")
    for checked in ("", "&check=1"):
        page = read(client, f"{address(lamin_world)}?q=notes/real{checked}")
        assert (page.count("Uploading"), page.count("Missing")) == (1, 0)
    [(uid,)] = ask(
        taken.way,
        "SELECT uid FROM lamindb_artifact WHERE key = 'notes/real.txt' AND storage_id = :row_id",
        row_id=lamin_world["locations"][0]["id"],
    )
    cells = read(client, f"{address(lamin_world)}/objects?artifact={uid}")
    assert (cells.count("Uploading"), cells.count("Missing")) == (1, 0)


def test_what_the_filter_finds_is_exported(taken: Desk, lamin_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Many steps, as with millions of rows.
    monkeypatch.setattr("portal.services.artifacts.MOST_ROWS", 2)
    execute(taken.way, "UPDATE lamindb_artifact SET description = '=1+1' WHERE key = 'notes/real.txt'")
    client = taken.portal.client_as("rita")
    page = read(client, f"{address(lamin_world)}?q=notes/&latest=1")
    assert "/artifacts.csv?q=notes" in page
    assert "/artifacts.json?q=notes" in page
    answer = client.get(f"{address(lamin_world)}.csv?q=notes/&latest=1")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert {line["key"] for line in lines} >= {"notes/virtual.txt", "notes/real.txt", "notes/empty.txt"}
    assert [line["description"] for line in lines if line["key"] == "notes/real.txt"] == ["'=1+1"]
    records = json.loads(read(client, f"{address(lamin_world)}.json?q=notes/&latest=1"))
    assert [record["uid"] for record in records] == [line["uid"] for line in lines]
    everything = json.loads(read(client, f"{address(lamin_world)}.json"))
    listed = list_artifacts(taken.units("rita"), lamin_world["locations"][0]["uid"], ArtifactQuery(0, limit=500))
    assert len(everything) > len(records)
    assert everything[0]["key"] == listed.page.rows[0].key
    assert taken.portal.client_as("otto").get(f"{address(lamin_world)}.csv").status_code == 404


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_an_export_without_its_registry_is_an_error_and_no_file(taken: Desk, lamin_world: World) -> None:
    Path(taken.way.label).rename(f"{taken.way.label}.away")
    answer = taken.portal.client_as("rita").get(f"{address(lamin_world)}.json")
    assert answer.status_code >= 400
    assert "There is no file" in answer.text


def test_every_value_is_escaped(taken: Desk, lamin_world: World) -> None:
    evil = "<script>alert(1)</script>"
    execute(
        taken.way,
        "UPDATE lamindb_artifact SET key = :evil, description = :text, version_tag = :tag WHERE key = 'notes/real.txt'",
        evil=evil, text=evil, tag='"><i>',
    )  # fmt: skip
    execute(taken.way, "UPDATE lamindb_branch SET name = '<u>main' WHERE id = 1")
    client = taken.portal.client_as("rita")
    for path in (address(lamin_world), f"{address(lamin_world)}?q={evil}&instance={evil}&sort={evil}&branch={evil}"):
        page = read(client, path)
        assert "<script>alert" not in page
        assert '"><i>' not in page
        assert "<u>main" not in page


def test_search_sort_and_pages_stay_in_the_address(
    taken: Desk, lamin_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.web.artifacts.ROWS", 3)
    client = taken.portal.client_as("erik")
    page = read(client, f"{address(lamin_world)}?sort=-size&hash=md5")
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following is not None
    path = following[1].replace("&amp;", "&")
    assert "sort=-size" in path
    assert "hash=md5" in path
    second = read(client, path)
    assert 'rel="prev"' in second
    assert 'aria-sort="descending"' in second
    rows = client.get(path, headers={"HX-Request": "true"})
    assert "<html" not in rows.text
    assert "HX-Request" in rows.headers["Vary"]


@pytest.mark.parametrize("after", ["nonsense", "W10", "WzAsImEiXQ", "%00", "WzksImEiLDEsMF0"])
def test_an_address_that_means_nothing_is_told(taken: Desk, lamin_world: World, after: str) -> None:
    answer = taken.portal.client_as("rita").get(f"{address(lamin_world)}?after={after}")
    assert answer.status_code == 422
    assert "Start from the first page" in answer.text
    assert "Artifacts" in answer.text


@pytest.mark.parametrize(("handle", "status"), [("otto", 404), ("rita", 200), ("erik", 200), ("ada", 200)])
def test_who_has_no_role_finds_nothing(taken: Desk, lamin_world: World, handle: str, status: int) -> None:
    client = taken.portal.client_as(handle)
    for path in (address(lamin_world), f"{address(lamin_world)}/objects?artifact=x"):
        assert client.get(path).status_code == status
    with pytest.raises(NotFound):
        list_artifacts(taken.units("otto"), lamin_world["locations"][0]["uid"], ArtifactQuery(0))


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_registry_that_is_down_leaves_the_page_standing(taken: Desk, lamin_world: World) -> None:
    Path(taken.way.label).rename(f"{taken.way.label}.away")
    page = read(taken.portal.client_as("rita"), address(lamin_world))
    assert "There is no file" in page
    assert "Try again" in page
    assert "Overview" in page
    assert taken.portal.client_as("rita").get(f"{address(lamin_world)}/objects?artifact=x").status_code == 200


@pytest.fixture(params=["refuses", "is silent"])
def dead_port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port where nobody answers: at once, or only by taking connections and saying nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "is silent":
            listener.listen(64)
        yield listener.getsockname()[1]


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_server_that_is_down_is_told_within_the_limit(taken: Desk, lamin_world: World, dead_port: int) -> None:
    assert isinstance(taken.way, PostgresWay)
    url = re.sub(r":\d+/", f":{dead_port}/", taken.way.url)
    with taken.portal.write_as("ada") as work:
        registry = work.session.scalars(select(Registry)).one()
        registry.url_encrypted = work.vault.encrypt(url).decode()
    begun = time.monotonic()
    page = read(taken.portal.client_as("rita"), address(lamin_world))
    # A slow machine renders slowly; what must never happen is that the page waits for the server.
    assert time.monotonic() - begun < 3 * artifacts.PAGE_SECONDS
    assert f"127.0.0.1:{dead_port}" in page
    assert "does not answer" in page or "did not answer within" in page
    assert "Try again" in page
    assert "Overview" in page


def test_the_tab_is_shown_where_an_instance_refers_to_the_location(taken: Desk, lamin_world: World) -> None:
    client = taken.portal.client_as("ada")
    overview = address(lamin_world).removesuffix("/artifacts")
    assert "/artifacts" in read(client, overview)
    client.post(f"/instances/{taken.people.instance_uid}/detach", data={"confirm": "atlas"})
    assert "/artifacts" not in read(client, overview)
    assert "No attached instance refers to this location" in read(client, address(lamin_world))


def test_spaces_somebody_is_no_member_of_stay_hidden(taken: Desk, lamin_world: World) -> None:
    execute(
        taken.way,
        "INSERT INTO lamindb_space (uid, name, created_by_id)"
        " SELECT 'secretspace1', 'clinical', min(id) FROM lamindb_user",
    )
    [(hidden,)] = ask(taken.way, "SELECT id FROM lamindb_space WHERE uid = 'secretspace1'")
    execute(taken.way, f"UPDATE lamindb_artifact SET space_id = {hidden} WHERE key = 'notes/real.txt'")
    assert "notes/real.txt" not in read(taken.portal.client_as("rita"), address(lamin_world))
    # ada is a member of the space clinical.
    assert "notes/real.txt" in read(taken.portal.client_as("ada"), address(lamin_world))


def test_objects_are_looked_for_within_a_limit(taken: Desk, lamin_world: World) -> None:
    with taken.portal.read_as("ada") as work:
        storage = find_storage(work, lamin_world["locations"][0]["uid"])
        door = door_of(work, storage)
        assert [source.is_writing for source in list_sources(work, storage)] == [True]
    places = [("notes/real.txt", False), ("notes", True), ("none", True), ("none.txt", False)]
    found = find_objects(door, places)
    assert [found[place].value for place in places] == ["there", "there", "missing", "missing"]
    assert set(find_objects(replace(door, host="elsewhere"), places).values()) == {Existence.NOT_CHECKED}
    assert set(find_objects(door, places, limit_seconds=0.0).values()) == {Existence.NOT_CHECKED}


def test_the_command_lists_what_the_tab_shows(taken: Desk, lamin_world: World) -> None:
    uid, typing = lamin_world["locations"][0]["uid"], CommandLine(taken.portal)
    records = typing.record("storage", "artifacts", uid, "--search", "notes/", "--limit", "2")
    assert [record["key"].startswith("notes/") for record in records] == [True, True]
    everything = typing.record("storage", "artifacts", uid, "--limit", "1000", "--sort", "-size", actor="rita")
    sizes = [record["size_bytes"] for record in everything]
    assert sizes == sorted(sizes, reverse=True)
    refused = typing.run("storage", "artifacts", uid, actor="otto")
    assert (refused.code, "no storage location" in refused.err) == (1, True)


def test_a_position_survives_the_address() -> None:
    for position in (Position(0, "a'\"\\ü日\n%", 5, 7), Position(1, -3, 2**62), Position(2, "", -1)):
        assert parse_position(write_position(position) or "") == position
    for text in ("", "%%%", "bnVsbA", "WzEsWzJdLDMsNF0"):
        with pytest.raises(InputError):
            parse_position(text)
    assert artifacts.write_position(None) is None
