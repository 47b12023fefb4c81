"""A real Chromium, and what every page must keep: no error in its console, nothing that axe finds."""

from importlib.resources import files
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, ViewportSize

from tests.integration.world import PASSWORD

AXE = files("axe_playwright_python") / "axe.min.js"

#: Chromium must not look for its makers' hosts, and cannot make its sandbox as root.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

#: How long an expectation may take to come true, milliseconds. A loaded machine is slow, not wrong.
WAIT_MS = 30_000

WIDE: ViewportSize = {"width": 1280, "height": 800}
NARROW: ViewportSize = {"width": 360, "height": 740}


def launch(playwright: Playwright) -> Browser:
    """Start Debian's Chromium."""
    return playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)


def watch(page: Page, problems: list[str]) -> None:
    """Collect what a page complains of: script errors, refused scripts or styles, answers of 500 and above."""

    def on_console(message: ConsoleMessage) -> None:
        # The browser itself logs each answer of 4xx; tests look at those on purpose.
        if message.type == "error" and "Failed to load resource" not in message.text:
            problems.append(f"{page.url}: {message.text}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
    page.on(
        "response", lambda answer: problems.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None
    )


def sign_in(page: Page, url: str, handle: str = "ada") -> None:
    """Sign in through the form of the portal at `url`."""
    page.goto(f"{url}/sign-in")
    page.get_by_label("Handle or e-mail").fill(handle)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/infrastructure")


#: Until what has just changed is painted and nothing moves any more but what moves for ever.
_SETTLED = """
async () => {
  for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
  const ends = (animation) => Number.isFinite(animation.effect.getComputedTiming().endTime);
  await Promise.allSettled(document.getAnimations().filter(ends).map((animation) => animation.finished));
}
"""


def settle(page: Page) -> None:
    """Wait until the page stands still: half a toast has half its contrast."""
    page.evaluate(_SETTLED)


def axe_findings(page: Page, *rules: str) -> list[str]:
    """Return what axe-core finds on the page as it stands: rule, impact and the first element each. No rules: all."""
    if not page.evaluate("() => 'axe' in window"):
        # The policy allows no inline script; evaluating in the page is not one.
        page.evaluate(AXE.read_text())
    settle(page)
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = list(rules)
    result: dict[str, Any] = page.evaluate("(options) => axe.run(document, options)", options)
    return [_finding(found) for found in result["violations"]]


def _finding(found: dict[str, Any]) -> str:
    first = found["nodes"][0]
    return f"{found['id']} ({found['impact']}): {first['html'][:160]} {first['failureSummary'][:300]}"


def scrolls_sideways(page: Page) -> bool:
    """Tell whether the page is wider than the window."""
    wider: bool = page.evaluate("() => document.documentElement.scrollWidth > window.innerWidth")
    return wider
