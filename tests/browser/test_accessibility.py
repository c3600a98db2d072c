"""Every page, light and dark, full, empty and narrow, against axe's rules; no page asks anything of another machine.

What stands in ``STREAMLITS_OWN`` is drawn by Streamlit and cannot be mended by a page; docs/accessibility.md says so to
whoever needs it. A rule that no longer finds anything there fails, so that the list shrinks as Streamlit is mended.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from fedprompt.workspace.workspace import open_workspace
from scripts.screenshot import settle
from scripts.screenshots import ADDRESSED, PAGES
from tests.browser.test_paths import App, running
from tests.demo_bank import fill

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# Rule -> (what of the page it is about, why no page of ours can mend it).
STREAMLITS_OWN = {
    "list": ("[data-testid=stSidebarNavItems]", "the navigation's list holds <div>s between the <ul> and its <li>s"),
    "listitem": ("[data-testid=stSidebarNavItems]", "the same"),
    "presentation-role-conflict": ("[data-testid=stFileUploaderDropzone]", "the place to drop a file can be focussed"),
    "color-contrast": (
        "[data-testid=stCode] .token, [data-testid=stButtonGroup] [aria-checked=true]",
        "the colours of highlighted code are no part of a theme; what is chosen is written in the colour of buttons, "
        "whose own words are white, and in dark no colour is far enough from both",
    ),
}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MOST_VISITED = ("overview", "leaderboard", "bank", "playground")
SERIOUS = ("serious", "critical")
INSIDE = """
([selectors, own]) => selectors.every((one) => {
  const element = document.querySelector(one);
  return element !== null && (element.matches(own) || element.closest(own) !== null);
})
"""


@dataclass(frozen=True)
class Broken:
    """A rule that a page breaks, how badly, and by which element."""

    page: str
    impact: str
    what: str


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    home = tmp_path_factory.mktemp("accessible")
    with open_workspace(home) as ws:
        fill(ws)
    with running(home, "--no-demo") as started:
        yield started


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running(tmp_path_factory.mktemp("empty"), "--no-demo") as started:
        yield started


@pytest.fixture(scope="module")
def named(app: App) -> str:
    """The part of an address that names two prompts."""
    with open_workspace(app.home) as ws:
        rows = ws.bank.prompts()
    together = next(row.id for row in reversed(rows) if row.origin == "federated")
    return f"p={together}&p={next(row.id for row in rows if row.kind == 'template')}"


@pytest.fixture(scope="module")
def walked(browser: "Browser", app: App, named: str) -> dict[str, Any]:
    """What axe found on every page in both themes, and every address that a page asked."""
    found: list[Broken] = []
    own: set[str] = set()
    asked: list[str] = []
    for theme in THEMES:
        page = browser.new_context(color_scheme=theme, viewport={"width": 1440, "height": 1000}).new_page()
        page.on("request", lambda request: asked.append(request.url))
        for name in PAGES:
            query = f"?{named}" if name in ADDRESSED else ""
            broken, known = looked_at(page, app, name, f"{theme} {name}", query)
            found, own = [*found, *broken], own | known
        page.context.close()
    return {"found": found, "own": own, "asked": asked}


def looked_at(page: "Page", app: App, name: str, what: str, query: str = "") -> tuple[list[Broken], set[str]]:
    """Open a page; return which rules it breaks, and the rules that only what is Streamlit's own breaks."""
    from axe_playwright_python.sync_playwright import Axe

    page.goto(app.at(f"/{'' if name == 'overview' else name}{query}"))
    page.locator("h1").first.wait_for(timeout=60_000)
    settle(page)
    found, own = [], set()
    for rule in Axe().run(page).response["violations"]:
        selector = STREAMLITS_OWN.get(rule["id"], ("", ""))[0]
        for node in rule["nodes"]:
            if selector and page.evaluate(INSIDE, [node["target"], selector]):
                own.add(str(rule["id"]))
            else:
                found.append(Broken(what, str(rule["impact"]), f"{rule['id']}: {node['html'][:160]}"))
    return found, own


def test_no_page_breaks_a_rule_of_accessibility_seriously(walked: dict[str, Any]) -> None:
    assert [one for one in walked["found"] if one.impact in SERIOUS] == []


@pytest.mark.parametrize("width", [1440, 800])
def test_no_page_of_an_empty_home_does_either(browser: "Browser", empty: App, width: int) -> None:
    assert serious(browser, empty, width) == []


def test_no_page_that_is_800_pixels_wide_does_either(browser: "Browser", app: App) -> None:
    assert serious(browser, app, 800) == []


def serious(browser: "Browser", app: App, width: int) -> list[Broken]:
    """Return what the pages that are visited most break in a window of a width; wide and narrow differ in theme."""
    theme = THEMES[width < 1000]
    page = browser.new_context(color_scheme=theme, viewport={"width": width, "height": 1000}).new_page()
    found = [one for name in MOST_VISITED for one in looked_at(page, app, name, f"{theme} {name} {width}")[0]]
    page.context.close()
    return [one for one in found if one.impact in SERIOUS]


def test_what_is_said_to_be_streamlits_own_is_still_there(walked: dict[str, Any]) -> None:
    assert walked["own"] == set(STREAMLITS_OWN)


def test_what_is_streamlits_own_stands_in_the_document() -> None:
    text = (Path(__file__).parents[2] / "docs" / "accessibility.md").read_text(encoding="utf-8")
    assert [rule for rule in STREAMLITS_OWN if f"`{rule}`" not in text] == []


def test_no_page_asks_anything_of_another_machine(walked: dict[str, Any], app: App) -> None:
    near = (app.address, app.address.replace("http", "ws", 1), "data:", "blob:")
    assert [address for address in walked["asked"] if not address.startswith(near)] == []
