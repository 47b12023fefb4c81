"""`make screenshots`: the README's pictures, taken of a fresh demo in Debian's Chromium."""

import os
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from demo import s3
from demo.running import end, prepare, start_portal
from demo.state import load_state

PICTURES = Path("docs/pictures")

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

START_SECONDS = 60


@dataclass(frozen=True)
class Demo:
    """A running demo: its address and the admin's password, and its S3 server's secret."""

    url: str
    password: str
    endpoint_url: str
    secret: str
    target: Path


@contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """Start a demo in `folder` on a free port."""
    state = load_state(folder)
    port = s3.free_port()
    os.environ["PORTAL_BIND"] = f"127.0.0.1:{port}"
    prepare(folder, state)
    server = s3.start(folder / "buckets", state.s3_port, state.s3_secret)
    portal = start_portal(folder)
    endpoint_url = f"http://127.0.0.1:{state.s3_port}"
    try:
        _wait(f"http://127.0.0.1:{port}/readyz")
        yield Demo(
            f"http://127.0.0.1:{port}",
            state.passwords["admin"],
            endpoint_url,
            state.s3_secret,
            folder / "nfs" / "atlas",
        )
    finally:
        end(portal)
        end(server)


def _wait(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def sign_in(browser: Browser, demo: Demo, *, dark: bool = False, width: int = 1440) -> Page:
    """Return a page that is signed in as the admin."""
    window = browser.new_context(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
    page = window.new_page()
    page.goto(f"{demo.url}/sign-in")
    page.get_by_label("Handle or e-mail").fill("admin")
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/infrastructure")
    return page


def take(page: Page, name: str, *, full: bool = False) -> None:
    """Save a picture under docs/pictures."""
    page.screenshot(path=PICTURES / f"{name}.png", full_page=full)
    print(PICTURES / f"{name}.png")


def connect(page: Page, demo: Demo) -> None:
    """Try a bucket without saving it, so that the checks are seen."""
    page.goto(f"{demo.url}/connect-s3")
    page.get_by_role("textbox", name="Root", exact=True).fill("s3://genomics/atlas-2027")
    page.get_by_label("Endpoint").fill(demo.endpoint_url)
    page.get_by_label("Access key id").fill(s3.ACCESS_KEY_ID)
    page.get_by_label("Secret access key").fill(demo.secret)
    page.get_by_label("Writing instance").select_option(label="lab/atlas")
    page.get_by_role("button", name="Only try").click()
    page.get_by_text("Write an object").first.wait_for()


def move(page: Page, demo: Demo) -> None:
    """Move the atlas to a directory and stop looking in mid-copy."""
    page.goto(f"{demo.url}/infrastructure?q=genomics+atlas")
    page.locator("a:has([title^='s3://genomics/atlas'])").first.click()
    page.get_by_role("link", name="Move root").click()
    page.get_by_label("Target", exact=True).select_option(label="A directory")
    page.get_by_label("New root").fill(str(demo.target))
    page.get_by_role("button", name="Make the plan").click()
    page.get_by_role("button", name="Start the move").wait_for(timeout=60_000)
    # So little would be there at once; a limit also shows what one looks like.
    page.get_by_role("link", name="Limits").click()
    page.get_by_label("Bandwidth").fill("1 MiB/s")
    page.get_by_role("button", name="Set the limits").click()
    page.get_by_role("button", name="Start the move").click()
    page.wait_for_function("() => /[4-8]\\d\\.\\d %/.test(document.querySelector('#migration-live').innerText)")


def take_all(browser: Browser, demo: Demo) -> None:
    """Take every picture, in the order of a first visit."""
    page = sign_in(browser, demo)
    take(page, "infrastructure")
    take(sign_in(browser, demo, dark=True), "infrastructure-dark")
    take(sign_in(browser, demo, width=390), "infrastructure-narrow")
    page.locator("a:has([title^='s3://genomics/atlas'])").first.click()
    page.get_by_role("heading", name="Record").wait_for()
    take(page, "storage")
    connect(page, demo)
    take(page, "connect", full=True)
    move(page, demo)
    take(page, "migration")


@contextmanager
def own_folder() -> Iterator[Path]:
    """Give a new folder for the demo, gone at the end; its path is in the pictures, so it should read well."""
    for parent in (Path("/srv"), Path.home()):
        folder = parent / "genome-lab"
        with suppress(OSError):
            folder.mkdir()
            break
    else:
        folder = Path(tempfile.mkdtemp(prefix="portal-demo-"))
    try:
        yield folder.resolve()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Start a demo in a folder of its own and take the pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        own_folder() as folder,
        running_demo(folder) as demo,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        take_all(browser, demo)
        browser.close()


if __name__ == "__main__":
    main()
