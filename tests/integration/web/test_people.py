"""Roles and people in the browser: who sees which button, and what a forged request does."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.integration.world import World

ClientAs = Callable[[str | None], FlaskClient]


def paths(world: World) -> dict[str, str]:
    """Return the address that grants a role -> the page that shows it."""
    return {
        f"/spaces/{world.imaging_uid}/members": f"/spaces/{world.imaging_uid}",
        f"/instances/{world.instance_uid}/collaborators": f"/instances/{world.instance_uid}",
    }


def test_an_admin_grants_changes_and_takes_roles(client_as: ClientAs, world: World) -> None:
    ada, otto = client_as("ada"), client_as("otto")
    for path, page in paths(world).items():
        assert otto.get(page).status_code == 404
        assert ada.post(path, data={"handle": "otto", "role": "read"}).status_code == 303
        assert otto.get(page).status_code == 200
        fragment = ada.post(path, data={"handle": "otto", "role": "write"}, headers={"HX-Request": "true"})
        assert "toast" in fragment.headers["HX-Trigger"]
        assert 'id="members"' in fragment.get_data(as_text=True)
        assert ada.post(f"{path}/otto/remove").status_code == 303
        assert otto.get(page).status_code == 404


def test_the_last_admin_is_told_on_the_page(client_as: ClientAs, world: World) -> None:
    ada = client_as("ada")
    for path in [*paths(world), "/people/lab/members"]:
        for htmx in ({}, {"HX-Request": "true"}):
            response = ada.post(f"{path}/ada/remove", headers=htmx)
            assert response.status_code == 422, path
            assert "ada is the last" in response.get_data(as_text=True)


@pytest.mark.parametrize("name", ["nobody-here", "lab", ""])
def test_who_cannot_be_added_is_said_at_the_field(client_as: ClientAs, world: World, name: str) -> None:
    for path in paths(world):
        response = client_as("ada").post(path, data={"handle": name, "role": "read"})
        assert response.status_code == 422
        assert 'id="handle-error"' in response.get_data(as_text=True)


def test_an_unknown_role_is_refused(client_as: ClientAs, world: World) -> None:
    for path in paths(world):
        assert client_as("ada").post(path, data={"handle": "otto", "role": "owner"}).status_code == 422


@pytest.mark.parametrize("handle", ["erik", "rita", "otto"])
def test_who_lacks_the_right_sees_no_button_and_is_refused(client_as: ClientAs, world: World, handle: str) -> None:
    client = client_as(handle)
    for path, page in paths(world).items():
        assert f'action="{path}' not in client.get(page).get_data(as_text=True)
        assert client.post(path, data={"handle": handle, "role": "admin"}).status_code in {403, 404}
        assert client.post(f"{path}/ada/remove").status_code in {403, 404}
    forged = {
        "/people/new": {"handle": "evil-one"},
        f"/people/{handle}/admin": {"is_portal_admin": "1"},
        "/people/ada/active": {"is_active": "0"},
        "/people/ada/link": {},
        "/people/lab/members": {"handle": handle, "role": "owner"},
        "/people/lab/members/ada/remove": {},
        "/people/lab/edit": {"name": "Mine"},
        "/hosts/new": {"name": "evil"},
        "/hosts/portal-host/edit": {"description": "mine"},
        "/settings/grants": {"handle": handle, "root": "s3://acme"},
        "/settings/grants/1/revoke": {},
        f"/instances/{world.instance_uid}/spaces": {"space": world.imaging_uid},
        f"/instances/{world.instance_uid}/spaces/{world.imaging_uid}/detach": {},
        f"/instances/{world.instance_uid}/edit": {"description": "mine"},
        f"/spaces/{world.imaging_uid}/edit": {"description": "mine"},
        "/spaces/new": {"name": "theirs", "owner": "lab"},
        "/instances/new": {"name": "theirs", "owner": "lab"},
    }
    for path, form in forged.items():
        assert client.post(path, data=form).status_code in {403, 404, 422}, path
    admin = client_as("ada")
    assert b"evil" not in admin.get("/people").data + admin.get("/hosts").data
    assert b"s3://acme" not in admin.get("/settings").data
    assert b"Last" not in admin.get("/people/ada").data


def test_an_administrator_adds_a_host_and_opens_the_servers_reach(client_as: ClientAs) -> None:
    admin = client_as("ada")
    assert admin.post("/hosts/new", data={"name": "gpu-1", "description": "Basement"}).status_code == 303
    assert b"Basement" in admin.get("/hosts").data
    assert admin.post("/hosts/new", data={"name": "GPU-1"}).status_code == 422
    assert admin.post("/hosts/portal-host/edit", data={"description": "This one"}).status_code == 303
    assert b"This one" in admin.get("/hosts").data
    assert admin.post("/settings/grants", data={"handle": "erik", "root": "s3://acme/atlas/"}).status_code == 303
    assert b"s3://acme/atlas" in admin.get("/settings").data
    assert b"s3://acme/atlas" in client_as("erik").get("/settings").data
    assert b"s3://acme/atlas" not in client_as("rita").get("/settings").data
    assert admin.post("/settings/grants", data={"handle": "erik", "root": "/etc"}).status_code == 422


def test_the_settings_page_shows_no_secret(client_as: ClientAs) -> None:
    from portal.web.settings import without_password

    page = client_as("ada").get("/settings").get_data(as_text=True)
    assert "PORTAL_LOCAL_BASES" in page
    assert "PORTAL_SECRET_ACCESS_KEY" not in page
    assert (
        without_password("postgresql+psycopg://me:hunter2@db:5432/p?password=x") == "postgresql+psycopg://me@db:5432/p"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("erik", "/people/erik"),
        ("lab/atlas", "/instances/35g5V9aubeiq"),
        ("35g5V9aubeiq", "/instances/35g5V9aubeiq"),
        ("nova seq", "/infrastructure?q=nova+seq"),
        ("s3://nowhere", "/infrastructure?q=s3%3A%2F%2Fnowhere"),
    ],
)
def test_go_to_opens_what_is_named_exactly_and_searches_for_the_rest(
    client_as: ClientAs, text: str, expected: str
) -> None:
    assert client_as("rita").get("/go", query_string={"q": text}).headers["Location"] == expected


def test_go_to_finds_nothing_out_of_reach(client_as: ClientAs, world: World) -> None:
    for text in ("lab/atlas", "imaging", world.imaging_uid):
        location = client_as("otto").get("/go", query_string={"q": text}).headers["Location"]
        assert location.startswith("/infrastructure?q="), text


def test_an_export_holds_the_filtered_events(client_as: ClientAs) -> None:
    client = client_as("ada")
    lines = client.get("/events.csv?type=instance", buffered=True).get_data(as_text=True).splitlines()
    assert lines[0].startswith("id,at,actor,action,")
    assert {line.split(",")[4] for line in lines[1:]} == {"instance"}
    rows = client.get("/events.json?type=instance", buffered=True).get_json()
    assert len(rows) == len(lines) - 1
    assert client.get("/events.json?since=tomorrow").status_code == 422
    assert client.get("/events?before=1e9").status_code == 422
