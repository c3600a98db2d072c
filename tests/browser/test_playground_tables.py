"""The Playground and Models in a real browser: a model is added and tested, a table is judged, kept and run again."""

import csv
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedprompt.workspace.workspace import open_workspace
from tests.browser.table_rows import tick
from tests.browser.test_paths import App, at_rest, running
from tests.chat_server import serve

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# The last one means the other thing, so that it is answered wrongly.
TABLE = "text,answer\nA wonderful and lovely day.,positive\nSo awful that I left.,negative\nHow terrible!,positive\n"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    home = tmp_path_factory.mktemp("tried")
    with running(home, "--no-demo") as started:
        yield started


def chosen(page: "Page", key: str, option: str) -> None:
    """Choose an option of a box."""
    page.locator(f".st-key-{key} input").click()
    page.get_by_role("option", name=option).click()
    at_rest(page)


def typed(page: "Page", box: "Locator", text: str) -> None:
    """Fill a box and leave it."""
    box.fill(text)
    page.locator("h1").click()
    at_rest(page)


def with_scripted(page: "Page", app: App) -> None:
    """Open the playground with the scripted model, which the Models page adds to the session."""
    page.goto(app.at("/models"))
    page.locator(".st-key-models_folder input").fill("scripted")
    page.keyboard.press("Enter")
    page.locator(".st-key-models_folder_add button:enabled").click()
    at_rest(page)
    page.get_by_role("link", name="Playground").click()
    page.get_by_role("heading", name="Playground").wait_for()
    at_rest(page)
    chosen(page, "playground_model", "scripted")


def test_a_server_on_loopback_lists_its_models_is_tested_and_is_offered_in_the_playground(
    page: "Page", app: App
) -> None:
    with serve() as server:
        page.goto(app.at("/models"))
        page.locator(".st-key-models_url input").fill(server.url)
        page.keyboard.press("Enter")
        page.locator(".st-key-models_list button:enabled").click()
        page.locator(".st-key-models_offered").get_by_text("tiny").click()
        page.locator(".st-key-models_add button:enabled").click()
        added = page.locator("[class*=st-key-models_added_]")
        added.locator("[class*=st-key-models_test_] button").click()
        added.locator("[class*=st-key-told_models_test_]").wait_for()
        at_rest(page)
        assert len(server.sent) == 1, "nothing is asked of it but the test's one question"
        assert not (app.home / "models.toml").exists()
        page.get_by_role("link", name="Playground").click()
        page.get_by_role("heading", name="Playground").wait_for()
        at_rest(page)
        chosen(page, "playground_model", "tiny at")
        page.locator(".st-key-told_playground_goes_to").filter(has_text="127.0.0.1").wait_for()
        page.locator(".st-key-playground_run button:enabled").click()
        page.locator(".st-key-told_answer_0_0").filter(has_text="positive").wait_for()
        at_rest(page)


def test_a_pasted_table_is_judged_kept_as_a_test_set_and_run_again(page: "Page", app: App, tmp_path: Path) -> None:
    with_scripted(page, app)
    page.locator(".st-key-playground_how").get_by_text("From a table").click()
    page.locator(".st-key-playground_paste textarea").fill(TABLE)
    page.keyboard.press("Control+Enter")
    page.locator(".st-key-playground_answer_column").wait_for()
    at_rest(page)
    page.locator(".st-key-playground_run button:enabled").click()
    page.wait_for_url(re.compile(r"run=[0-9a-f]{32}"))
    page.locator(".st-key-playground_csv button").first.wait_for()
    at_rest(page)
    page.get_by_text("Failed (1)").click()
    at_rest(page)
    page.get_by_role("button", name="Add to a test set").click()  # wording
    page.locator(".st-key-playground_add_set input").fill("what failed")
    page.keyboard.press("Enter")
    page.locator(".st-key-playground_add_to_set button:enabled").click()
    page.locator(".st-key-told_playground_taken").wait_for()
    page.keyboard.press("Escape")
    tick(page, page.locator("[class*=st-key-playground_matrix_][class*=_fails]"), 0)
    page.locator("[class*=st-key-told_answer_fails_][class*=_exact]").wait_for()
    with page.expect_download() as waiting:
        page.locator(".st-key-playground_csv button").click()
    waiting.value.save_as(tmp_path / "cells.csv")
    cells = list(csv.DictReader((tmp_path / "cells.csv").read_text(encoding="utf-8").splitlines()))
    assert [cell["exact passes"] for cell in cells] == ["True", "True", "False"]
    keep_and_use_again(page)
    open_from_the_history(page)
    with open_workspace(app.home) as ws:
        assert ws.bank.prompts() == () and "lovely" not in page.url


def keep_and_use_again(page: "Page") -> None:
    page.locator(".st-key-playground_earlier summary").click()
    page.locator(".st-key-playground_set_name input").fill("three moods")
    page.keyboard.press("Enter")
    page.locator(".st-key-playground_set_keep button:enabled").click()
    page.get_by_text("Saved 3 rows.").wait_for()
    at_rest(page)
    page.locator(".st-key-playground_how").get_by_text("Saved set").click()
    page.locator(".st-key-told_playground_rows_given").filter(has_text="3").wait_for()
    at_rest(page)
    before = page.url
    page.locator(".st-key-playground_run button:enabled").click()
    page.wait_for_url(lambda address: address != before and "run=" in address)
    page.get_by_text("Failed (1)").wait_for()
    at_rest(page)


def open_from_the_history(page: "Page") -> None:
    opened = page.locator("[class*=st-key-playground_open_] button")
    before = page.url
    opened.nth(1).click()  # the newest stands first
    page.wait_for_url(lambda address: address != before and "run=" in address)
    page.locator(".st-key-playground_how").get_by_text("Earlier run").wait_for()
    page.locator(".st-key-told_playground_rows_given").filter(has_text="3").wait_for()
    at_rest(page)


def test_text_of_another_tool_is_converted_and_gets_its_input(page: "Page", app: App) -> None:
    shutil.rmtree(app.home / "drafts")  # the tests before left one with a table
    page.goto(app.at("/playground"))
    page.get_by_role("heading", name="Playground").wait_for()
    at_rest(page)
    page.locator(".st-key-playground_template textarea").fill("Note: {{note}}\nIs it urgent?")
    page.locator(".st-key-told_playground_template_looks_like").wait_for()
    page.locator(".st-key-playground_template_convert button").click()
    page.locator(".st-key-playground_field_note textarea").wait_for()
    at_rest(page)
    assert page.locator(".st-key-playground_template textarea").input_value() == "Note: {note}\nIs it urgent?"
    assert page.locator(".st-key-playground_template_offer").count() == 0
