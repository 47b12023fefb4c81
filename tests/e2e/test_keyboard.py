"""The portal without a mouse."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.scene import Scene, fill
from tests.integration.world import PASSWORD


@pytest.fixture(scope="module")
def location(scene: Scene) -> str:
    return scene.register(fill(scene.base / "keyboard-screens", {"a.csv": b"a"}))


def test_a_person_signs_in_searches_and_opens_a_location_by_keys_alone(page: Page, scene: Scene, location: str) -> None:
    page.goto(f"{scene.url}/sign-in")
    expect(page.get_by_label("Handle or e-mail")).to_be_focused()
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/infrastructure")

    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search", exact=True)
    expect(search).to_be_focused()
    page.keyboard.type("keyboard-screens")
    expect(page).to_have_url(re.compile("q=keyboard-screens"))
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(search).to_be_focused()
    tab_to(page, f"/storages/{location}")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/storages/{location}")


def tab_to(page: Page, address: str) -> None:
    """Press Tab until the focus is on a link to `address`."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("() => (document.activeElement || {}).pathname") == address:
            return
    raise AssertionError(f"no Tab leads to {address}")


def test_letters_lead_to_pages_and_the_list_of_keys_opens_and_closes(ada: Page, scene: Scene, location: str) -> None:
    ada.goto(f"{scene.url}/infrastructure")
    for key, address in (
        ("m", "migrations"),
        ("s", "spaces"),
        ("p", "people"),
        ("e", "events"),
        ("i", "infrastructure"),
    ):
        ada.keyboard.press("g")
        ada.keyboard.press(key)
        ada.wait_for_url(f"**/{address}")

    shortcuts = ada.get_by_role("button", name="Shortcuts")
    shortcuts.focus()
    ada.keyboard.press("Enter")
    keys = ada.get_by_role("dialog", name="Shortcuts")
    expect(keys).to_be_visible()
    ada.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    expect(shortcuts).to_be_focused()
    ada.keyboard.press("?")
    expect(keys).to_be_visible()
    ada.keyboard.press("c")
    expect(keys).to_be_visible()
    ada.keyboard.press("Escape")
    expect(keys).to_be_hidden()

    ada.keyboard.press("j")
    expect(ada.locator("tbody tr").first.get_by_role("link").first).to_be_focused()
    ada.keyboard.press("c")
    ada.wait_for_url("**/connect-s3")


def test_keys_are_letters_inside_a_field_and_can_be_switched_off(ada: Page, scene: Scene, location: str) -> None:
    ada.goto(f"{scene.url}/infrastructure")
    ada.keyboard.press("/")
    ada.keyboard.type("c?gm")
    expect(ada.get_by_role("searchbox", name="Search", exact=True)).to_have_value("c?gm")
    expect(ada.get_by_role("dialog", name="Shortcuts")).to_be_hidden()

    ada.goto(f"{scene.url}/infrastructure")
    ada.keyboard.press("?")
    switch = ada.get_by_label("Use shortcuts in this browser")
    switch.focus()
    ada.keyboard.press("Space")
    expect(switch).not_to_be_checked()
    ada.keyboard.press("Escape")
    ada.keyboard.press("c")
    ada.keyboard.press("?")
    expect(ada.get_by_role("dialog", name="Shortcuts")).to_be_hidden()
    expect(ada).to_have_url(f"{scene.url}/infrastructure")


def test_the_first_tab_skips_to_the_content_and_ctrl_k_goes_to_a_name(ada: Page, scene: Scene, location: str) -> None:
    ada.goto(f"{scene.url}/infrastructure")
    ada.keyboard.press("Tab")
    expect(ada.get_by_role("link", name="Skip to the content")).to_be_focused()
    ada.keyboard.press("Enter")
    expect(ada.locator("#main")).to_be_focused()

    ada.keyboard.press("Control+k")
    expect(ada.get_by_role("searchbox", name="Go to root, person, space")).to_be_focused()
    ada.keyboard.type(location)
    ada.keyboard.press("Enter")
    ada.wait_for_url(f"**/storages/{location}")


#: What has the focus, and whether a ring is drawn around it or around the box that stands for it.
FOCUSED = """
() => {
  const element = document.activeElement;
  const boxes = [element, element.closest(".search, .goto") || element].map((box) => getComputedStyle(box));
  const hasRing = boxes.some((box) => box.outlineStyle !== "none" && parseFloat(box.outlineWidth) > 0);
  return [element.outerHTML.slice(0, 120), hasRing || element === document.body];
}
"""


def test_every_focused_thing_can_be_seen(ada: Page, scene: Scene, location: str) -> None:
    for address in ("/infrastructure", f"/storages/{location}", "/connect-s3"):
        ada.goto(scene.url + address)
        unseen = []
        for _ in range(25):
            ada.keyboard.press("Tab")
            element, can_be_seen = ada.evaluate(FOCUSED)
            if not can_be_seen:
                unseen.append(element)
        assert unseen == []
