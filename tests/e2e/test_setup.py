"""The first minutes: the set-up link, signing in and out."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.browser import axe_findings, sign_in
from tests.e2e.conftest import NewContext
from tests.e2e.portal_process import PortalProcess
from tests.e2e.scene import Scene
from tests.integration.world import PASSWORD


def test_the_first_person_follows_the_link_and_sees_a_page_that_explains_itself(
    empty_portal: PortalProcess, page: Page
) -> None:
    page.goto(empty_portal.url)
    expect(page.get_by_text("This portal has no account yet.")).to_be_visible()

    page.goto(empty_portal.setup_url())
    assert axe_findings(page) == []
    page.get_by_label("Handle").fill("ada")
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_text("The password needs at least 10 characters.").first).to_be_visible()

    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Set up").click()
    page.wait_for_url("**/infrastructure")
    expect(page.get_by_role("heading", name="Infrastructure")).to_be_visible()
    expect(page.get_by_role("link", name="Connect S3 bucket").first).to_be_visible()
    expect(page.get_by_role("link", name="Register local root").first).to_be_visible()
    assert axe_findings(page) == []

    page.goto(empty_portal.setup_url())
    expect(page.get_by_text("This link was used already or has expired.")).to_be_visible()


def test_signing_out_ends_the_session_and_a_wrong_password_says_nothing_more(scene: Scene, page: Page) -> None:
    sign_in(page, scene.url)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto(f"{scene.url}/infrastructure")
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))

    for handle in ("ada", "nobody-here"):
        page.get_by_label("Handle or e-mail").fill(handle)
        page.get_by_label("Password").fill("not-the-password")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("Handle and password do not belong together.").first).to_be_visible()
    assert axe_findings(page) == []


def test_signing_in_works_without_javascript(scene: Scene, new_context: NewContext) -> None:
    page = new_context(java_script_enabled=False).new_page()
    sign_in(page, scene.url)
    expect(page.get_by_role("heading", name="Infrastructure")).to_be_visible()
