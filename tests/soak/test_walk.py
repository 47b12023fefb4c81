"""A person walks through a move of 100,000 objects in a real browser, from the first plan to the release.

`WALK_OBJECTS` says how many: forty thousand at least, or it is over before it can be paused. `WALK_PICTURES` names a
folder for a picture of each state, `WALK_TABLE` a file for the numbers.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import NARROW, axe_findings, scrolls_sideways
from tests.e2e.conftest import OpenAs, ada, browser, cookies, new_context, open_as, playwright, scene
from tests.e2e.scene import Scene, fill
from tests.e2e.test_move import MARKER, NOTE_COUNTS, leftovers, make_plan, state_of
from tests.integration.moves import contents
from tests.servers import S3Server
from tests.soak.observer import Observer

__all__ = ["ada", "browser", "cookies", "new_context", "open_as", "playwright", "scene"]

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]

COUNT = int(os.environ.get("WALK_OBJECTS") or 100_000)
DIFFERING = min(500, COUNT // 20)

#: How long a step of a runner may take, and what a page may take while both cores are busy copying, milliseconds.
STEP_MS = 900_000
PAGE_MS = 3000

#: The number of copied objects on the page, as JavaScript.
_SHOWN = "Number(((document.querySelector('.progress b') || {}).textContent || '0').replaceAll(',', ''))"


def objects() -> dict[str, bytes]:
    """Return tiny objects in folders of a few hundred: the test server lists a folder anew for each object it takes."""
    plates = max(1, COUNT // 400)
    found = {f"raw/plate {at % plates:03}/well {at:06}.tif": b"well %d" % at for at in range(COUNT * 9 // 10)}
    return found | {f".lamindb/{at // 400:016}.zarr/{at}": b"chunk %d" % at for at in range(COUNT - len(found))}


class Walk:
    """The person's pages of one move: one wide, one narrow, and who looks on."""

    def __init__(self, ada: Page, narrow: Page, scene: Scene, observer: Observer) -> None:
        self.ada, self.narrow, self.scene, self.observer = ada, narrow, scene, observer

    def look(self, name: str, *, address: str = "") -> None:
        """Take pictures of a page in both widths: nothing that axe finds, no sideways scroll."""
        self.narrow.goto(self.scene.url + address if address else self.ada.url)
        if address:
            self.ada.goto(self.scene.url + address)
        self.observer.picture([self.ada, self.narrow], name)
        assert not scrolls_sideways(self.narrow), f"{name} scrolls sideways"
        assert axe_findings(self.ada) == [], name
        self.narrow.goto("about:blank")  # it polls, too

    def time(self, name: str, *tabs: str) -> None:
        """Note how quickly the page that is open, and others below its address, answer now."""
        address = self.ada.url.removeprefix(self.scene.url)
        for tab in ("", *tabs):
            self.observer.answer(self.ada, f"{name}{tab.partition('?')[0]}", address + tab, most_ms=PAGE_MS)

    def shown(self) -> int:
        """Return the number of copied objects that the page shows."""
        return int(self.ada.evaluate(f"() => {_SHOWN}"))

    def wait_for_more(self, than: int) -> None:
        """Wait until the page shows more copied objects, without touching it."""
        self.ada.wait_for_function(f"(than) => {_SHOWN} > than", arg=than, timeout=STEP_MS)

    def wait_for(self, *states: str) -> None:
        """Wait until the page shows one of these states."""
        expect(state_of(self.ada)).to_have_text(re.compile("|".join(states)), timeout=STEP_MS)

    def press(self, button: str, state: str) -> None:
        """Press a button of the move's page and wait for the state it leads to."""
        with self.observer.step(f"{button} → {state}"):
            self.ada.get_by_role("button", name=button, exact=True).click()
            self.wait_for(state)

    def plan(self, uid: str, target: str, step: str) -> str:
        """Make a plan; return the address of its page."""
        with self.observer.step(step):
            make_plan(self.ada, self.scene, uid, target, timeout_ms=STEP_MS)
        return self.ada.url.removeprefix(self.scene.url)

    def cut_over(self, name: str, step: str) -> None:
        """Cut over with the typed name and wait for the soak."""
        self.ada.get_by_role("link", name="Cut over").click()
        self.ada.get_by_label("I will run this right after the cut-over").check()
        self.ada.get_by_label(f"Type {name} to confirm").fill(name)
        self.look_at_dialog(step)
        with self.observer.step(step):
            self.ada.get_by_role("button", name="Cut over", exact=True).click()
            self.wait_for("Soaking")

    def look_at_dialog(self, name: str) -> None:
        """Take a picture of a decision as it stands."""
        self.observer.picture([self.ada], name)

    def command(self, *words: str) -> str:
        """Run `portal …` as ada; return what it prints."""
        environment = self.scene.process.environment() | {"PORTAL_ACCOUNT": "ada"}
        command = [sys.executable, "-m", "portal", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300).stdout


