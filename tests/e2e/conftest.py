"""A real portal and a real browser for the journeys."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.e2e.browser import WAIT_MS, WIDE, launch, sign_in, watch
from tests.e2e.portal_process import PortalProcess
from tests.e2e.scene import Scene

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright itself."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Debian's Chromium."""
    running = launch(playwright)
    yield running
    running.close()


@pytest.fixture(scope="module")
def empty_portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    """A portal nobody has set up."""
    portal = PortalProcess(tmp_path_factory.mktemp("portal"))
    try:
        yield portal.start()
    finally:
        portal.stop()


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A portal with people, one a test process; journeys keep out of each other's way by the names they give."""
    made = Scene(PortalProcess(tmp_path_factory.mktemp("portal")))
    try:
        made.process.start()
        assert made.world
        yield made
    finally:
        made.process.stop()


NewContext = Callable[..., BrowserContext]


@pytest.fixture
def new_context(browser: Browser) -> Iterator[NewContext]:
    """A function that opens a browser window with options; what its pages complain of fails the test."""
    problems: list[str] = []
    made: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(**{"viewport": WIDE, **options})
        context.set_default_timeout(WAIT_MS)
        context.on("page", lambda page: watch(page, problems))
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()
    assert not problems, "\n".join(problems)


@pytest.fixture
def page(new_context: NewContext) -> Page:
    """A page in a window of its own, signed out."""
    return new_context().new_page()


@pytest.fixture(scope="session")
def cookies(browser: Browser, scene: Scene) -> Callable[[str], Any]:
    """A function that returns the cookies of a person who signed in, once a test process."""
    known: dict[str, Any] = {}

    def cookies_of(handle: str) -> Any:
        if handle not in known:
            context = browser.new_context(viewport=WIDE)
            context.set_default_timeout(WAIT_MS)
            sign_in(context.new_page(), scene.url, handle)
            known[handle] = context.storage_state()
            context.close()
        return known[handle]

    return cookies_of


OpenAs = Callable[..., Page]


@pytest.fixture
def open_as(new_context: NewContext, cookies: Callable[[str], Any]) -> OpenAs:
    """A function that opens a page in a new window in which a person is signed in: `open_as("rita")`."""

    def open_page(handle: str, **options: Any) -> Page:
        return new_context(storage_state=cookies(handle), **options).new_page()

    return open_page


@pytest.fixture
def ada(open_as: OpenAs) -> Page:
    """A page of ada, who is admin of everything."""
    return open_as("ada")
