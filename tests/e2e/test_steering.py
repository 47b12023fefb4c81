"""Steering a move in the browser: limits and hours while it runs, errors one by one, the rate and the title live."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from portal.planning.states import MigrationState
from portal.services import migrations
from portal.services.migrations import Limits
from portal.services.work import Work
from tests.e2e.browser import NARROW, axe_findings, scrolls_sideways
from tests.e2e.conftest import OpenAs
from tests.e2e.scene import Scene, fill

pytestmark = pytest.mark.timeout(400)

#: How long a step of a runner may take, milliseconds.
STEP_MS = 120_000


def slowly(work: Work, uid: str) -> None:
    """Limit a move so far that it lasts until somebody lifts the limit."""
    migrations.set_limits(work, uid, Limits(bandwidth=400_000))


def test_a_person_slows_a_move_waits_for_the_night_and_lets_it_go(ada: Page, scene: Scene, open_as: OpenAs) -> None:
    folder = fill(scene.base / "steered", {f"part {at}.bin": bytes([at % 256]) * 100_000 for at in range(150)})
    uid = scene.move(scene.register(folder, instance=""), scene.base / "targets" / "steered", slowly)
    ada.goto(f"{scene.url}/migrations/{uid}")
    ada.get_by_role("button", name="Start the move").click()
    expect(ada.locator("#rates svg")).to_be_visible(timeout=STEP_MS)
    expect(ada.locator("#rates")).to_contain_text("400kB/s")
    expect(ada).to_have_title(re_title("Copying"))
    ada.locator("#rates-table summary").click()
    expect(ada.get_by_text("Time left")).to_be_visible(timeout=STEP_MS)
    ada.wait_for_timeout(5_000)
    assert ada.locator("#rates-table").get_attribute("open") is not None, "a poll closed what a person had opened"
    assert axe_findings(ada) == []

    ada.get_by_role("link", name="Schedule").click()
    ada.get_by_label("Only between").fill("00:00")
    ada.get_by_label("and", exact=True).fill("00:01")
    ada.get_by_label("Time zone").fill("Pacific/Kiritimati")
    assert axe_findings(ada) == []
    ada.get_by_role("button", name="Set the times").click()
    expect(ada.locator("#migration-head")).to_contain_text("Waits until", timeout=STEP_MS)
    expect(ada).to_have_title(re_title("Waits"))
    narrow = open_as("ada", viewport=NARROW, color_scheme="dark")
    narrow.goto(ada.url)
    assert not scrolls_sideways(narrow)
    assert axe_findings(narrow) == []

    ada.get_by_role("link", name="Schedule").click()
    for label in ("Only between", "and"):
        ada.get_by_label(label, exact=True).fill("")
    ada.get_by_role("button", name="Set the times").click()
    ada.get_by_role("link", name="Limits").click()
    ada.get_by_label("Bandwidth").fill("very fast")
    ada.get_by_role("button", name="Set the limits").click()
    expect(ada.locator("#error-summary")).to_contain_text("is no rate")
    assert axe_findings(ada) == []
    ada.get_by_label("Bandwidth").fill("")
    ada.get_by_role("button", name="Set the limits").click()
    expect(ada.get_by_role("link", name="Cut over")).to_be_visible(timeout=STEP_MS)
    expect(ada.get_by_role("button", name="Copy what changed")).to_be_visible()
    expect(ada.locator("#migration-rest .story")).to_contain_text("changed the limits")
    assert scene.state(uid) is MigrationState.READY


def re_title(state: str) -> re.Pattern[str]:
    """Return what the title is to hold."""
    return re.compile(rf"% · {state} · Move ")


def different(folder: Path, keys: range) -> None:
    """Put objects at a target that the source has with other bytes."""
    fill(folder, {f"raw/plate {at}.tif": b"theirs" for at in keys})


def test_objects_that_need_a_look_are_found_and_tried_again_alone(ada: Page, scene: Scene, open_as: OpenAs) -> None:
    folder = fill(scene.base / "looked-at", {f"raw/plate {at}.tif": b"ours %d" % at for at in range(80)})
    target = scene.base / "targets" / "looked-at"
    different(target, range(60))
    uid = scene.move(scene.register(folder, instance=""), target, migrations.start)
    assert scene.state(uid) is MigrationState.NEEDS_ATTENTION

    ada.goto(f"{scene.url}/migrations/{uid}")
    expect(ada.locator("#errors")).to_contain_text("Differs at the target")
    expect(ada.locator("#rows tbody tr")).to_have_count(50)
    assert axe_findings(ada) == []
    ada.get_by_role("link", name="Next").click()
    expect(ada.locator("#rows tbody tr")).to_have_count(10)
    ada.reload()
    expect(ada.locator("#rows tbody tr")).to_have_count(10)
    ada.get_by_label("Search the errors").fill("plate 7.")
    expect(ada.locator("#summary")).to_contain_text("1 of 60 objects match")
    narrow = open_as("ada", viewport=NARROW)
    narrow.goto(f"{scene.url}/migrations/{uid}/errors?q=plate+7.")
    expect(narrow.locator("#rows tbody tr")).to_have_count(1)
    assert not scrolls_sideways(narrow)
    assert axe_findings(narrow) == []

    ada.get_by_role("button", name="Retry raw/plate 7.tif").click()
    expect(ada.locator("#toasts")).to_contain_text("Trying raw/plate 7.tif again.")
    expect(ada.locator("#errors-live")).to_contain_text("raw/plate 7.tif failed again", timeout=STEP_MS)
    expect(ada.get_by_label("Search the errors")).to_have_value("plate 7.")
    expect(ada.locator("#rows tbody tr")).to_have_count(1)
    expect(ada.locator("#rows tbody tr")).to_contain_text("Failed again")
    assert axe_findings(ada) == []
    (target / "raw/plate 7.tif").unlink()
    ada.get_by_role("button", name="Retry raw/plate 7.tif").click()
    expect(ada.locator("#errors-live")).to_contain_text("needs no look any more", timeout=STEP_MS)
    expect(ada.locator("#errors .note-text")).to_have_text("59 objects", timeout=STEP_MS)
    ada.goto(f"{scene.url}/migrations/{uid}")
    expect(ada.locator("#migration-live")).to_contain_text("Needs attention 59")
    expect(ada).not_to_have_title(re.compile("100.0 %"))
    assert (target / "raw/plate 7.tif").read_bytes() == b"ours 7"
    for at in range(60):
        (target / f"raw/plate {at}.tif").unlink()
    expect(ada.get_by_role("button", name=re.compile("Retry all .*: Differs at the target"))).to_be_visible(
        timeout=STEP_MS
    )
    ada.get_by_role("button", name=re.compile("Retry all .*: Differs at the target")).click()
    expect(ada.get_by_role("link", name="Cut over")).to_be_visible(timeout=STEP_MS)
    expect(ada.locator("#errors")).to_have_count(0)


def test_without_javascript_errors_are_filtered_and_tried_again_all_the_same(scene: Scene, open_as: OpenAs) -> None:
    folder = fill(scene.base / "plain", {"a.txt": b"ours", "b.txt": b"ours"})
    target = fill(scene.base / "targets" / "plain", {"a.txt": b"theirs", "b.txt": b"theirs"})
    uid = scene.move(scene.register(folder, instance=""), target, migrations.start)
    plain = open_as("ada", java_script_enabled=False)
    plain.goto(f"{scene.url}/migrations/{uid}")
    plain.get_by_label("Search the errors").fill("a.txt")
    plain.get_by_label("Search the errors").press("Enter")
    expect(plain.locator("#rows tbody tr")).to_have_count(1)
    (target / "a.txt").unlink()
    plain.get_by_role("button", name="Retry a.txt").click()
    expect(plain.get_by_role("heading", level=1)).to_contain_text("Objects that need a look")
    expect(plain.get_by_label("Search the errors")).to_have_value("a.txt")
    while "needs no look any more" not in plain.locator("#errors-live").inner_text():
        plain.get_by_role("link", name="Refresh").click()