@pytest.fixture
def walk(ada: Page, open_as: OpenAs, scene: Scene) -> Iterator[Walk]:
    """A walk that somebody looks on; the numbers are printed at its end."""
    folder = os.environ.get("WALK_PICTURES")
    ada.add_init_script(NOTE_COUNTS)
    with Observer(scene.process, Path(folder) if folder else None).looking_on() as observer:
        yield Walk(ada, open_as("ada", viewport=NARROW), scene, observer)
    text = observer.table(f"{COUNT:,} objects, local → S3, {os.cpu_count()} cores.")
    print(f"\n{text}")  # noqa: T201 - the numbers are what the walk is for
    if path := os.environ.get("WALK_TABLE"):
        Path(path).write_text(text + "\n", encoding="utf-8")


def test_a_person_moves_100_000_objects_through_every_state(walk: Walk, s3_server: S3Server, tmp_path: Path) -> None:
    scene, ada = walk.scene, walk.ada
    bucket = s3_server.add_bucket("walk") / "moved"
    scene.connect("s3://walk", s3_server, instance="")
    folder = fill(scene.base / "atlas", objects())
    uid = scene.register(folder)
    before, times = contents(folder), {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    wanted = {key: data for key, data in before.items() if key != MARKER}
    differing = sorted(wanted)[:: len(wanted) // DIFFERING][:DIFFERING]
    fill(bucket, dict.fromkeys(differing, b"theirs"))

    first = walk.plan(uid, "s3://walk/moved", "Plan")
    walk.look("plan")
    walk.time("Plan")
    copy_with_pause_and_power_cut(walk)
    put_right(walk, bucket, differing)
    walk.look("ready")
    walk.time("Ready")
    assert {key: data for key, data in contents(bucket).items() if key != MARKER} == wanted

    walk.cut_over("atlas", "Cut over")
    assert scene.view(uid).root.startswith("s3://walk/moved")
    walk.look("soaking")
    walk.time("Soaking")
    ada.get_by_role("link", name="Roll back").click()
    walk.look_at_dialog("roll-back")
    walk.press("Roll back", "Rolled back")
    walk.look("rolled-back")
    assert scene.view(uid).root == str(folder)

    second = walk.plan(uid, "s3://walk/moved", "Plan again")
    assert second != first
    walk.look("plan-again")
    with walk.observer.step("Prove what is there already"):
        walk.press("Start the move", "Ready to cut over")
    walk.cut_over("atlas", "Cut over again")
    release(walk, tmp_path, uid, wanted)

    assert contents(folder) == before, "the source changed"
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times
    assert {key: data for key, data in contents(bucket).items() if key != MARKER} == wanted
    assert leftovers(folder) == []
    assert leftovers(bucket) == []


def copy_with_pause_and_power_cut(walk: Walk) -> None:
    """Start, pause, go on, cut the power, and wait until every object was tried."""
    ada, page = walk.ada, walk.ada.url
    walk.press("Start the move", "Copying")
    with walk.observer.step("First objects on the page"):
        walk.wait_for_more(0)
    expect(ada.get_by_text("Time left")).to_be_visible(timeout=STEP_MS)
    expect(ada.locator("#rates svg")).to_be_visible(timeout=STEP_MS)
    walk.look("copying")
    walk.time("Copying")
    walk.press("Pause", "Paused")
    walk.look("paused")
    paused_at = walk.shown()
    ada.wait_for_timeout(3000)
    ada.reload()
    assert walk.shown() == paused_at, "objects were copied in a pause"
    assert paused_at < COUNT, "the copy was over before the pause"
    walk.press("Resume", "Copying")
    walk.wait_for_more(min(paused_at + COUNT // 20, COUNT * 3 // 4))
    counts = ada.evaluate("() => window.counts")
    assert counts == sorted(counts), f"progress went backwards: {counts}"

    ada.goto("about:blank")  # else it complains, rightly, that nobody answers
    walk.scene.process.kill()
    with walk.observer.step("Start after a power cut"):
        walk.scene.process.start()
    with walk.observer.step("Copying goes on"):
        ada.goto(page)
        walk.wait_for_more(paused_at)
    with walk.observer.step("Copy the rest"):
        walk.wait_for("Verifying", "Needs attention")
    walk.look("verifying")
    walk.time("Verifying")
    with walk.observer.step("Verify"):
        walk.wait_for("Needs attention")


def put_right(walk: Walk, bucket: Path, differing: list[str]) -> None:
    """Look through what differs, put it right and try it again."""
    ada, errors = walk.ada, walk.ada.url.removeprefix(walk.scene.url) + "/errors"
    expect(ada.locator("#errors .note-text")).to_have_text(f"{DIFFERING} objects")
    walk.look("needs-attention")
    walk.time("Needs attention", "/errors", f"/errors?q={differing[-1][-9:]}", "/errors.csv")
    ada.get_by_label("Search the errors").fill(differing[-1])
    expect(ada.locator("#rows tbody tr")).to_have_count(1)
    walk.look("errors", address=errors)
    for key in differing:
        (bucket / key).unlink()
    ada.goto(walk.scene.url + errors.removesuffix("/errors"))
    with walk.observer.step(f"Try {DIFFERING} objects again"):
        ada.get_by_role("button", name=re.compile("Retry all .*: Differs at the target")).click()
        walk.wait_for("Ready to cut over")


def release(walk: Walk, folder: Path, uid: str, wanted: dict[str, bytes]) -> None:
    """Wait until the old root is known to be quiet, release it, and check its certificate without the portal."""
    ada = walk.ada
    with walk.observer.step("First look at the old root"):
        expect(ada.get_by_role("link", name="Keep the source")).to_be_visible(timeout=STEP_MS)
    walk.look("quiet")
    ada.get_by_role("link", name="Keep the source").click()
    walk.press("Keep the source", "Released")
    walk.look("released")
    walk.time("Released", "/certificate")
    migration = ada.url.rpartition("/")[2].partition("?")[0]
    walk.look("certificate", address=f"/migrations/{migration}/certificate")
    file, key = folder / "certificate.json", sorted(wanted)[len(wanted) // 2]
    with walk.observer.step("portal migration certificate"):
        walk.command("migration", "certificate", migration, "--output", str(file))
    statement = json.loads(file.read_text())["statement"]
    assert statement["objects"]["count"] >= len(wanted)
    assert "valid" in walk.command("certificate", "verify", str(file)).lower()
    with walk.observer.step("portal migration prove"):
        walk.command("migration", "prove", migration, key, "--output", str(file))
    (folder / "object").write_bytes(wanted[key])
    walk.command("certificate", "verify", str(file), "--object", str(folder / "object"))

    for name, address in {
        "Infrastructure": "/infrastructure",
        "Location": f"/storages/{uid}",
        "Location, contents": f"/storages/{uid}/contents",
        "Location, events": f"/storages/{uid}/events",
        "Location, migrations": f"/storages/{uid}/migrations",
        "Migrations": "/migrations",
        "Events": "/events",
    }.items():
        walk.observer.answer(ada, name, address, most_ms=PAGE_MS)
    walk.look("contents", address=f"/storages/{uid}/contents")
