"""The commands of attached instances."""

import json

import pytest

from portal.lamindb.registry.ways import PostgresWay
from tests.clients.instances import execute
from tests.clients.registries.conftest import Desk, given
from tests.clients.registries.test_attaching import registries
from tests.integration.command_line import CommandLine

pytestmark = pytest.mark.dialects


@pytest.fixture
def typing(desk: Desk) -> CommandLine:
    """The command line of the portal."""
    return CommandLine(desk.portal)


def words_of(desk: Desk) -> tuple[list[str], dict[str, str]]:
    """Return the words, and the environment, that name the database without a secret among the words."""
    if isinstance(desk.way, PostgresWay):
        return [], {"PORTAL_REGISTRY_URL": desk.way.url}
    return ["--sqlite", desk.way.path], {}


def test_an_instance_is_attached_compared_and_detached(desk: Desk, typing: CommandLine, secret_of: str) -> None:
    words, environment = words_of(desk)
    tried = typing.run("instance", "attach", desk.slug, *words, "--dry-run", "--json", **environment)
    assert (tried.code, json.loads(tried.out)["uid"]) == (0, None)
    done = typing.record("instance", "attach", desk.slug, *words, **environment)
    assert done["uid"] == desk.people.instance_uid
    assert done["counts"]["locations"] == 3
    assert secret_of not in json.dumps(done)
    shown = typing.record("instance", "sync", desk.slug)
    assert [each["kind"] for each in shown["differences"]] == ["new"] * 3
    assert registries(desk)[0].difference_count == 3
    taken = typing.record("instance", "sync", desk.slug, "--apply")
    assert (len(taken["taken"]), len(taken["new"]), taken["left"]) == (3, 3, [])
    again = typing.record("instance", "sync", desk.slug, "--apply")
    assert (again["taken"], again["new"]) == ([], [])
    assert typing.run("instance", "sync", desk.slug).out == "Both say the same.\n"
    assert typing.record("instance", "check", desk.slug)["summary"] == "Everything that is needed works."
    assert typing.run("instance", "detach", desk.slug, "--confirm", "else").code == 1
    assert typing.record("instance", "detach", desk.slug, "--confirm", "atlas")["detached"] is True
    assert registries(desk) == []


def test_lines_for_people_say_what_differs(desk: Desk, typing: CommandLine) -> None:
    words, environment = words_of(desk)
    printed = typing.run("instance", "attach", desk.slug, *words, **environment)
    assert printed.out.endswith("Attached lab/atlas.\n")
    typing.run("instance", "sync", desk.slug, "--apply")
    execute(
        desk.way, "UPDATE lamindb_storage SET description = 'Slides' WHERE id = (SELECT max(id) FROM lamindb_storage)"
    )
    line = typing.run("instance", "sync", desk.slug).out
    assert line.startswith("differs    /")
    assert "description Slides, here empty." in line


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
@pytest.mark.parametrize("way_in", ["stdin", "prompt"])
def test_the_url_is_read_where_no_list_of_processes_shows_it(desk: Desk, typing: CommandLine, way_in: str) -> None:
    url = given(desk.way)["url"]
    words = ["--url", "-"] if way_in == "stdin" else []
    ran = typing.run("instance", "attach", desk.slug, *words, typed=f"{url}\n")
    assert ran.code == 0, ran.err
    assert url not in ran.out + ran.err


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_what_is_refused_says_why_and_saves_nothing(desk: Desk, typing: CommandLine) -> None:
    ran = typing.run("instance", "attach", desk.slug, "--sqlite", f"{desk.way.label}.missing", "--json")
    assert ran.code == 1
    assert "There is no file" in ran.err
    assert json.loads(ran.out)["checks"][0]["status"] == "failed"
    assert typing.run("instance", "sync", desk.slug).code == 1
    assert typing.run("instance", "attach", desk.slug, "--sqlite", desk.way.label, actor="erik").code == 1
    assert registries(desk) == []
