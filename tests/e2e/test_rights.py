"""Who may not do a thing sees no button for it, and is refused all the same."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import OpenAs
from tests.e2e.scene import Scene, fill, picture

#: As the portal's own pages send it; without the header the request is refused for another reason.
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}

BUTTONS = ("Edit", "Move root", "Run checks", "Lock the record", "Archive", "Move to trash", "Delete for good")


@pytest.fixture(scope="module")
def location(scene: Scene) -> str:
    """A location in the space imaging, where erik may write, rita may read and otto is unknown."""
    folder = fill(scene.base / "microscopy", {"image.tif": b"tif"})
    return scene.register(folder, space=scene.world.imaging_uid, description="As it was.")


def changing_addresses(scene: Scene, uid: str) -> list[str]:
    """Return every address that takes a POST about a location, so that a new one cannot be forgotten."""
    rules = [rule for rule in scene.inside.app.url_map.iter_rules() if rule.rule.startswith("/storages/<uid>")]
    found = [rule.rule.replace("<uid>", uid) for rule in rules if "POST" in (rule.methods or ())]
    assert len(found) >= 6
    return found


def form_of(address: str) -> dict[str, str | float | bool]:
    return {
        "description": "Changed.",
        "branch": "trash",
        "locked": "1",
        "confirm": "microscopy",
        "target_connection_uid": "local",
        "target_root": "/tmp/elsewhere",
    }


def test_a_viewer_sees_the_location_without_a_button_that_changes_it(
    open_as: OpenAs, ada: Page, scene: Scene, location: str
) -> None:
    rita = open_as("rita")
    for page, count in ((ada, 1), (rita, 0)):
        page.goto(f"{scene.url}/storages/{location}")
        expect(page.get_by_role("heading", level=1)).to_contain_text("microscopy")
        for name in BUTTONS:
            found = page.locator("main").get_by_role("button", name=name, exact=True)
            expect(found.or_(page.locator("main").get_by_role("link", name=name, exact=True))).to_have_count(count)


def test_a_viewer_who_forges_a_post_is_refused_and_nothing_changes(
    open_as: OpenAs, scene: Scene, location: str
) -> None:
    rita = open_as("rita")
    rita.goto(f"{scene.url}/storages/{location}")
    before = scene.view(location), scene.count_rows(), picture(scene.base / "microscopy")
    for address in changing_addresses(scene, location):
        answer = rita.request.post(scene.url + address, form=form_of(address), headers=SAME_ORIGIN, max_redirects=0)
        assert answer.status == 403, f"{address}: {answer.status}"
    for page in ("edit", "delete", "move"):
        assert rita.goto(f"{scene.url}/storages/{location}/{page}").status == 403  # type: ignore[union-attr]  # None for about:blank only
    expect(rita.get_by_role("heading", name="Your role does not allow this")).to_be_visible()
    assert (scene.view(location), scene.count_rows(), picture(scene.base / "microscopy")) == before


def test_an_outsider_is_told_there_is_nothing(open_as: OpenAs, scene: Scene, location: str) -> None:
    otto = open_as("otto")
    before = scene.view(location), scene.count_rows()
    otto.goto(f"{scene.url}/infrastructure?q=microscopy")
    expect(otto.get_by_role("link", name="microscopy")).to_have_count(0)
    tabs = ("", "/checks", "/contents", "/access", "/migrations", "/events", "/edit", "/delete", "/move")
    for tab in tabs:
        assert otto.request.get(f"{scene.url}/storages/{location}{tab}").status == 404, tab
    for address in changing_addresses(scene, location):
        answer = otto.request.post(scene.url + address, form=form_of(address), headers=SAME_ORIGIN, max_redirects=0)
        assert answer.status == 404, f"{address}: {answer.status}"
    otto.goto(f"{scene.url}/storages/{location}")
    expect(otto.get_by_role("heading", name="Nothing here")).to_be_visible()
    assert (scene.view(location), scene.count_rows()) == before


def test_another_site_cannot_post_in_the_name_of_an_admin(ada: Page, scene: Scene, location: str) -> None:
    before = scene.view(location), scene.count_rows()
    for address in changing_addresses(scene, location):
        answer = ada.request.post(
            scene.url + address, form=form_of(address), headers={"Sec-Fetch-Site": "cross-site"}, max_redirects=0
        )
        assert answer.status in {400, 403}, f"{address}: {answer.status}"
    assert (scene.view(location), scene.count_rows()) == before
