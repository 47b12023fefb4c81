"""A real portal and a real browser for each file of journeys."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tests.e2e.browser import WIDE, launch, watch
from tests.e2e.portal_process import PortalProcess


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
    portal = PortalProcess(tmp_path_factory.mktemp("portal")).start()
    yield portal
    portal.stop()


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    """A portal with ada (portal admin), erik, rita and otto, who all have the same password."""
    running = PortalProcess(tmp_path_factory.mktemp("portal"))
    running.add_people("ada", "erik", "rita", "otto")
    running.start()
    yield running
    running.stop()


NewContext = Callable[..., BrowserContext]


@pytest.fixture
def new_context(browser: Browser, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewContext]:
    """A function that opens a browser window with options; what its pages complain of fails the test."""
    problems: list[str] = []
    made: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(**{"viewport": WIDE, **options})
        context.set_default_timeout(15_000)
        context.on("page", lambda page: watch(page, problems))
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()
    assert problems == []


@pytest.fixture
def page(new_context: NewContext) -> Page:
    """A page in a window of its own."""
    return new_context().new_page()
