"""The Leaderboard in a real browser: filtered, paged, looked at on test cases, taken away, and two of it compared."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from fedprompt.workspace.workspace import open_workspace
from tests.browser.table_rows import tick
from tests.browser.test_paths import App, at_rest, running
from tests.demo_bank import fill
from tests.pages.many import add_many

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MANY = 120  # three pages of 50


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    home = tmp_path_factory.mktemp("ranked")
    with open_workspace(home) as ws:
        fill(ws)
        add_many(ws, MANY)
    with running(home, "--no-demo") as started:
        yield started


@pytest.fixture(scope="module")
def studies(app: App) -> dict[str, str]:
    """Study -> its digest."""
    with open_workspace(app.home) as ws:
        return {row.study.study: row.digest for row in ws.bank.studies()}


def open_ranking(page: "Page", app: App, study: str) -> None:
    page.goto(app.at(f"/leaderboard?study={study}"))
    page.locator("[data-testid=stDataFrame]").first.wait_for()
    at_rest(page)


def test_pages_follow_the_filters_and_a_reload_keeps_what_was_chosen(
    page: "Page", app: App, studies: dict[str, str]
) -> None:
    from playwright.sync_api import expect

    open_ranking(page, app, studies["triage"])
    page.locator(".st-key-told_leaderboard_pages").filter(has_text="120").wait_for()
    number = page.locator(".st-key-leaderboard_page input")
    page.locator(".st-key-leaderboard_page [data-testid=stNumberInputStepUp]").click()
    page.wait_for_url(re.compile(r"leaderboard_page=2"))
    at_rest(page)
    page.reload()
    page.locator(".st-key-told_leaderboard_pages").filter(has_text="120").wait_for()
    at_rest(page)
    expect(number).to_have_value("2")
    page.locator(".st-key-leaderboard_text input").fill("way 7")
    page.keyboard.press("Enter")  # words that begin with way and with 7: 7, 70 to 79
    page.locator(".st-key-leaderboard_page").wait_for(state="detached")
    page.locator(".st-key-leaderboard_site input").click()
    page.get_by_role("option", name="clinic", exact=True).click()
    page.wait_for_url(re.compile(r"leaderboard_site=clinic"))
    least = page.locator(".st-key-leaderboard_least input:enabled")
    least.fill("100")
    page.keyboard.press("Enter")
    page.locator(".st-key-told_leaderboard_none_passes").wait_for()
    at_rest(page)
    assert "way" not in urlsplit(page.url).query


def test_test_scores_and_the_looks_at_them_are_shown_on_demand_and_stand_in_the_file(
    page: "Page", app: App, studies: dict[str, str], tmp_path: Path
) -> None:
    demo = next(digest for name, digest in studies.items() if name != "triage")
    open_ranking(page, app, demo)

    def taken(name: str) -> list[dict[str, str]]:
        with page.expect_download() as waiting:
            page.locator(".st-key-leaderboard_csv button").first.click()
        waiting.value.save_as(tmp_path / name)
        return list(csv.DictReader((tmp_path / name).read_text(encoding="utf-8-sig").splitlines()))

    before = taken("validation.csv")
    page.locator(".st-key-leaderboard_test label").first.click()
    page.wait_for_function("document.querySelector('.st-key-leaderboard_test input').checked")
    at_rest(page)
    after = taken("test.csv")
    with open_workspace(app.home) as ws:
        assert len(before) == len(after) == sum(row.study == demo for row in ws.bank.prompts())
    further = set(after[0]) - set(before[0])
    assert further and all("test" in name for name in further)


def test_two_that_are_ticked_are_compared(page: "Page", app: App, studies: dict[str, str]) -> None:
    open_ranking(page, app, studies["triage"])
    assert page.locator(".st-key-leaderboard_compare button").is_disabled()
    tick(page, page.locator("[data-testid=stDataFrame]").first, 0, 2)
    page.locator(".st-key-leaderboard_compare button:enabled").click()
    page.get_by_role("heading", name="Compare").wait_for()
    page.wait_for_url(re.compile(r"/compare\?p="))
    page.get_by_text("“try 119”").first.wait_for()  # the best, and the third
    page.get_by_text("“try 117”").first.wait_for()
    at_rest(page)
    with open_workspace(app.home) as ws:
        names = [ws.bank.prompt_row(one).name for one in parse_qs(urlsplit(page.url).query)["p"]]
    assert names == ["try 119", "try 117"]
