"""Registering a local root."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.browser import axe_findings
from tests.e2e.scene import Scene, fill, picture


def register(page: Page, scene: Scene, path: str, host: str = "") -> None:
    page.goto(f"{scene.url}/register-local-root")
    page.get_by_label("Path").fill(path)
    if host:
        page.get_by_label("Host").fill(host)
    page.get_by_label("Writing instance").select_option("lab/atlas")
    page.get_by_role("button", name="Register", exact=True).click()


def test_a_directory_below_the_base_is_registered_marked_and_browsed(ada: Page, scene: Scene) -> None:
    folder = fill(scene.base / "plates", {"run-1/image.tif": b"tif", "notes.txt": b"note"})
    register(ada, scene, str(folder))
    ada.wait_for_url("**/storages/*")
    uid = ada.url.rpartition("/")[2]
    expect(ada.get_by_role("heading", level=1)).to_contain_text("plates")
    expect(ada.get_by_text("Writable").first).to_be_visible()
    assert (folder / ".lamindb/storage_uid.txt").read_text().splitlines()[0] == uid
    assert set(picture(folder)) == {"run-1/image.tif", "notes.txt", ".lamindb/storage_uid.txt"}

    ada.get_by_role("link", name="Contents").click()
    ada.get_by_role("link", name="run-1").click()
    expect(ada.get_by_role("cell", name="image.tif")).to_be_visible()


def test_a_directory_outside_the_base_is_refused_with_the_reason(ada: Page, scene: Scene, tmp_path: Path) -> None:
    rows = scene.count_rows()
    outside = tmp_path / "outside"
    outside.mkdir()
    (scene.base / "way-out").symlink_to(outside)
    refusals = {
        str(outside): f"Roots must lie below {scene.base}",
        "/proc": f"Roots must lie below {scene.base}",
        str(scene.base / "way-out"): f"Roots must lie below {scene.base}",
        f"{scene.base}/../data": "leads out of a directory",
    }
    for path, reason in refusals.items():
        register(ada, scene, path)
        summary = ada.locator("#error-summary")
        expect(summary).to_contain_text("Nothing was saved.")
        expect(summary).to_be_focused()
        expect(ada.get_by_label("Path")).to_have_attribute("aria-invalid", "true")
        expect(ada.locator("#path-error")).to_contain_text(reason)
    assert axe_findings(ada) == []
    assert list(outside.iterdir()) == []
    assert scene.count_rows() == rows


def test_a_directory_on_another_host_is_shown_as_not_reachable_from_here(ada: Page, scene: Scene) -> None:
    register(ada, scene, "/nfs/elsewhere/atlas", host="cluster-7")
    ada.wait_for_url("**/storages/*")
    expect(ada.get_by_text("It is not reachable from here until a runner on cluster-7 reports.")).to_be_visible()
    expect(ada.get_by_text("Other host").first).to_be_visible()
