"""A page of a running app as a picture: opened, waited for until it has drawn itself, and saved whole."""

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page

__all__ = ["chromium", "settle", "show", "take"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MOST_PIXELS = 9000
SETTLE_MILLISECONDS = 2500  # charts draw themselves with a short animation


def show(page: Page, address: str, width: int) -> None:
    """Open an address and wait until the page has drawn itself."""
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(address)
    page.locator("h1").first.wait_for(timeout=60_000)
    settle(page)


def settle(page: Page) -> None:
    """Wait until the page has drawn itself."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)
    page.wait_for_timeout(SETTLE_MILLISECONDS)


def take(page: Page, out: Path, width: int) -> None:
    """Save all of the page that is shown as PNG."""
    height = int(page.locator("[data-testid=stMain]").evaluate("main => main.scrollHeight"))
    page.set_viewport_size({"width": width, "height": min(height, MOST_PIXELS)})
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    out.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=out)


def chromium() -> str | None:
    """Return the browser's executable, or None after a sentence to standard error."""
    named = os.environ.get("FEDPROMPT_CHROMIUM")
    found = next(filter(None, map(shutil.which, (named,) if named else BROWSERS)), None)
    if found is None:
        print("there is no Chromium; install one, or name its executable in FEDPROMPT_CHROMIUM", file=sys.stderr)
    return found
