"""The pages of attached instances, asked as a browser without JavaScript asks them."""

import html
import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.models import Registry
from portal.services.registries.apply import take_over
from portal.services.registries.compare import compare
from tests.clients.instances import World, execute
from tests.clients.registries.conftest import Desk, given
from tests.clients.registries.test_attaching import dump, registries
from tests.clients.registries.test_comparing import storages

ClientAs = Callable[[str | None], FlaskClient]


@pytest.fixture
def browser(client_as: ClientAs) -> FlaskClient:
    """Ada's."""
    return client_as("ada")


def url(desk: Desk, page: str = "") -> str:
    return f"/instances/{desk.people.instance_uid}{page}"


def text_of(page: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def test_an_instance_is_looked_at_and_then_attached(desk: Desk, browser: FlaskClient, secret_of: str) -> None:
    assert "Not attached" in browser.get(url(desk)).text
    assert browser.get(url(desk, "/attach")).status_code == 200
    tried = browser.post(url(desk, "/attach"), data={**given(desk.way), "step": "try"})
    assert tried.status_code == 200
    assert "Everything that is needed works." in tried.text
    assert secret_of not in tried.text
    assert registries(desk) == []
    sealed = re.search(r'name="sealed"[^>]*value="([^"]*)"', tried.text)
    assert sealed is not None
    again = {"path": given(desk.way).get("path", ""), "sealed": html.unescape(sealed[1]), "step": "save"}
    saved = browser.post(url(desk, "/attach"), data=again)
    assert (saved.status_code, saved.headers["Location"]) == (303, url(desk, "/compare"))
    page = browser.get(url(desk)).text
    assert "0193" in page
    assert secret_of not in page
    assert desk.way.label in html.unescape(page)


def test_another_person_cannot_use_a_sealed_url(desk: Desk, client_as: ClientAs, database_kind: str) -> None:
    if database_kind == "sqlite":
        return
    tried = client_as("ada").post(url(desk, "/attach"), data={**given(desk.way), "step": "try"}).text
    sealed = re.search(r'name="sealed"[^>]*value="([^"]*)"', tried)
    assert sealed is not None
    from portal.services.instances import grant_instance_role
    from portal.values import Role

    with desk.portal.write_as("ada") as work:
        grant_instance_role(work, desk.slug, "erik", Role.ADMIN)
    answer = client_as("erik").post(url(desk, "/attach"), data={"sealed": html.unescape(sealed[1])})
    assert answer.status_code == 422
    assert registries(desk) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "Name one database"),
        ({"path": "relative.db"}, "Type the whole path"),
        ({"path": "/etc/passwd"}, "not allowed"),
        ({"url": "mysql://u:hidden@h/d"}, "not the URL of a PostgreSQL database"),
        ({"url": "postgresql://u:hidden@127.0.0.1:9/d"}, "does not answer"),
    ],
)
def test_what_is_wrong_is_told_and_no_secret_is(
    desk: Desk, browser: FlaskClient, data: dict[str, str], said: str
) -> None:
    answer = browser.post(url(desk, "/attach"), data=data)
    assert answer.status_code == 422
    assert said in text_of(answer.text)
    assert "hidden@" not in answer.text
    assert registries(desk) == []


def test_differences_are_shown_side_by_side_and_taken_by_choice(
    attached: Desk, browser: FlaskClient, lamin_world: World
) -> None:
    page = browser.get(url(attached, "/compare")).text
    keys = re.findall(r'name="take" value="([^"]+)"', page)
    assert len(keys) == 3
    assert browser.post(url(attached, "/compare"), data={"which": "chosen"}).status_code == 422
    assert browser.post(url(attached, "/compare"), data={"which": "chosen", "take": keys[:1]}).status_code == 303
    assert len(storages(attached)) == 1
    assert browser.post(url(attached, "/compare"), data={"which": "chosen", "take": keys[:1]}).status_code == 422
    assert browser.post(url(attached, "/compare"), data={"which": "all"}).status_code == 303
    assert "Both say the same" in browser.get(url(attached, "/compare")).text
    uid = lamin_world["locations"][1]["uid"]
    execute(attached.way, "UPDATE lamindb_storage SET description = '<b>Slides</b>' WHERE uid = :uid", uid=uid)
    page = browser.get(url(attached, "/compare")).text
    assert "description: &lt;b&gt;Slides&lt;/b&gt;" in page
    assert "<b>Slides" not in page


def test_a_page_that_is_only_looked_at_changes_nothing(attached: Desk, browser: FlaskClient) -> None:
    before = dump(attached.way)
    for page in ("", "/compare", "/detach", "/attach"):
        assert browser.get(url(attached, page)).status_code in {200, 422}
    assert registries(attached)[0].compared_at is None
    assert dump(attached.way) == before


