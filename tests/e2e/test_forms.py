"""Forms while they wait for an answer, and pages that must hold what they say: nothing over anything else."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from tests.e2e.browser import NARROW
from tests.e2e.conftest import OpenAs
from tests.e2e.scene import Scene


@pytest.fixture
def slow() -> Iterator[str]:
    """The address of a server that takes a second before it fails."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(1)
            self.send_error(500)

        do_HEAD = do_PUT = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def fill_in(page: Page, scene: Scene, endpoint_url: str) -> None:
    page.goto(f"{scene.url}/connect-s3")
    page.get_by_label("Root", exact=True).fill("s3://waiting/atlas")
    page.get_by_label("Endpoint").fill(endpoint_url)
    page.get_by_label("Access key id").fill("AKIAEXAMPLEEXAMPLE00")
    page.get_by_label("Secret access key").fill("not+the+secret/not+the+secret/not+the+se")


def test_a_form_is_sent_once_and_the_button_says_that_it_is_being_tried(ada: Page, scene: Scene, slow: str) -> None:
    sent: list[Request] = []
    ada.on("request", lambda request: sent.append(request) if request.is_navigation_request() else None)
    fill_in(ada, scene, slow)
    sent.clear()
    # Nothing can be asked of a page that waits for its next one, so it notes by itself what its button says.
    ada.get_by_role("button", name="Only try").evaluate(
        """(it) => {
             new MutationObserver(() => sessionStorage.setItem("said", `${it.innerText.trim()} ${it.ariaBusy}`))
               .observe(it, { attributes: true, characterData: true, childList: true, subtree: true });
             it.click(); it.click();
           }"""
    )
    expect(ada.locator("#trial, #error-summary").first).to_be_visible()
    assert [request.method for request in sent] == ["POST"]
    assert ada.evaluate("() => sessionStorage.getItem('said')") == "Trying … true"


def test_an_endpoint_that_is_not_open_is_told_at_its_field(ada: Page, scene: Scene) -> None:
    fill_in(ada, scene, "http://10.0.0.1:9000")
    ada.get_by_role("button", name="Only try").click()
    summary = ada.locator("#error-summary")
    expect(summary).to_contain_text("1 field needs a change.")
    expect(summary.get_by_role("link")).to_contain_text("Endpoint: 10.0.0.1 is not among the endpoints")


def test_groups_of_checks_do_not_lie_over_each_other(ada: Page, scene: Scene) -> None:
    fill_in(ada, scene, "http://127.0.0.1:1")
    ada.get_by_role("button", name="Only try").click()
    expect(ada.locator(".check-group").first).to_be_visible()
    overlaps = ada.evaluate(
        """() => [...document.querySelectorAll(".check-group > summary")].filter((row) => {
             const badge = row.querySelector(".badge"), text = document.createRange();
             text.selectNodeContents(badge);
             return text.getBoundingClientRect().right > row.querySelector("b").getBoundingClientRect().left;
           }).map((row) => row.innerText)"""
    )
    assert overlaps == []


def test_on_a_narrow_screen_all_tabs_are_seen_and_rows_in_a_panel_have_one_frame(open_as: OpenAs, scene: Scene) -> None:
    folder = scene.base / "narrow-tabs"
    folder.mkdir()
    uid = scene.register(folder)
    page = open_as("ada", viewport=NARROW)
    page.goto(f"{scene.url}/storages/{uid}/events")
    for tab in page.locator(".tabs a").all():
        box = tab.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= NARROW["width"], tab.inner_text()
    page.goto(f"{scene.url}/instances")
    page.get_by_role("link", name="lab/atlas").click()
    page.get_by_role("link", name="Change").click()
    page.get_by_role("heading", name="Default storage of lab/atlas").wait_for()
    frames = "(rows) => rows.map((row) => getComputedStyle(row).borderLeftWidth)"
    assert set(page.locator(".panel tbody tr").evaluate_all(frames)) == {"0px"}
