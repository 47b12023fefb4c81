"""Signing in, its hardening, and one's own account."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.config import Settings
from portal.models import EndedSession
from portal.services import accounts
from portal.services import sign_in as sign_in_service
from tests.integration.world import PASSWORD, Portal, World

ClientAs = Callable[[str | None], FlaskClient]
OTHER_PASSWORD = "another long sentence"


def sign_in(client: FlaskClient, handle: str, password: str = PASSWORD, to: str = "/sign-in") -> int:
    return client.post(to, data={"handle": handle, "password": password}).status_code


def is_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def test_handle_or_address_and_password_sign_in(client_as: ClientAs) -> None:
    for name in ("erik", " ERIK ", "erik@example.org", "Erik@Example.org"):
        client = client_as(None)
        assert sign_in(client, name) == 303, name
        assert is_in(client)


def test_an_unknown_handle_looks_and_lasts_like_a_wrong_password(client_as: ClientAs) -> None:
    client = client_as(None)
    sign_in(client, "warm-up")

    def answer(handle: str) -> tuple[int, str, float]:
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            response = client.post("/sign-in", data={"handle": handle, "password": "wrong wrong wrong"})
            times.append(time.perf_counter() - begun)
        return response.status_code, response.get_data(as_text=True).replace(f'value="{handle}"', ""), min(times)

    known, unknown, closed = answer("erik"), answer("nobody-here"), answer("lab")
    assert known[:2] == unknown[:2] == closed[:2]
    assert known[0] == 422
    assert max(unknown[2], closed[2]) < 4 * known[2]
    assert known[2] < 4 * min(unknown[2], closed[2])


def test_tries_are_throttled_and_a_restart_does_not_help(
    client_as: ClientAs, new_app: Callable[..., Flask], settings: Settings
) -> None:
    client = client_as(None)
    answers = [sign_in(client, "erik", "wrong wrong wrong") for _ in range(9)]
    assert answers == [422] * 8 + [429]
    again = Portal(new_app(settings)).client_as(None)
    response = again.post("/sign-in", data={"handle": "erik", "password": PASSWORD})
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) > 0
    assert sign_in(again, "rita") == 303


def test_a_new_password_ends_every_other_session(client_as: ClientAs) -> None:
    here, elsewhere = client_as("erik"), client_as("erik")
    assert is_in(elsewhere)
    response = here.post("/account", data={"old_password": PASSWORD, "password": OTHER_PASSWORD})
    assert response.status_code == 303
    assert is_in(here)
    assert not is_in(elsewhere)
    assert sign_in(elsewhere, "erik") == 422
    assert sign_in(elsewhere, "erik", OTHER_PASSWORD) == 303


def test_a_password_is_changed_only_by_who_knows_the_old_one(client_as: ClientAs) -> None:
    client = client_as("erik")
    response = client.post("/account", data={"old_password": "wrong wrong wrong", "password": OTHER_PASSWORD})
    assert response.status_code == 422
    assert "not your present password" in response.get_data(as_text=True)
    assert sign_in(client_as(None), "erik") == 303


def test_closing_an_account_ends_its_sessions_and_its_sign_in(client_as: ClientAs, portal: Portal) -> None:
    client = client_as("erik")
    with portal.write_as("ada") as work:
        accounts.set_active(work, "erik", is_active=False)
    assert not is_in(client)
    assert sign_in(client, "erik") == 422


def test_signing_out_ends_the_session(client_as: ClientAs) -> None:
    client = client_as("erik")
    assert client.post("/sign-out").status_code == 303
    assert not is_in(client)


def cookie_of(client: FlaskClient) -> str:
    cookie = client.get_cookie("portal_session")
    assert cookie is not None
    return cookie.value


def test_a_cookie_brought_back_after_signing_out_signs_nobody_in(client_as: ClientAs) -> None:
    client, elsewhere = client_as("erik"), client_as("erik")
    kept = cookie_of(client)
    client.post("/sign-out")
    client.set_cookie("portal_session", kept)  # an answer that was under way when the button was pressed
    assert not is_in(client)
    assert client.get_cookie("portal_session") is None, "the dead cookie lives on"
    assert is_in(elsewhere), "another session of the same person ended, too"


def test_signing_out_twice_at_once_is_signing_out(client_as: ClientAs, portal: Portal) -> None:
    client = client_as("erik")
    kept = cookie_of(client)
    for _ in range(2):
        client.set_cookie("portal_session", kept)
        assert client.post("/sign-out").status_code == 303
    with portal.write_as("erik") as work:
        for _ in range(2):
            sign_in_service.sign_out(work, "both-saw-it-alive")


def test_an_ended_session_is_remembered_as_long_as_a_cookie_can_live(client_as: ClientAs, portal: Portal) -> None:
    now = datetime.now(UTC)
    for days, uid in ((367, "dead by itself"), (365, "may live"), (0, "ended now")):
        with portal.write_as("erik", now - timedelta(days=days)) as work:
            sign_in_service.sign_out(work, uid)
    with portal.read_as(None) as work:
        assert set(work.session.scalars(select(EndedSession.uid))) == {"may live", "ended now"}


def test_a_cookie_of_a_version_without_session_ids_is_nobody(client_as: ClientAs) -> None:
    client = client_as("erik")
    with client.session_transaction() as cookie:
        cookie["_user_id"] = cookie["_user_id"].rpartition(":")[0]
    assert not is_in(client)


def test_a_session_that_is_used_lives_on_and_a_file_that_all_may_see_carries_none(client_as: ClientAs) -> None:
    client = client_as("erik")
    assert "portal_session=" in client.get("/account").headers["Set-Cookie"]
    for address in ("/static/portal.css", "/healthz"):
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert "Set-Cookie" not in answer.headers, address


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    ],
)
def test_a_request_from_elsewhere_changes_nothing(client_as: ClientAs, portal: Portal, headers: dict[str, str]) -> None:
    client = client_as("ada")
    client.environ_base.pop("HTTP_SEC_FETCH_SITE")
    assert client.post("/spaces/new", data={"name": "forged", "owner": "ada"}, headers=headers).status_code == 403
    assert client.post("/sign-out", headers=headers).status_code == 403
    assert b"forged" not in client.get("/spaces").data
    assert is_in(client)


def test_an_older_browser_says_where_it_is_from(client_as: ClientAs) -> None:
    client = client_as("ada")
    client.environ_base.pop("HTTP_SEC_FETCH_SITE")
    form = {"name": "from-origin", "owner": "ada"}
    assert client.post("/spaces/new", data=form, headers={"Origin": "http://localhost"}).status_code == 303


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/spaces?x=1", "/spaces?x=1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_signing_in_never_leads_to_another_site(client_as: ClientAs, target: str, expected: str) -> None:
    client = client_as(None)
    response = client.post("/sign-in", query_string={"next": target}, data={"handle": "erik", "password": PASSWORD})
    assert response.status_code == 303
    assert response.headers["Location"] == expected


@pytest.mark.parametrize("secure", [False, True])
def test_cookies_are_kept_from_scripts_other_sites_and_plain_http(
    new_app: Callable[..., Flask], settings: Settings, secure: bool
) -> None:
    from dataclasses import replace

    from tests.integration.world import build_world

    portal = Portal(new_app(replace(settings, secure_cookies=secure)))
    build_world(portal)
    response = portal.client_as(None).post("/sign-in", data={"handle": "erik", "password": PASSWORD})
    cookie = SimpleCookie(response.headers["Set-Cookie"])["portal_session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert bool(cookie["secure"]) is secure
    assert ("Strict-Transport-Security" in response.headers) is secure


@pytest.mark.parametrize(
    "path", ["/sign-in", "/account", "/nowhere", "/healthz", "/setup/x", "/events.csv", "/static/portal.css"]
)
def test_every_answer_carries_the_hardening_headers(client_as: ClientAs, world: World, path: str) -> None:
    for handle in (None, "erik"):
        headers = client_as(handle).get(path, buffered=True).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert path.startswith("/static") or headers["Cache-Control"] == "no-store"


def test_the_password_is_in_no_answer_and_no_event(client_as: ClientAs) -> None:
    client = client_as(None)
    response = client.post("/sign-in", data={"handle": "erik", "password": "secret secret secret"})
    assert b"secret secret secret" not in response.data
    sign_in(client, "erik")
    assert PASSWORD not in client.get("/events.json", buffered=True).get_data(as_text=True)


def test_a_cookie_of_another_key_is_nobody(client_as: ClientAs, portal: Portal) -> None:
    client = client_as("ada")
    cookie = client.get_cookie("portal_session")
    assert cookie is not None
    client.set_cookie("portal_session", cookie.value[:-4] + "AAAA")
    assert not is_in(client)


def test_ones_own_details_are_changed_on_the_account_page(client_as: ClientAs) -> None:
    client = client_as("erik")
    assert client.post("/account/details", data={"name": "Erik E.", "email": "e@example.org"}).status_code == 303
    page = client.get("/account").get_data(as_text=True)
    assert "Erik E." in page
    assert "e@example.org" in page
    taken = client.post("/account/details", data={"name": "Erik", "email": "ada@example.org"})
    assert taken.status_code == 422
    assert "belongs to another account" in taken.get_data(as_text=True)


def test_the_theme_is_kept_in_a_cookie(client_as: ClientAs) -> None:
    client = client_as("erik")
    response = client.post("/theme", data={"theme": "dark", "next": "/spaces"})
    assert (response.status_code, response.headers["Location"]) == (303, "/spaces")
    assert 'data-theme="dark"' in client.get("/spaces").get_data(as_text=True)