def test_checking_again_counts_the_differences(attached: Desk, browser: FlaskClient) -> None:
    assert browser.post(url(attached, "/check")).status_code == 303
    [registry] = registries(attached)
    assert (registry.difference_count, registry.compared_at is not None) == (3, True)
    execute(attached.way, "ALTER TABLE lamindb_storage RENAME TO moved_away")
    assert browser.post(url(attached, "/check")).status_code == 303
    assert "lacks tables of LaminDB" in browser.get(url(attached)).text


def test_a_database_that_cannot_be_read_is_told_on_the_page(attached: Desk, browser: FlaskClient) -> None:
    execute(attached.way, "ALTER TABLE lamindb_storage RENAME TO moved_away")
    answer = browser.get(url(attached, "/compare"))
    assert answer.status_code == 422
    assert "could not do what was asked" in text_of(answer.text)


def test_detaching_asks_for_the_name(attached: Desk, browser: FlaskClient) -> None:
    assert "Type <code>atlas</code> to confirm" in browser.get(url(attached, "/detach")).text
    assert browser.post(url(attached, "/detach"), data={"confirm": "else"}).status_code == 422
    assert len(registries(attached)) == 1
    assert browser.post(url(attached, "/detach"), data={"confirm": "atlas"}).status_code == 303
    assert registries(attached) == []


@pytest.mark.parametrize(("person", "status"), [("erik", 403), ("rita", 403), ("otto", 404), (None, 303)])
def test_only_an_admin_reaches_these_pages(attached: Desk, client_as: ClientAs, person: str, status: int) -> None:
    client = client_as(person)
    for page in ("/attach", "/compare", "/detach"):
        assert client.get(url(attached, page)).status_code == status
        assert client.post(url(attached, page), data={"confirm": "atlas", "which": "all"}).status_code == status
    assert client.post(url(attached, "/check")).status_code == status
    assert len(registries(attached)) == 1


def test_who_reads_sees_that_it_is_attached_and_not_where(attached: Desk, client_as: ClientAs) -> None:
    page = html.unescape(client_as("rita").get(url(attached)).text)
    assert attached.way.label not in page
    assert "Schema version" in page
    assert "/detach" not in page


def test_a_location_shows_who_refers_to_it(attached: Desk, browser: FlaskClient, lamin_world: World) -> None:
    take_over(attached.units(), attached.slug)
    location = lamin_world["locations"][1]
    page = text_of(browser.get(f"/storages/{location['uid']}").text)
    assert "References Instance lab/atlas , which writes here" in page
    edit = browser.get(f"/storages/{location['uid']}/edit").text
    assert "Its row in lab/atlas is changed too." in edit
    assert "artifacts when they were last counted" in edit


def test_a_bucket_that_was_taken_over_asks_for_a_connection(attached: Desk, browser: FlaskClient) -> None:
    execute(
        attached.way,
        "UPDATE lamindb_storage SET root = 's3://atlas/data', type = 's3' "
        "WHERE id = (SELECT max(id) FROM lamindb_storage)",
    )
    [uid] = [each.uid for each in compare(attached.units(), attached.slug).differences if each.root[:2] == "s3"]
    browser.post(url(attached, "/compare"), data={"which": "all"})
    page = browser.get(f"/storages/{uid}").text
    assert "No connection yet" in page
    assert "/connect-s3?root=s3://atlas/data" in html.unescape(page).replace("%3A", ":").replace("%2F", "/")
    assert "has no connection yet" in browser.get(f"/storages/{uid}/contents").text


def test_an_edit_on_the_page_is_written_through(attached: Desk, browser: FlaskClient, lamin_world: World) -> None:
    take_over(attached.units(), attached.slug)
    uid = lamin_world["locations"][1]["uid"]
    row = storages(attached)[uid]
    data = {"description": "Slides", "space": row.space.uid, "branch": "main", "version": str(row.version)}
    assert browser.post(f"/storages/{uid}/edit", data=data).status_code == 303
    assert "changed, here and in lab/atlas" in browser.get(f"/storages/{uid}").text
    execute(attached.way, "UPDATE lamindb_storage SET description = 'Theirs' WHERE uid = :uid", uid=uid)
    data["version"] = str(storages(attached)[uid].version)
    refused = browser.post(f"/storages/{uid}/edit", data={**data, "description": "Ours"})
    assert refused.status_code == 422
    assert "is Theirs, not Slides as here" in text_of(refused.text)


def test_the_url_is_encrypted_at_rest(attached: Desk, secret_of: str) -> None:
    with attached.portal.read_as("ada") as work:
        registry = work.session.scalars(select(Registry)).one()
        kept = f"{registry.url_encrypted} {registry.label} {registry.identity} {registry.counts}"
    assert secret_of not in kept
