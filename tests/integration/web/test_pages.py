"""Every page of this face answers, for everybody who may see it."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.integration.world import World

ClientAs = Callable[[str | None], FlaskClient]


def pages(world: World) -> dict[str, str]:
    """Return path -> who may open it, from `a` ada to `o` otto."""
    return {
        "/account": "aero",
        "/events": "aero",
        "/events.csv": "aero",
        "/events.json": "aero",
        "/events?q=atlas&type=space&action=space.created&actor=ada&since=2026-01-01": "aero",
        "/go": "aero",
        "/hosts": "aero",
        "/hosts/new": "a",
        "/hosts/portal-host/edit": "a",
        "/instances": "aero",
        "/instances/new": "aero",
        f"/instances/{world.instance_uid}": "aer",
        f"/instances/{world.instance_uid}/edit": "a",
        "/people": "aero",
        "/people?q=er": "aero",
        "/people/ada": "aero",
        "/people/lab": "aero",
        "/people/lab/edit": "a",
        "/people/new": "a",
        "/people/organisations/new": "aero",
        "/settings": "aero",
        "/spaces": "aero",
        "/spaces/new": "aero",
        "/spaces/aaaaaaaaaaaa": "aero",
        f"/spaces/{world.imaging_uid}": "aer",
        f"/spaces/{world.imaging_uid}/edit": "a",
        f"/spaces/{world.clinical_uid}": "a",
    }


@pytest.mark.parametrize("handle", ["ada", "erik", "rita", "otto"])
def test_pages_open_for_whom_they_should_and_for_nobody_else(client_as: ClientAs, world: World, handle: str) -> None:
    client = client_as(handle)
    for path, allowed in pages(world).items():
        expected = {200} if handle[0] in allowed else {403, 404}
        response = client.get(path, buffered=True)
        assert response.status_code in expected, f"{path}: {response.status_code}"


def test_nobody_sees_a_page_without_signing_in(client_as: ClientAs, world: World) -> None:
    client = client_as(None)
    for path in pages(world):
        response = client.get(path, buffered=True)
        assert response.status_code == 303, path
        assert response.headers["Location"].startswith("/sign-in"), path
        assert b"Cell atlas" not in response.data


def test_a_fragment_is_a_part_of_its_page(client_as: ClientAs, world: World) -> None:
    client = client_as("ada")
    fragments = {
        "/events": "<table",
        "/people": "<table",
        "/people/lab": 'id="members"',
        f"/instances/{world.instance_uid}": 'id="members"',
        f"/spaces/{world.imaging_uid}": 'id="members"',
    }
    for path, part in fragments.items():
        fragment = client.get(path, headers={"HX-Request": "true"})
        text = fragment.get_data(as_text=True)
        assert "<html" not in text, path
        assert part in text, path
        assert "HX-Request" in fragment.headers["Vary"]


def test_a_session_that_ended_tells_htmx_so(client_as: ClientAs) -> None:
    response = client_as(None).get("/events", headers={"HX-Request": "true"})
    assert response.status_code == 401
    assert "signed out" in response.headers["HX-Trigger"]
