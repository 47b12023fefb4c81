"""The page that registers a directory."""

from collections.abc import Callable
from pathlib import Path

from flask.testing import FlaskClient

from tests.integration.world import World

ClientAs = Callable[[str | None], FlaskClient]


def test_a_directory_is_registered(client_as: ClientAs, world: World, local_base: Path) -> None:
    (local_base / "cells").mkdir()
    client = client_as("ada")
    assert "portal-host" in client.get("/register-local-root").text
    data = {"path": str(local_base / "cells"), "host": "portal-host", "instance": "", "space": "aaaaaaaaaaaa"}
    answer = client.post("/register-local-root", data={**data, "owner": "ada"}, follow_redirects=True)
    assert answer.status_code == 200
    assert "Registered." in answer.text


def test_a_refused_path_says_why_at_its_field(client_as: ClientAs, world: World, local_base: Path) -> None:
    data = {"path": "/proc/self", "host": "portal-host", "instance": "", "space": "aaaaaaaaaaaa", "owner": "ada"}
    answer = client_as("ada").post("/register-local-root", data=data)
    assert answer.status_code == 422
    assert f"/proc is not allowed. Roots must lie below {local_base}." in answer.text


def test_another_hosts_root_is_shown_as_not_reached(client_as: ClientAs, world: World) -> None:
    data = {"path": "/nfs/data", "host": "nas-1", "instance": "", "space": "aaaaaaaaaaaa", "owner": "ada"}
    answer = client_as("ada").post("/register-local-root", data=data, follow_redirects=True)
    assert answer.status_code == 200
    assert "until a runner on nas-1 reports" in answer.text
    page = client_as("ada").get(answer.request.path + "/contents").text
    assert "portal runner --host nas-1" in page
