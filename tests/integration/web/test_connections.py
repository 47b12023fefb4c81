"""The pages of connections, as a browser without JavaScript sees them."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from portal.models import Storage
from portal.services.connections import list_connections
from tests.integration.roots import Bucket, connect_as, new_bucket
from tests.integration.world import Portal, World
from tests.servers import S3Server

ClientAs = Callable[[str | None], FlaskClient]
WRONG = "wrongwrongwrongwrong1234"


@pytest.fixture
def bucket(portal: Portal, world: World, s3_server: S3Server) -> Bucket:
    """A bucket that ada has connected, into a space that rita reads."""
    bucket = new_bucket(s3_server)
    connect_as(portal, "ada", bucket.form(space="lab/imaging"))
    return bucket


@pytest.fixture
def url(portal: Portal, bucket: Bucket) -> str:
    """The page of ada's one connection."""
    with portal.read_as("ada") as work:
        return f"/connections/{list_connections(work)[0].uid}"


def test_the_owner_finds_it_from_the_list_and_from_the_location(client_as: ClientAs, url: str, bucket: Bucket) -> None:
    client = client_as("ada")
    assert f'href="{url}"' in client.get("/connections").text
    page = client.get(url).text
    assert bucket.name in page
    location = re.search(r'href="(/storages/[^"]+)"', page)
    assert location is not None
    assert f'href="{url}"' in client.get(location[1]).text


@pytest.mark.parametrize("handle", ["erik", "rita", "otto"])
def test_everybody_else_gets_404_and_an_empty_list(client_as: ClientAs, url: str, handle: str) -> None:
    client = client_as(handle)
    assert url not in client.get("/connections").text
    assert client.get(url).status_code == 404
    for action in ("scopes", "scopes/remove", "secret"):
        form = {"scope": "x", "access_key_id": "x", "secret_access_key": "x"}
        assert client.post(f"{url}/{action}", data=form).status_code == 404


def test_who_only_reads_the_location_sees_no_way_there(client_as: ClientAs, url: str) -> None:
    location = re.search(r'href="(/storages/[^"]+)"', client_as("ada").get(url).text)
    assert location is not None
    answer = client_as("rita").get(location[1])
    assert answer.status_code == 200
    assert url not in answer.text


def test_a_folder_is_added_and_removed(client_as: ClientAs, url: str, bucket: Bucket) -> None:
    client = client_as("ada")
    added = client.post(f"{url}/scopes", data={"scope": "more/atlas"}, follow_redirects=True)
    assert "It may now serve more/atlas." in added.text
    gone = client.post(f"{url}/scopes/remove", data={"scope": "more/atlas"}, follow_redirects=True)
    assert "It may no longer serve more/atlas." in gone.text
    refused = client.post(f"{url}/scopes/remove", data={"scope": bucket.name})
    assert refused.status_code == 422
    assert f"is used by {bucket.root}" in refused.text


def test_no_page_and_no_event_holds_a_secret(client_as: ClientAs, url: str, bucket: Bucket) -> None:
    client = client_as("ada")
    wrong = {"access_key_id": bucket.server.access_key, "secret_access_key": WRONG}
    right = {**wrong, "secret_access_key": bucket.server.secret_key}
    refused = client.post(f"{url}/secret", data=wrong)
    assert refused.status_code == 422
    assert "Nothing was saved." in refused.text
    kept = client.post(f"{url}/secret", data=right, follow_redirects=True)
    assert kept.status_code == 200
    assert "The new secret is kept." in kept.text
    pages = [refused.text, kept.text]
    for path in (url, "/connections", "/events", "/events.csv", "/events.json"):
        with client.get(path) as answer:
            pages.append(answer.get_data(as_text=True))
    for page in pages:
        assert WRONG not in page
        assert bucket.server.secret_key not in page
        assert "secret_encrypted" not in page
    assert "Entered a new secret" in client.get("/events").text


def test_it_is_deleted_from_its_page_once_nothing_uses_it(client_as: ClientAs, portal: Portal, url: str) -> None:
    client = client_as("ada")
    page = client.get(url).text
    assert "It is used by 1 location." in page
    assert f"{url}/delete" not in page
    assert client.get(f"{url}/delete").status_code == 303
    assert client.post(f"{url}/delete").status_code == 409
    with portal.write_as("ada") as work:
        work.session.query(Storage).one().connection = None
    assert f'href="{url}/delete"' in client.get(url).text
    assert "Keep the connection" in client.get(f"{url}/delete").text
    gone = client.post(f"{url}/delete", follow_redirects=True)
    assert "is deleted. Nothing was changed in its buckets." in gone.text
    assert client.get(url).status_code == 404
