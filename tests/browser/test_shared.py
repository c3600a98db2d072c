"""Shared prompts in a real browser: a file dropped, its classes named, put to work, tried on a text, reloaded."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedprompt.workspace.exchange.packs_here import keep_dropped
from fedprompt.workspace.workspace import open_workspace
from tests.browser.test_paths import at_rest, running
from tests.scripted_sites import cases
from tests.workspace.exchange.packs import write

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CALLED = {"positive": "good", "negative": "negative"}


def test_sixteen_cases_tell_what_shared_prompts_are_worth_here(page: "Page", tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "shop.csv"
    with open_workspace(home) as ws:
        keep_dropped(ws, "sentiment.zip", write(tmp_path / "pack.zip").read_bytes())
    lines = [f"{one.fields['text']},{CALLED[one.answer]}" for one in cases("shop", 16)]
    file.write_text("\n".join(["review,mood", *lines]) + "\n", encoding="utf-8")
    with running(home, "--no-demo") as app:
        page.goto(app.at("/"))
        page.locator(".st-key-overview_shared button").click()
        page.get_by_role("heading", name="Use shared prompts").wait_for()
        page.locator(".st-key-shared_file input[type=file]").set_input_files(file)
        page.locator("[class*=_means_0] input").wait_for()
        at_rest(page)  # a list that is open closes where the page is drawn anew
        page.locator("[class*=_means_0] input").click()
        page.keyboard.type("positive")  # opens the list, whether or not the click did
        page.get_by_role("option", name="positive").click()
        page.locator(".st-key-shared_start button:enabled").click()
        page.reload()  # what came of it is read out of the bank
        page.get_by_text(re.compile(r"^\d+ of 16$")).nth(1).wait_for()
        page.locator("[data-testid=stVegaLiteChart]").filter(has=page.locator("svg, canvas")).nth(1).wait_for()
        page.locator(".st-key-shared_field_text textarea").fill("It was wonderful.")
        page.keyboard.press("Control+Enter")
        page.locator(".st-key-told_answer_0_0").wait_for()
        at_rest(page)
        assert "wonderful" not in page.url
        page.locator(".st-key-shared_to_playground button").click()
        page.wait_for_url(re.compile(r"/playground\?p=a1(:|%3A)[0-9a-f]+$"))
        at_rest(page)
        with open_workspace(home) as ws:
            assert [row.name for row in ws.bank.all_adapted()] == ["sentiment@home"]
