"""Compare in a real browser: every picture of the scores, one's own cases, and a blind rating to its end."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from fedprompt.workspace.workspace import open_workspace
from tests.browser.test_paths import App, at_rest, running
from tests.demo_bank import fill

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PICTURES = ("Differences", "Head to head", "Calibration", "Accuracy and cost")
# Nothing in them is good or bad, so that each prompt answers some of them in its own way.
CASES = "\n".join(["text", *(f"The train of {hour} o'clock came by." for hour in range(1, 13))])
NAMED = "title => new URLSearchParams(location.search).get('compare_picture') === title"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    home = tmp_path_factory.mktemp("compared")
    with open_workspace(home) as ws:
        fill(ws)
    with running(home, "--no-demo") as started:
        yield started


def open_two(page: "Page", app: App, first: str, second: str) -> None:
    with open_workspace(app.home) as ws:
        ids = {row.name: row.id for row in ws.bank.prompts()}
    page.goto(app.at(f"/compare?p={ids[first]}&p={ids[second]}"))
    page.get_by_role("heading", name="On your own cases").wait_for()
    at_rest(page)


def test_each_picture_of_the_scores_is_drawn_and_stands_in_the_address(page: "Page", app: App) -> None:
    open_two(page, app, "terse", "feeling")
    for title in PICTURES:
        page.locator(".st-key-compare_picture").get_by_text(title, exact=True).click()
        page.wait_for_function(NAMED, arg=title)
        at_rest(page)
    page.reload()
    page.locator(".st-key-compare_picture [aria-checked=true]").get_by_text(PICTURES[-1]).wait_for()
    at_rest(page)


def test_answers_to_ones_own_cases_are_rated_blind_to_a_ranking(page: "Page", app: App) -> None:
    open_two(page, app, "terse", "feeling")
    page.locator(".st-key-compare_how").get_by_text("From a table").click()
    page.locator(".st-key-compare_paste textarea").fill(CASES)
    page.keyboard.press("Control+Enter")
    page.locator(".st-key-compare_blind label").first.click()
    page.locator(".st-key-compare_run button:enabled").click()
    page.wait_for_url(re.compile(r"run=[0-9a-f]{32}"))
    pair = page.locator(".st-key-told_rating_pair")
    pair.filter(has_text=re.compile(r"\b1 of \d+")).wait_for()
    (pairs,) = map(int, re.findall(r"\b1 of (\d+)", pair.inner_text()))
    assert page.locator(".st-key-compare_rows").count() == 0, "the answers are not shown before they are rated"
    page.locator(".st-key-compare_rate_b button").click()
    pair.filter(has_text=f"2 of {pairs}").wait_for()
    page.reload()
    pair.filter(has_text=f"2 of {pairs}").wait_for()
    page.locator(".st-key-compare_rate_undo button").click()
    for place in range(1, pairs + 1):
        pair.filter(has_text=f"{place} of {pairs}").wait_for()
        page.locator(".st-key-compare_rate_a button").click()
    page.locator(".st-key-told_rating_done").wait_for()
    page.locator(".st-key-rating_table summary").click()
    page.locator(".st-key-told_rating_ranking").wait_for()
    page.get_by_text(f"Different answers ({pairs})").wait_for()
    at_rest(page)
    assert "train" not in page.url
    page.locator(".st-key-compare_forget button").click()
    page.locator(".st-key-compare_forget").wait_for(state="detached")
    at_rest(page)
