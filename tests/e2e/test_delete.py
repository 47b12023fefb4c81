"""Deleting a location: refused while LaminDB's objects are in it, then done. User files stay."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.browser import axe_findings
from tests.e2e.conftest import OpenAs
from tests.e2e.scene import Scene, fill, picture


def test_a_location_is_deleted_only_when_it_is_empty_and_user_files_stay(ada: Page, scene: Scene) -> None:
    managed = ".lamindb/fedcba9876543210AAAA.parquet"
    folder = fill(scene.base / "old-screens", {"results.csv": b"a,b\n", managed: b"PAR1"})
    uid = scene.register(folder)
    ada.goto(f"{scene.url}/storages/{uid}")
    ada.get_by_role("link", name="Delete for good").click()
    expect(ada.get_by_text(re.compile("Not empty: 1 object in"))).to_be_visible()
    expect(ada.get_by_text(managed)).to_be_visible()
    expect(ada.get_by_text("User files stay where they are.").first).to_be_visible()
    expect(ada.get_by_role("button", name="Delete the location")).to_have_count(0)
    assert axe_findings(ada) == []

    (folder / managed).unlink()
    ada.reload()
    submit = ada.get_by_role("button", name="Delete the location")
    expect(submit).to_be_disabled()
    ada.get_by_label("Type old-screens to confirm").fill("old-screen")
    expect(submit).to_be_disabled()
    ada.get_by_label("Type old-screens to confirm").fill("old-screens")
    assert axe_findings(ada) == []
    submit.click()
    ada.wait_for_url("**/infrastructure")
    expect(ada.get_by_text("User files stay where they are.").first).to_be_visible()
    assert picture(folder).keys() == {"results.csv"}, "user files stay, and the marker goes"
    assert ada.goto(f"{scene.url}/storages/{uid}").status == 404  # type: ignore[union-attr]  # None for about:blank only


def test_the_server_checks_the_typed_name_too(open_as: OpenAs, scene: Scene) -> None:
    folder = fill(scene.base / "typed", {"results.csv": b"a,b\n"})
    uid = scene.register(folder)
    before = picture(folder)
    page = open_as("ada", java_script_enabled=False)
    page.goto(f"{scene.url}/storages/{uid}/delete")
    page.get_by_label("Type typed to confirm").fill("something else")
    page.get_by_role("button", name="Delete the location").click()
    expect(page.locator("#error-summary")).to_contain_text("Type typed to confirm.")
    assert scene.view(uid).uid == uid
    assert picture(folder) == before

    page.get_by_role("link", name="Keep the location").click()
    page.wait_for_url(f"**/storages/{uid}")
