"""The Map in a real browser: a box drawn on it, a part looked at closely, and a search that rings what it finds."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedprompt.workspace.workspace import open_workspace
from tests.browser.table_rows import tick
from tests.browser.test_paths import App, at_rest, running
from tests.demo_bank import fill

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.model]


@pytest.fixture(scope="module")
def app(home_with_assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    home = tmp_path_factory.mktemp("mapped")
    (home / "assets").symlink_to(home_with_assets / "assets", target_is_directory=True)
    with open_workspace(home) as ws:
        fill(ws)
    with running(home, "--no-demo") as started:
        yield started


def test_a_box_on_the_map_chooses_prompts_and_can_be_looked_at_closely(page: "Page", app: App) -> None:
    page.goto(app.at("/map"))
    plot = page.locator(".js-plotly-plot .nsewdrag").first
    plot.wait_for()
    at_rest(page)
    page.locator(".modebar-btn[data-title='Box Select']").click()
    around = plot.bounding_box()
    assert around is not None
    page.mouse.move(around["x"] + 4, around["y"] + 4)
    page.mouse.down()
    page.mouse.move(around["x"] + around["width"] / 2, around["y"] + around["height"] - 4, steps=6)
    page.mouse.up()
    page.locator(".st-key-map_in button:enabled").wait_for()
    page.locator(".st-key-map_in button:enabled").click()
    page.locator(".st-key-map_out button:enabled").click()
    page.locator(".st-key-map_out button:disabled").wait_for()
    at_rest(page)


def test_what_is_searched_by_meaning_and_what_is_like_a_prompt_is_ringed(page: "Page", app: App) -> None:
    page.goto(app.at("/map"))
    page.locator(".st-key-map_meaning input").fill("is the writer happy?")
    page.keyboard.press("Enter")
    found = page.locator("[role=grid] [role=columnheader]").filter(has_text="Similarity")
    found.wait_for(state="attached")
    at_rest(page)
    page.locator(".st-key-map_meaning input").fill("")
    page.keyboard.press("Enter")
    found.wait_for(state="detached")
    at_rest(page)
    tick(page, page.locator("[data-testid=stDataFrame]").first, 0)
    page.locator(".st-key-map_like button:enabled").click()
    page.locator(".st-key-told_map_ringed").wait_for()
    found.wait_for(state="attached")
    page.locator(".st-key-map_clear button").click()
    found.wait_for(state="detached")
    at_rest(page)
    assert "writer" not in page.url
