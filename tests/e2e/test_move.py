"""Moving a root: the plan, live progress, the cut-over, the way back."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from portal.backends.base import TEMPORARY_FOLDER
from tests.e2e.browser import axe_findings
from tests.e2e.scene import Scene, fill, picture
from tests.servers import S3Server

# Thousands of objects through a real S3 server, on whatever machine this is.
pytestmark = pytest.mark.timeout(400)

#: How long a step of a runner may take, milliseconds.
STEP_MS = 120_000

MARKER = ".lamindb/storage_uid.txt"


def many_objects(count: int) -> dict[str, bytes]:
    """Return objects as LaminDB lays them out: folders, its own keys, one large file."""
    small = {f"raw/plate {at % 20}/well {at}.tif": b"tif %d" % at * 200 for at in range(count)}
    return {**small, ".lamindb/0123456789abcdef.zarr/.zattrs": b"{}", "large.bin": bytes(range(256)) * 40_000}


def make_plan(page: Page, scene: Scene, uid: str, target: str, *, timeout_ms: float = STEP_MS) -> None:
    page.goto(f"{scene.url}/storages/{uid}")
    page.get_by_role("link", name="Move root").click()
    connection = page.get_by_label("Target").locator("option", has_text=target.split("/")[2]).first
    page.get_by_label("Target").select_option(connection.get_attribute("value"))
    page.get_by_label("New root").fill(target)
    page.get_by_role("button", name="Make the plan").click()
    expect(page.get_by_role("button", name="Start the move")).to_be_visible(timeout=timeout_ms)


def state_of(page: Page) -> Locator:
    return page.locator("#migration-head .badge").first


#: Notes each number of copied objects that a page comes to show, without touching the page.
NOTE_COUNTS = """
window.counts = [];
new MutationObserver(() => {
  const shown = document.querySelector(".progress b");
  const count = shown && Number(shown.textContent.replaceAll(",", ""));
  if (shown && count !== window.counts.at(-1)) window.counts.push(count);
}).observe(document, {childList: true, subtree: true, characterData: true});
"""


def start_and_watch(page: Page, scene: Scene, count: int) -> None:
    """Start the move that the page shows, slowly until some of its objects were told of, and wait for its end."""
    migration = page.url.rpartition("/")[2]
    scene.limit(migration, 1_000_000)
    page.get_by_role("button", name="Start the move").click()
    some = "(all) => window.counts.some((count) => 0 < count && count < all)"
    page.wait_for_function(some, arg=count, timeout=STEP_MS)
    scene.limit(migration, None)
    expect(page.get_by_role("link", name="Cut over")).to_be_visible(timeout=STEP_MS)


def test_a_root_moves_to_a_bucket_and_back_while_the_source_stays_as_it_was(
    ada: Page, scene: Scene, s3_server: S3Server
) -> None:
    bucket = s3_server.add_bucket("new-home")
    scene.connect("s3://new-home", s3_server, instance="")
    folder = fill(scene.base / "moving", many_objects(1000))
    uid = scene.register(folder)
    before, old_root = picture(folder), scene.view(uid).root
    objects = {key: value for key, value in before.items() if key != MARKER}

    ada.add_init_script(NOTE_COUNTS)
    make_plan(ada, scene, uid, "s3://new-home/moved")
    expect(ada.locator("#plan")).to_contain_text(f"{len(objects):,}")
    assert axe_findings(ada) == []
    assert picture(bucket) == {}, "a plan copies nothing"

    migration = ada.url
    start_and_watch(ada, scene, len(objects))
    counts = ada.evaluate("() => window.counts")
    assert counts == sorted(counts), f"progress went backwards: {counts}"
    assert {key: value for key, value in picture(bucket / "moved").items() if key != MARKER} == objects
    assert scene.view(uid).root == old_root, "before the cut-over the location names the old root"
    assert picture(folder) == before

    ada.get_by_role("link", name="Cut over").click()
    submit = ada.get_by_role("button", name="Cut over", exact=True)
    ada.get_by_label("Type moving to confirm").fill("not this")
    expect(submit).to_be_disabled()
    assert axe_findings(ada) == []
    ada.get_by_label("Type moving to confirm").fill("moving")
    submit.click()
    expect(ada.locator("#error-summary")).to_contain_text("registry")
    ada.get_by_label("I will run this right after the cut-over").check()
    ada.get_by_label("Type moving to confirm").fill("moving")
    submit.click()
    expect(ada.get_by_role("link", name="Roll back")).to_be_visible(timeout=STEP_MS)

    after = scene.view(uid)
    assert after.uid == uid
    assert after.root.startswith("s3://new-home/moved")
    assert after.type == "s3"
    assert (bucket / "moved" / MARKER).read_text().splitlines()[0] == uid
    ada.goto(f"{scene.url}/storages/{uid}")
    expect(ada.get_by_role("heading", level=1)).to_contain_text("new-home/moved")
    assert picture(folder) == before

    ada.goto(f"{migration}/certificate")
    printed = ada.pdf(format="A4", prefer_css_page_size=True)
    assert re.findall(rb"/Count (\d+)", printed) == [b"1"], "a certificate is one page of paper"
    ada.goto(migration)
    ada.get_by_role("link", name="Roll back").click()
    assert axe_findings(ada) == []
    ada.get_by_role("button", name="Roll back").click()
    expect(state_of(ada)).to_have_text("Rolled back", timeout=STEP_MS)
    assert scene.view(uid).root == old_root
    assert picture(folder) == before
    assert not leftovers(folder)
    assert not leftovers(bucket)


def leftovers(folder: Path) -> list[str]:
    """Return the portal's own temporary files below a folder, and what S3 servers keep of unfinished uploads."""
    return [key for key in picture(folder) if TEMPORARY_FOLDER in key or "upload" in key]
