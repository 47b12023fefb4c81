"""A real instance in a real browser: attached, compared, taken over, moved; every page on the way is sound."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from portal.services import migrations
from portal.services.work import Work
from tests.clients.conftest import MakeInstance
from tests.clients.instances import Instance
from tests.e2e.conftest import (  # noqa: F401 - fixtures
    OpenAs,
    browser,
    cookies,
    new_context,
    open_as,
    playwright,
    scene,
)
from tests.e2e.scene import Scene
from tests.e2e.test_accessibility import faults_of

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def instance(scene: Scene, make_instance: MakeInstance, tmp_path: Path) -> Instance:  # noqa: F811 - the fixture
    """An instance on SQLite below the portal's base directory, with two filled locations."""
    return make_instance("sqlite", tmp_path / "person", str(scene.base / "atlas"), [str(scene.base / "slides")])


def cut_over(work: Work, migration: str) -> None:
    """Wish for the cut-over, as with the typed name."""
    migrations.request_cut_over(work, migration, migrations.CutOver("slides"))


def test_an_instance_is_attached_taken_over_and_moved(
    open_as: OpenAs,  # noqa: F811 - the fixture
    scene: Scene,  # noqa: F811 - the fixture
    instance: Instance,
) -> None:
    page, faults = open_as("ada", reduced_motion="reduce"), list[str]()
    home, slides = f"{scene.url}/instances/{scene.world.instance_uid}", instance.location(str(scene.base / "slides"))

    def look() -> None:
        faults.extend(faults_of(page))

    attach(page, home, str(scene.base / "atlas/.lamindb/lamin.db"), look)
    expect(page.get_by_role("row").filter(has_text="New here")).to_have_count(2)
    look()
    page.get_by_role("button", name="Take over all").click()
    page.goto(f"{home}/compare")
    expect(page.get_by_text("Both say the same")).to_be_visible()
    look()
    for path in ("", "/default-storage", "/detach"):
        page.goto(home + path)
        look()

    location = f"{scene.url}/storages/{slides['uid']}"
    page.goto(f"{location}/artifacts?q=notes/")
    expect(page.locator("tbody tr").first.get_by_text("there", exact=True)).to_be_visible()
    look()
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV of this filter").click()
    assert "notes/real.txt" in Path(download.value.path()).read_text()
    for path in ("", "/edit", "/move"):
        page.goto(location + path)
        look()

    made = scene.move(slides["uid"], scene.base / "third", migrations.start, cut_over)
    for path in ("", "/report", "/roll-back"):
        page.goto(f"{scene.url}/migrations/{made}{path}")
        look()
    assert not faults, "\n".join(faults)


def attach(page: Page, home: str, path: str, look: Callable[[], None]) -> None:
    """Fill in the form, look at what a check says of a wrong path and of the right one, and attach."""
    page.goto(home)
    page.get_by_role("link", name="Attach", exact=True).click()
    page.get_by_label("SQLite file").fill(f"{path}.gone")
    page.get_by_role("button", name="Only check").click()
    expect(page.get_by_text("There is no file").first).to_be_visible()
    look()
    page.get_by_label("SQLite file").fill(path)
    page.get_by_role("button", name="Only check").click()
    expect(page.get_by_role("heading", name="Everything that is needed works.")).to_be_visible()
    look()
    page.get_by_role("button", name="Attach", exact=True).click()
    page.wait_for_url("**/compare")
