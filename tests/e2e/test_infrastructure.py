"""The table of all locations: search, sort, filter, pages and export, with JavaScript and without."""

import csv
import io
import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import OpenAs
from tests.e2e.scene import Scene

#: More than one page holds.
COUNT = 57

#: All roots of this file, and nobody else's, match it.
WORD = "cohort"


@pytest.fixture(scope="module")
def locations(scene: Scene) -> list[str]:
    """Roots on another host, which are registered without being tried; the first three in the space imaging."""
    return [
        scene.register(
            f"/nfs/{WORD}/{at:02}",
            host="cluster-9",
            space=scene.world.imaging_uid if at < 3 else "",
            description="=1+1" if at == 0 else f"Number {at}",
        )
        for at in range(COUNT)
    ]


def rows(page: Page) -> Locator:
    return page.locator("tbody tr")


def roots(page: Page) -> list[str]:
    """Return the last part of each root in the table."""
    return [text.strip().rpartition("/")[2] for text in page.locator("tbody td.c-main").all_text_contents()]


def search_field(page: Page) -> Locator:
    return page.get_by_role("searchbox", name="Search", exact=True)


def test_searching_as_you_type_swaps_the_rows_and_the_address(ada: Page, scene: Scene, locations: list[str]) -> None:
    ada.goto(f"{scene.url}/infrastructure")
    ada.evaluate("() => { window.isSamePage = true; }")
    search_field(ada).press_sequentially(f"{WORD} 56")
    expect(rows(ada)).to_have_count(1)
    expect(ada).to_have_url(re.compile(f"[?&]q={WORD}(\\+|%20)56"))
    expect(ada.locator("#summary")).to_contain_text("1 of ")
    assert roots(ada) == ["56"]
    assert ada.evaluate("() => window.isSamePage"), "the whole page was loaded again"

    search_field(ada).fill("no-such-root-anywhere")
    expect(ada.get_by_text("No location matches “no-such-root-anywhere”")).to_be_visible()
    ada.get_by_role("link", name="Clear filters").click()
    expect(rows(ada)).to_have_count(50)

    ada.go_back()
    expect(ada.get_by_text("No location matches “no-such-root-anywhere”")).to_be_visible()
    expect(search_field(ada)).to_have_value("no-such-root-anywhere")
    ada.go_back()
    expect(search_field(ada)).to_have_value(f"{WORD} 56")
    expect(rows(ada)).to_have_count(1)
    ada.reload()
    expect(rows(ada)).to_have_count(1)


def walk_sort_and_pages(page: Page, scene: Scene) -> None:
    """Sort both ways and turn the pages; with and without JavaScript it is the same."""
    page.goto(f"{scene.url}/infrastructure?q={WORD}&sort=root")
    expect(page.get_by_role("columnheader", name="Root")).to_have_attribute("aria-sort", "ascending")
    assert roots(page)[:2] == ["00", "01"]
    page.get_by_role("columnheader", name="Root").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="Root")).to_have_attribute("aria-sort", "descending")
    expect(rows(page).first).to_contain_text(f"{COUNT - 1}")
    expect(page).to_have_url(re.compile("sort=-root"))
    first_page = roots(page)
    assert len(first_page) == 50

    page.get_by_role("link", name="Next").click()
    expect(rows(page)).to_have_count(COUNT - 50)
    expect(page).to_have_url(re.compile("after="))
    second_page = roots(page)
    assert first_page + second_page == [f"{at:02}" for at in reversed(range(COUNT))]
    page.get_by_role("link", name="Previous").click()
    expect(rows(page)).to_have_count(50)
    assert roots(page) == first_page
    expect(page.locator("#summary")).to_contain_text(f"{COUNT} of ")


def walk_filter(page: Page, scene: Scene) -> None:
    """Filter by space, then clear it."""
    page.goto(f"{scene.url}/infrastructure?q={WORD}")
    page.get_by_role("button", name="Space", exact=True).click()
    menu = page.get_by_role("group", name="Space")
    menu.get_by_label("lab/imaging").check()
    menu.get_by_role("button", name="Apply").click()
    expect(rows(page)).to_have_count(3)
    expect(page).to_have_url(re.compile(f"space={scene.world.imaging_uid}"))
    expect(page.get_by_role("button", name=re.compile("^Space.*imaging"))).to_be_visible()
    page.get_by_role("link", name="Clear all").click()
    expect(page.get_by_role("link", name="Clear all")).to_have_count(0)
    expect(rows(page)).to_have_count(50)


def test_rows_are_sorted_and_turned_over_the_whole_set(ada: Page, scene: Scene, locations: list[str]) -> None:
    walk_sort_and_pages(ada, scene)
    ada.go_back()
    expect(rows(ada)).to_have_count(COUNT - 50)


def test_rows_are_filtered(ada: Page, scene: Scene, locations: list[str]) -> None:
    walk_filter(ada, scene)


def test_everything_works_by_links_and_forms_without_javascript(
    open_as: OpenAs, scene: Scene, locations: list[str]
) -> None:
    page = open_as("ada", java_script_enabled=False)
    page.goto(f"{scene.url}/infrastructure")
    search_field(page).fill(f"{WORD} 56")
    search_field(page).press("Enter")
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(re.compile("q="))
    walk_sort_and_pages(page, scene)
    walk_filter(page, scene)


def test_the_present_filter_is_exported(ada: Page, scene: Scene, locations: list[str]) -> None:
    ada.goto(f"{scene.url}/infrastructure?q={WORD}&space={scene.world.imaging_uid}")
    found = {}
    for kind in ("CSV", "JSON"):
        ada.get_by_role("button", name="Export").click()
        with ada.expect_download() as download:
            ada.get_by_role("link", name=f"{kind} of this filter").click()
        found[kind] = download.value.path().read_text()
        assert download.value.suggested_filename == f"storages.{kind.lower()}"
        ada.keyboard.press("Escape")
    table = list(csv.DictReader(io.StringIO(found["CSV"])))
    assert {row["uid"] for row in table} == set(locations[:3])
    assert {row["description"] for row in table} == {"'=1+1", "Number 1", "Number 2"}, "formulas are escaped"
    assert {row["uid"] for row in json.loads(found["JSON"])} == set(locations[:3])
    assert {row["description"] for row in json.loads(found["JSON"])} == {"=1+1", "Number 1", "Number 2"}


def test_a_location_that_was_put_away_is_hidden_and_restored_from_the_page(
    ada: Page, scene: Scene, locations: list[str]
) -> None:
    away = scene.register(f"/nfs/put-away/{WORD}-old", host="cluster-9")
    ada.goto(f"{scene.url}/storages/{away}")
    ada.get_by_role("button", name="Archive").click()
    expect(ada.get_by_text("In the archive")).to_be_visible()
    ada.goto(f"{scene.url}/infrastructure?q=put-away")
    expect(rows(ada)).to_have_count(0)
    ada.goto(f"{scene.url}/infrastructure?q=put-away&branch=archive")
    expect(rows(ada)).to_have_count(1)
    ada.get_by_role("button", name="Restore").click()
    expect(ada.get_by_text("restored").first).to_be_visible()
    ada.goto(f"{scene.url}/infrastructure?q=put-away")
    expect(rows(ada)).to_have_count(1)
