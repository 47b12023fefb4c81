"""First run, and one-time links, in the browser's words."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from portal.services import one_time_links, people
from tests.integration.test_database import run_at_once
from tests.integration.world import PASSWORD, Portal, World

ClientAs = Callable[[str | None], FlaskClient]
FORM = {"handle": "maria", "name": "Maria", "email": "maria@example.org", "password": PASSWORD}


def setup_token(portal: Portal, ago: timedelta = timedelta()) -> str:
    with portal.write_as(None, datetime.now(UTC) - ago) as work:
        token = one_time_links.make_setup_link(work)
    assert token is not None
    return token


def test_the_set_up_link_makes_the_first_admin_and_signs_in(portal: Portal) -> None:
    client = portal.client_as(None)
    path = f"/setup/{setup_token(portal)}"
    assert b"Set up the portal" in client.get(path).data
    assert client.post(path, data=FORM).status_code == 303
    page = client.get("/people/maria").get_data(as_text=True)
    assert "Portal admin" in page
    # Once: the same link is gone, and there is no new one.
    assert client.get(path).status_code == 404
    assert portal.client_as(None).post(path, data={**FORM, "handle": "mallory", "email": ""}).status_code == 404
    with portal.write_as(None) as work:
        assert one_time_links.make_setup_link(work) is None


@pytest.mark.parametrize("change", [{"handle": "a--b"}, {"handle": "settings"}, {"password": "short"}, {"email": "x"}])
def test_a_faulty_form_leaves_the_link_usable(portal: Portal, change: dict[str, str]) -> None:
    client = portal.client_as(None)
    path = f"/setup/{setup_token(portal)}"
    faulty = client.post(path, data={**FORM, **change})
    assert faulty.status_code == 422
    assert 'aria-invalid="true"' in faulty.get_data(as_text=True)
    assert client.post(path, data=FORM).status_code == 303


def test_everything_that_is_wrong_is_told_at_once(portal: Portal) -> None:
    path = f"/setup/{setup_token(portal)}"
    given = {"handle": "a--b", "name": "x" * 151, "email": "x", "password": "short"}
    page = portal.client_as(None).post(path, data=given).get_data(as_text=True)
    assert page.count('aria-invalid="true"') == 4
    empty = portal.client_as(None).post(path, data={"email": "x"}).get_data(as_text=True)
    assert "Choose a handle." in empty
    assert "cannot be a handle" not in empty, "once is enough"
    assert "looks like name@example.org" in empty


def test_the_set_up_link_ends_after_a_day_and_with_a_newer_one(portal: Portal) -> None:
    client = portal.client_as(None)
    assert client.get(f"/setup/{setup_token(portal, ago=timedelta(hours=25))}").status_code == 404
    older, newer = setup_token(portal), setup_token(portal)
    assert client.get(f"/setup/{older}").status_code == 404
    assert client.get(f"/setup/{newer}").status_code == 200
    assert client.get("/setup/guess").status_code == 404


def test_two_people_who_set_up_at_once_make_one_admin(portal: Portal) -> None:
    path = f"/setup/{setup_token(portal)}"
    statuses: list[int] = []

    def set_up(number: int) -> None:
        form = {**FORM, "handle": f"first-{number}", "email": f"first-{number}@example.org"}
        statuses.append(portal.client_as(None).post(path, data=form).status_code)

    assert run_at_once(4, set_up) == []
    assert sorted(statuses) == [303, 404, 404, 404]


def test_a_link_page_of_one_kind_does_not_serve_the_other(portal: Portal, world: World) -> None:
    with portal.write_as("ada") as work:
        token = one_time_links.make_password_link(work, "erik")
    client = portal.client_as(None)
    assert client.get(f"/setup/{token}").status_code == 404
    assert client.get(f"/link/{token}").status_code == 200


def test_guessing_links_is_throttled(portal: Portal, world: World) -> None:
    client = portal.client_as(None)
    statuses = [client.get(f"/link/guess-{number}").status_code for number in range(60)]
    assert set(statuses[:5]) == {404}
    assert statuses[-1] == 429


def test_an_added_person_comes_in_by_a_link_that_is_shown_once(client_as: ClientAs, portal: Portal) -> None:
    admin, newcomer = client_as("ada"), client_as(None)
    page = admin.post("/people/new", data={"handle": "nina", "name": "Nina", "email": "nina@example.org"})
    assert page.status_code == 200
    text = page.get_data(as_text=True)
    token = text.split("/link/")[1].split("<")[0].split('"')[0]
    assert page.headers["Cache-Control"] == "no-store"
    assert token not in admin.get("/people/nina").get_data(as_text=True)
    assert token not in admin.get("/events.json", buffered=True).get_data(as_text=True)
    assert newcomer.post(f"/link/{token}", data={"password": "short"}).status_code == 422
    assert newcomer.post(f"/link/{token}", data={"password": "a long new sentence"}).status_code == 303
    assert newcomer.get("/account").status_code == 200
    assert client_as(None).post(f"/link/{token}", data={"password": "a long new sentence"}).status_code == 404
    with portal.read_as("ada") as work:
        assert people.find_person(work, "nina").can_sign_in


def test_a_link_ends_the_sessions_of_its_account(client_as: ClientAs) -> None:
    erik, admin = client_as("erik"), client_as("ada")
    text = admin.post("/people/erik/link").get_data(as_text=True)
    token = text.split("/link/")[1].split("<")[0].split('"')[0]
    assert erik.get("/account").status_code == 200
    assert client_as(None).post(f"/link/{token}", data={"password": "a long new sentence"}).status_code == 303
    assert erik.get("/account").status_code == 303
