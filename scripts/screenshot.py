"""Takes the README's picture of the Overview page from a running app: ``python scripts/screenshot.py``.

Start the app first (``fedprompt ui``) and let its demo finish; the picture shows what is there.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

__all__ = ["chromium", "main", "settle", "show", "take"]

OUT = Path(__file__).resolve().parent.parent / "docs" / "images" / "overview.png"
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the picture; return 0, or 1 with a sentence where there is no browser."""
    parser = argparse.ArgumentParser(description="Take a picture of a running app's page.")
    parser.add_argument("--address", default="http://127.0.0.1:8501", help="the page (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="where to (default: docs/images/overview.png)")
    parser.add_argument("--width", type=int, default=1440, help="of the window, in pixels")
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    chosen = parser.parse_args(arguments)
    found = chromium()
    if found is None:
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(color_scheme=chosen.theme, device_scale_factor=1.5).new_page()
        show(page, chosen.address, chosen.width)
        take(page, chosen.out, chosen.width)
        browser.close()
    print(chosen.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
