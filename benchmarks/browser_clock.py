"""A clock inside the browser: from what a person did last (a click, a key) or from the navigation, to what is drawn.

It stands in the page itself, so that neither polling nor the way to this process counts. "Drawn" is the second frame
after the page's script has ended, or the frame after the first content is in the page.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["CLOCK", "Drawn", "at_rest", "first_content", "opened", "redrawn"]

PATIENCE_SECONDS = 120.0
# Set in every page before its own scripts run.
CLOCK = """
window.fedpromptBegan = 0;
for (const kind of ["pointerdown", "click", "keydown"])
  addEventListener(kind, (event) => { if (event.isTrusted) window.fedpromptBegan = performance.now(); }, true);
window.fedpromptWait = (look) => new Promise((done, lost) => {
  setTimeout(() => lost(new Error("nothing was drawn for a minute")), 60000);
  const again = () => look() ? requestAnimationFrame(() => done(performance.now() - window.fedpromptBegan))
                             : requestAnimationFrame(again);
  again();
});
window.fedpromptState = () => document.querySelector("[data-testid=stApp]")?.dataset.testScriptState;
window.fedpromptFirst = (before) => window.fedpromptWait(() => {
  const main = document.querySelector("[data-testid=stMain]");
  if (!main) return false;
  const title = main.querySelector("h1")?.innerText.trim();
  if (!title || title === before) return false;
  const parts = [...main.querySelectorAll("[data-testid=stElementContainer]:not([data-stale=true])")];
  return parts.some((one) => !one.querySelector("h1") && one.getBoundingClientRect().height > 4);
});
window.fedpromptWhole = () => window.fedpromptWait(
  () => window.fedpromptState() === "notRunning" && !document.querySelector("[data-testid=stMain] [data-stale=true]")
    && document.querySelector("[data-testid=stMain] h1"));
window.fedpromptRan = () => new Promise((done, lost) => {
  setTimeout(() => lost(new Error("no run was seen within ten seconds")), 10000);
  const app = document.querySelector("[data-testid=stApp]");
  let ran = false;
  const seen = new MutationObserver(() => {
    if (window.fedpromptState() !== "notRunning") ran = true;
    else if (ran) {
      seen.disconnect();
      requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - window.fedpromptBegan)));
    }
  });
  seen.observe(app, {attributes: true});
});
"""


class Drawn(dict[str, float]):
    """Milliseconds to the ``first`` content below the title, and to the ``whole`` page."""


def opened(page: "Page", address: str) -> Drawn:
    """Open an address; both times count from the navigation."""
    page.goto(address, wait_until="commit")
    return _both(page, "")


def first_content(page: "Page", go: "Callable[[], object]") -> Drawn:
    """Go to another page by a click; both times count from the click."""
    before = page.locator("[data-testid=stMain] h1").first.inner_text().strip()
    page.evaluate("before => { window.fedpromptOne = window.fedpromptFirst(before); }", before)
    go()
    first = float(page.evaluate("window.fedpromptOne"))
    return Drawn(first=first, whole=float(page.evaluate("window.fedpromptWhole()")))


def redrawn(page: "Page", act: "Callable[[], object]") -> float | None:
    """Change a widget; return the milliseconds from the last click or key to the redrawn page.

    None where no run was seen: the page shows that it runs in an attribute, and may show nothing of a short run.
    """
    from playwright.sync_api import Error

    page.evaluate("() => { window.fedpromptOne = window.fedpromptRan(); }")
    act()
    try:
        took = float(page.evaluate("window.fedpromptOne"))
    except Error:
        return None
    at_rest(page)
    return took


def at_rest(page: "Page") -> None:
    """Wait until nothing is being drawn.

    Raises:
        TimeoutError: that took more than two minutes.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    calm = 0
    while calm < 3:
        if time.monotonic() > until:
            raise TimeoutError(f"{page.url} was not drawn within {PATIENCE_SECONDS:.0f} s")
        calm = calm + 1 if page.evaluate("window.fedpromptState()") == "notRunning" else 0
        page.wait_for_timeout(60)


def _both(page: "Page", before: str) -> Drawn:
    first = float(page.evaluate("before => window.fedpromptFirst(before)", before))
    return Drawn(first=first, whole=float(page.evaluate("window.fedpromptWhole()")))
