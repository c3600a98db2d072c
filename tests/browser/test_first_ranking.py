"""A real browser: drop a file of 200 labelled lines, confirm how it is read, get a first ranking of four prompts."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedprompt.workspace.cases.evaluation_sets import evaluation_sets
from fedprompt.workspace.workspace import open_workspace
from tests.browser.test_paths import at_rest, running
from tests.scripted_sites import cases

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.model]
LONGEST_SECONDS = 360  # bounds the wait


def test_drop_a_file_get_a_first_ranking(browser: "Browser", fresh_home: Path, tmp_path: Path) -> None:
    file = tmp_path / "shop.csv"
    lines = [f"{case.fields['text']},{case.answer}" for case in cases("shop", 200)]
    file.write_text("\n".join(["review,mood", *lines]) + "\n", encoding="utf-8")
    with running(fresh_home, "--no-demo") as app:
        page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
        page.set_default_timeout(60_000)
        page.goto(app.at("/data"))
        page.locator("input[type=file]").first.set_input_files(file)
        page.locator(".st-key-data_confirm button:enabled").click()
        page.locator(".st-key-data_next button").click()
        page.locator(".st-key-new_study_rank button:enabled").click()
        page.get_by_role("progressbar").first.wait_for()
        page.reload()  # the job goes on, and its page shows it
        page.get_by_role("heading", name="First ranking").wait_for(timeout=1_000 * LONGEST_SECONDS)
        page.locator("[data-testid=stVegaLiteChart]").filter(has=page.locator("svg, canvas")).first.wait_for()
        at_rest(page)
        assert "shop" not in page.url
        page.locator(".st-key-new_study_to_leaderboard button").click()
        page.wait_for_url(re.compile(r"/leaderboard\?study=s1(:|%3A)[0-9a-f]+$"))
        page.get_by_role("heading", name="Leaderboard").wait_for()
        at_rest(page)
        page.locator(".st-key-leaderboard_text input").fill("review")
        page.keyboard.press("Enter")
        page.locator(".st-key-leaderboard_order input").click()
        page.get_by_role("option", name="worst site").click()
        page.wait_for_url(re.compile(r"leaderboard_order=worst"))
        page.reload()  # what was chosen is still there, and what was typed is not in the address
        page.locator(".st-key-leaderboard_order").get_by_text("worst site").or_(
            page.locator(".st-key-leaderboard_order input[value='worst site']")
        ).first.wait_for()
        assert "leaderboard_order=worst" in page.url and "review" not in page.url
        with open_workspace(fresh_home) as ws:
            assert [one.path.name for one in evaluation_sets(ws.home)] == ["shop.csv"]
            assert [job.state for job in ws.bank.jobs() if job.kind == "score"] == ["done"]
