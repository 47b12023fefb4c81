"""Every page, as ada sees a filled portal: nothing that axe finds, no sideways scroll, no complaint, one heading."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from portal.planning.roots import parse_root
from portal.planning.states import MigrationState
from portal.services import connections, migrations, one_time_links
from portal.services.work import Work
from portal.values import MARKER_KEY, ConnectionKind
from tests.e2e.browser import NARROW, WIDE, axe_findings, scrolls_sideways, settle
from tests.e2e.conftest import OpenAs
from tests.e2e.scene import Scene, Wish, fill
from tests.servers import S3Server

pytestmark = pytest.mark.timeout(600)

#: Files, probes for machines, and addresses that lead elsewhere at once.
NOT_PAGES = {
    "static",
    "health.live",
    "health.ready",
    "account.home",
    "infrastructure.home",
    "infrastructure.export",
    "events.export_csv",
    "events.export_json",
    "go.jobs",
    "artifacts.objects",
    "artifacts.export",
    "migration_controls.export",
    "certificates.download",
    "certificates.key",
    # Only of an instance that is attached to a real database: tests/clients asks for it.
    "registries.comparison",
}

#: Pages of people who are not signed in.
SIGNED_OUT = {"account.sign_in", "setup.first_admin", "setup.choose_password"}

#: Pages with a form that says what is wrong when it is sent empty.
FORMS = {
    "/connect-s3": "Connect",
    "/register-local-root": "Register",
    "/spaces/new": None,
    "/instances/new": None,
    "/people/new": None,
    "/people/organisations/new": None,
    "/hosts/new": None,
}


@pytest.fixture(scope="module")
def examples(scene: Scene, s3_server: S3Server) -> dict[str, list[str]]:
    """Addresses of pages about one thing, by endpoint: at least one each."""
    locations, moves = fill_portal(scene, s3_server)
    world, first = scene.world, f"/storages/{locations[0]}"
    with scene.inside.write_as("ada") as work:
        used = connections.list_connections(work)[0].uid
        bucket = parse_root("s3://nobody-uses-this", home="/", cwd="/")
        owner_id = work.actor.account_id or 0
        unused = connections.add_connection(
            work, connections.NewConnection(owner_id, ConnectionKind.ANONYMOUS, bucket)
        ).uid
    tabs = {
        name: [first + path]
        for name, path in (
            ("storages.list_checks", "/checks"),
            ("storages.access", "/access?person=rita"),
            ("storages.list_migrations", "/migrations"),
            ("storages.events", "/events"),
            ("storages.edit", "/edit"),
            ("migrations.new", "/move"),
        )
    }
    return {
        **tabs,
        "storages.show": [f"/storages/{uid}" for uid in locations],
        "storages.browse": [f"{first}/contents", f"{first}/contents?folder=raw/", f"/storages/{locations[2]}/contents"],
        "storages.delete": [f"/storages/{uid}/delete" for uid in locations[:2]],
        "migrations.show": [f"/migrations/{uid}" for uid in moves.values()],
        "migration_controls.limits": [f"/migrations/{moves[MigrationState.PLANNED]}/limits"],
        "migration_controls.schedule": [f"/migrations/{moves[MigrationState.PLANNED]}/schedule"],
        "migration_controls.errors": [f"/migrations/{uid}/errors" for uid in moves.values()],
        "migrations.cancel": [f"/migrations/{moves[MigrationState.PLANNED]}/cancel"],
        "migrations.cut_over": [f"/migrations/{moves[MigrationState.READY]}/cut-over"],
        "migrations.roll_back": [f"/migrations/{moves[MigrationState.SOAKING]}/roll-back"],
        "certificates.show": [
            f"/migrations/{moves[state]}/certificate" for state in (MigrationState.SOAKING, MigrationState.ROLLED_BACK)
        ],
        "migrations.release": [f"/migrations/{moves[MigrationState.SOAKING]}/release"],
        "infrastructure.index": [
            "/infrastructure?type=s3&sort=-root",
            "/infrastructure?q=nothing-like-this",
            "/infrastructure?branch=archive&branch=main",
            "/lab/infrastructure",
        ],
        "instances.show": [f"/instances/{world.instance_uid}"],
        "instances.edit": [f"/instances/{world.instance_uid}/edit"],
        "artifacts.index": [f"{first}/artifacts"],
        "migrations.report": [f"/migrations/{moves[MigrationState.SOAKING]}/report"],
        "migrations.take_as_is": [f"/migrations/{moves[MigrationState.PLANNED]}/take-as-is"],
        "registries.attach": [f"/instances/{world.instance_uid}/attach"],
        "registries.detach": [f"/instances/{world.instance_uid}/detach"],
        "defaults.show": [f"/instances/{world.instance_uid}/default-storage"],
        "spaces.show": [f"/spaces/{world.imaging_uid}", f"/spaces/{world.clinical_uid}"],
        "spaces.edit": [f"/spaces/{world.imaging_uid}/edit"],
        "people.show": ["/people/rita", "/people/lab"],
        "people.edit": ["/people/lab/edit"],
        "hosts.edit": ["/hosts/cluster-3/edit"],
        "connections.show": [f"/connections/{used}", f"/connections/{unused}"],
        "connections.delete": [f"/connections/{unused}/delete"],
    }


def fill_portal(scene: Scene, s3_server: S3Server) -> tuple[list[str], dict[MigrationState, str]]:
    """Make locations of every kind, and a migration in each state in which it rests."""
    bucket = s3_server.add_bucket("a-foreign-bucket")
    foreign = "abcdefABCDEF\n\ninstance_slug=acme/screens\ninstance_id=00112233445566778899aabbccddeeff"
    fill(bucket, {"atlas/" + MARKER_KEY: foreign.encode(), "atlas/data.csv": b"a"})
    first = scene.register(source(scene, "every-page"), description="What is in it.", space=scene.world.imaging_uid)
    locations = [
        first,
        scene.connect("s3://a-foreign-bucket/atlas", s3_server, or_read_only=True),
        scene.register("/nfs/every-page", host="cluster-3"),
        scene.register(source(scene, "every-page-unmanaged"), instance=""),
    ]
    return locations, make_moves(scene)


def make_moves(scene: Scene) -> dict[MigrationState, str]:
    """Make a migration for each state, of roots that the portal alone knows."""
    wishes: dict[str, list[Wish]] = {
        "planned": [],
        "ready": [migrations.start],
        "soaking": [migrations.start, cut_over],
        "rolled-back": [migrations.start, cut_over, migrations.request_rollback],
        "cancelled": [migrations.cancel],
        "failed": [],
        "conflict": [migrations.start],
    }
    moves = {}
    for name, steps in wishes.items():
        folder, target = source(scene, f"move-{name}"), scene.base / "targets" / name
        if name == "failed":
            fill(folder, {".lamindb/lamin.db": b"SQLite format 3\0"})
        if name == "conflict":
            fill(target, {"raw/plate 1/well.tif": b"something else"})
        made = scene.move(scene.register(folder, instance=""), target, *steps)
        moves[scene.state(made)] = made
    assert len(moves) == len(wishes), moves
    return moves


def cut_over(work: Work, uid: str) -> None:
    name = migrations.get_page(work, uid).confirm_with
    migrations.request_cut_over(work, uid, migrations.CutOver(name, registry_changed=True))


def source(scene: Scene, name: str) -> Path:
    return fill(scene.base / name, {"raw/plate 1/well.tif": b"tif", "README.md": b"read me\n"})


def addresses(scene: Scene, examples: dict[str, list[str]]) -> list[str]:
    """Return an address of every page the app has; a page without an example fails the test."""
    found: list[str] = []
    for rule in scene.inside.app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint in NOT_PAGES | SIGNED_OUT:
            continue
        known = examples.get(rule.endpoint, [])
        assert known or not rule.arguments, f"{rule.rule} is a new page: give it an address in `examples`"
        found += known if rule.arguments else [rule.rule, *known]
    return list(dict.fromkeys(found))


#: What can differ between a wide light page and a narrow dark one; all the rest is asked once.
NARROW_RULES = (
    "color-contrast",
    "target-size",
    "link-in-text-block",
    "scrollable-region-focusable",
    "aria-hidden-focus",
    "button-name",
    "link-name",
)


def faults_of(page: Page) -> list[str]:
    """Return all that is wrong with the open page: light and wide, then dark and narrow."""
    found = axe_findings(page)
    if page.locator("h1").count() != 1:
        found.append(f"{page.locator('h1').count()} headings of the first level")
    if not page.title().endswith(" · Portal"):
        found.append(f"title: {page.title()}")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(NARROW)
    settle(page)
    if scrolls_sideways(page):
        found.append("scrolls sideways at 360 px")
    # The whole page in one window: what lies under the docked buttons just now is no fault, since it scrolls.
    height = page.evaluate("() => document.documentElement.scrollHeight")
    page.set_viewport_size({"width": NARROW["width"], "height": max(NARROW["height"], height)})
    found += axe_findings(page, *NARROW_RULES)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)
    return [f"{page.url}: {fault}" for fault in found]


def test_every_page_can_be_used_by_everybody(open_as: OpenAs, scene: Scene, examples: dict[str, list[str]]) -> None:
    page = open_as("ada", reduced_motion="reduce")
    faults = []
    for address in addresses(scene, examples):
        answer = page.goto(scene.url + address)
        if answer is None or answer.status != 200:
            faults.append(f"{address}: {answer.status if answer else 'no answer'}")
        faults += faults_of(page)
    assert not faults, "\n".join(faults)


#: How many colours and the like are on their way just after the theme has changed, and a frame later.
MOVING = """
async () => {
  const count = () => document.getAnimations().filter((animation) => animation instanceof CSSTransition).length;
  const counts = [];
  for (let frame = 0; frame < 3; frame += 1) {
    await new Promise(requestAnimationFrame);
    counts.push(count());
  }
  return counts;
}
"""


def test_who_wants_less_motion_sees_another_theme_at_once(open_as: OpenAs, scene: Scene) -> None:
    page = open_as("ada", reduced_motion="reduce")
    page.goto(f"{scene.url}/infrastructure")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(MOVING) == [0, 0, 0]


def test_every_form_that_complains_can_be_used_by_everybody(open_as: OpenAs, scene: Scene) -> None:
    page = open_as("ada", reduced_motion="reduce")
    faults = []
    for address, label in FORMS.items():
        page.goto(scene.url + address)
        button = (
            page.locator("main form button.primary")
            if label is None
            else page.get_by_role("button", name=label, exact=True)
        )
        button.click()
        expect(page.locator("#error-summary")).to_be_focused()
        faults += faults_of(page)
    assert not faults, "\n".join(faults)


def test_every_page_of_an_error_or_a_stranger_can_be_used_by_everybody(
    open_as: OpenAs, page: Page, scene: Scene, examples: dict[str, list[str]]
) -> None:
    rita = open_as("rita", reduced_motion="reduce")
    faults = []
    for address, status in ((examples["storages.edit"][0], 403), ("/no-such-page", 404), ("/events?after=x", 422)):
        answer = rita.goto(scene.url + address)
        assert answer is not None
        assert answer.status == status, address
        faults += faults_of(rita)
    with scene.inside.write_as("ada") as work:
        token = one_time_links.make_password_link(work, "otto")
    for address in ("/sign-in", "/no-such-page", f"/link/{token}", "/link/used-already"):
        page.goto(scene.url + address)
        faults += faults_of(page)
    assert not faults, "\n".join(faults)


def test_the_theme_is_switched_and_kept(ada: Page, scene: Scene) -> None:
    ada.emulate_media(color_scheme="light")
    ada.goto(f"{scene.url}/infrastructure")
    light = ada.evaluate("() => getComputedStyle(document.querySelector('main')).color")
    ada.get_by_role("button", name="Light or dark").click()
    expect(ada.locator("html")).to_have_attribute("data-theme", "dark")
    ada.goto(f"{scene.url}/spaces")
    expect(ada.locator("html")).to_have_attribute("data-theme", "dark")
    assert ada.evaluate("() => getComputedStyle(document.querySelector('main')).color") != light
    assert axe_findings(ada) == []
