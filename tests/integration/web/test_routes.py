"""Every route with every role, on both databases; and nothing that was refused has changed anything."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from tests.integration.web.route_table import ANSWERS, PEOPLE, ROUTES, Answer, Need
from tests.integration.web.route_world import NOWHERE, RouteWorld, route_world
from tests.servers import PostgresServer, SqliteTemplate

#: What a request that is let through may come to. Never a surprise (500), never a refusal.
GRANTED = {200, 303, 409, 422}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def walked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouteWorld]:
    """The world, made once a database."""
    folder = tmp_path_factory.mktemp("routes")
    if request.param == "sqlite":
        template: SqliteTemplate = request.getfixturevalue("sqlite_template")
        with route_world(template.new_database(folder / "portal.db"), folder) as world:
            yield world
        return
    from tests.conftest import upgrade

    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.new_database_from(upgrade)
    with route_world(url, folder) as world:
        yield world
    server.drop_database(url)


def browser(walked: RouteWorld, person: str) -> FlaskClient:
    return walked.portal.client_as(None if person == "anonymous" else person)


def answer_of(status: int, location: str, *, reaches: bool) -> Answer | None:
    """Return what an answer comes to; None for one that no request should ever get."""
    if status == 303 and urlsplit(location).path == "/sign-in":
        return Answer.SIGN_IN
    if status == 404 and not reaches:
        return Answer.GRANTED
    return {404: Answer.HIDDEN, 403: Answer.REFUSED}.get(status) or (Answer.GRANTED if status in GRANTED else None)


def test_each_route_is_in_the_table_with_what_it_needs(walked: RouteWorld) -> None:
    rules = [rule for rule in walked.portal.app.url_map.iter_rules() if rule.endpoint != "static"]
    found = {(method, rule.rule) for rule in rules for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    assert found == set(ROUTES), "add the route to route_table.py with the least role it needs, or take it out"


@pytest.mark.parametrize("storage", ["managed", "unmanaged"])
@pytest.mark.parametrize("person", PEOPLE)
def test_a_person_meets_each_route_as_the_role_says(walked: RouteWorld, person: str, storage: str) -> None:
    faults = []
    for (method, rule), route in ROUTES.items():
        if storage == "unmanaged" and not rule.startswith("/storages"):
            continue
        expected = ANSWERS[route.need][PEOPLE.index(person)]
        path = walked.path(rule, storage)
        answer = walked.send(browser(walked, person), method, path, walked.form(route))
        got = answer_of(answer.status_code, answer.headers.get("Location", ""), reaches=route.reaches)
        # Who signs out is sent to the sign-in page too, and so is who opens `/` without an account.
        if got is Answer.SIGN_IN and route.need is Need.PUBLIC:
            got = Answer.GRANTED
        changed = walked.changed_tables()
        if got is not expected:
            faults.append(f"{method} {path}: {expected} was due, {answer.status_code} came")
        if changed and (method == "GET" or expected is not Answer.GRANTED):
            faults.append(f"{method} {path}: answered {answer.status_code} and changed {changed}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("sent_from", [None, "cross-site"])
def test_a_form_that_another_site_sends_is_refused_before_anything_is_done(
    walked: RouteWorld, sent_from: str | None
) -> None:
    client = walked.portal.client_as("ada")
    del client.environ_base["HTTP_SEC_FETCH_SITE"]
    if sent_from is not None:
        client.environ_base["HTTP_SEC_FETCH_SITE"] = sent_from
    faults = []
    for (method, rule), route in ROUTES.items():
        if method == "POST":
            answer = walked.send(client, method, walked.path(rule), walked.form(route))
            if answer.status_code != 403 or walked.changed_tables():
                faults.append(f"{rule}: {answer.status_code}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Sec-Fetch-Site", "same-site", 403),
        ("Sec-Fetch-Site", "none", 403),
        ("Sec-Fetch-Site", "same-origin", 303),
        ("Origin", "https://elsewhere.example", 403),
        ("Origin", "http://localhost.elsewhere.example", 403),
        ("Origin", "null", 403),
        ("Origin", "http://localhost", 303),
    ],
)
def test_a_form_is_taken_from_this_portal_alone(walked: RouteWorld, name: str, value: str, status: int) -> None:
    client = walked.portal.client_as("ada")
    del client.environ_base["HTTP_SEC_FETCH_SITE"]
    assert client.post("/theme", data={"theme": "dark"}, headers={name: value}).status_code == status


def test_what_is_hidden_answers_as_what_does_not_exist(walked: RouteWorld) -> None:
    client = walked.portal.client_as("otto")
    faults = []
    for (method, rule), route in ROUTES.items():
        if "<uid>" not in rule:
            continue
        form = walked.form(route)
        there, nowhere = (walked.path(rule), walked.path(rule, uid=NOWHERE))
        hidden, missing = (walked.send(client, method, path, form) for path in (there, nowhere))
        uid = there.split("/")[2]
        texts = {_without_ids(answer.text.replace(uid, NOWHERE)) for answer in (hidden, missing)}
        if hidden.status_code != missing.status_code or len(texts) > 1:
            faults.append(f"{method} {there}: {hidden.status_code}, {missing.status_code}")
    assert not faults, "\n".join(faults)


def _without_ids(page: str) -> str:
    """Return an error page without the id of its request."""
    return "\n".join(line for line in page.splitlines() if "equest" not in line)


def test_somebody_elses_own_location_is_hidden_from_everybody(walked: RouteWorld) -> None:
    faults = []
    for person in ("otto", "rita", "erik", "uma", "pia"):
        client = browser(walked, person)
        for (method, rule), route in ROUTES.items():
            if rule.startswith("/storages/"):
                answer = walked.send(client, method, walked.path(rule, "own"), walked.form(route))
                if answer.status_code != 404 or walked.changed_tables():
                    faults.append(f"{person} {method} {rule}: {answer.status_code}")
        lists = ["/infrastructure", "/infrastructure.json", "/infrastructure.csv", "/ada/infrastructure", "/migrations"]
        if person != "pia":  # a portal admin reads the whole audit log
            lists.append("/events.json")
        for path in lists:
            assert walked.names["own"] not in walked.send(client, "GET", path, {}).text, f"{person} {path}"
    assert not faults, "\n".join(faults)


def test_a_part_of_a_page_is_refused_as_the_page_is(walked: RouteWorld) -> None:
    faults = []
    for person in ("anonymous", "otto", "rita"):
        client = browser(walked, person)
        client.environ_base["HTTP_HX_REQUEST"] = "true"
        for (method, rule), route in ROUTES.items():
            expected = ANSWERS[route.need][PEOPLE.index(person)]
            if expected is Answer.GRANTED:
                continue
            status = {Answer.SIGN_IN: 401, Answer.HIDDEN: 404, Answer.REFUSED: 403}[expected]
            answer = walked.send(client, method, walked.path(rule), walked.form(route))
            if answer.status_code != status or "<html" in answer.text or walked.changed_tables():
                faults.append(f"{person} {method} {rule}: {answer.status_code}")
    assert not faults, "\n".join(faults)
