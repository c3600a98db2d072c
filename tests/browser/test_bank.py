"""The Bank in a real browser: a prompt is found by its words, tagged, retired, taken away and brought back."""

import json
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

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    home = tmp_path_factory.mktemp("shelf")
    with open_workspace(home) as ws:
        fill(ws)
    with running(home, "--no-demo") as started:
        yield started


def named(app: App, name: str) -> str:
    with open_workspace(app.home) as ws:
        return next(row.id for row in ws.bank.prompts() if row.name == name)


def test_a_prompt_is_found_by_its_words_and_comes_by_staging_into_production(page: "Page", app: App) -> None:
    terse = named(app, "terse")
    page.goto(app.at("/bank"))
    page.locator(".st-key-bank_find input").fill("terse")
    page.locator("[role=grid][aria-rowcount='2']").wait_for(state="attached")  # the heading and one row
    at_rest(page)
    tick(page, page.locator("[data-testid=stDataFrame]").first, 0)
    page.locator(f".st-key-bank_tags_{key(terse)}").wait_for()
    assert "terse" not in page.url and terse.replace(":", "%3A") in page.url  # what is ticked, not what was typed
    for word in ("staging", "production"):
        page.locator(f".st-key-bank_tags_{key(terse)} button").click()
        page.get_by_role("radio", name=word).click()
        at_rest(page)
        tag = f".st-key-bank_tag_{key(terse)}"
        assert page.locator(f"{tag}_go button").is_disabled()  # nothing without a confirmation
        page.locator(f"{tag}_sure label").first.click()
        page.locator(f"{tag}_go button:enabled").click()
        page.locator(f"[class*='{tag[1:]}_drop_'][class*='{word}']").wait_for()
        page.keyboard.press("Escape")
        at_rest(page)
    with open_workspace(app.home) as ws:
        assert {one.tag: one.prompt for one in ws.bank.tags()} == {
            "sentiment demo@staging": terse,
            "sentiment demo@production": terse,
        }
        assert [event.kind for event in ws.bank.events()][:2] == ["tag", "tag"]


def test_a_retired_prompt_says_so_and_is_taken_back(page: "Page", app: App) -> None:
    prompt = named(app, "bad on purpose")
    page.goto(app.at(f"/bank?p={prompt}"))
    page.locator(f".st-key-bank_ends_{key(prompt)} button").click()
    page.locator(f".st-key-bank_retire_{key(prompt)}_note input").fill("it misleads")
    retire = f".st-key-bank_retire_{key(prompt)}"
    page.locator(f"{retire}_sure label").first.click()
    page.locator(f"{retire}_go button:enabled").click()
    page.locator(f"{retire}_note").wait_for(state="detached")  # one that is retired asks for no reason
    at_rest(page)
    with open_workspace(app.home) as ws:
        assert ws.bank.is_retired(prompt)
        assert "it misleads" in json.dumps(dict(ws.bank.events()[0].body))
    page.locator(f"{retire}_sure label").first.click()
    page.locator(f"{retire}_go button:enabled").click()
    page.locator(f"{retire}_note").wait_for()
    at_rest(page)
    with open_workspace(app.home) as ws:
        assert not ws.bank.is_retired(prompt)


def test_an_export_is_looked_into_written_and_comes_back_as_the_same_prompt(
    page: "Page", app: App, tmp_path: Path
) -> None:
    prompt = named(app, "feeling")
    page.goto(app.at(f"/bank?p={prompt}"))
    page.locator(".st-key-bank_look_langchain button:enabled").click()
    contents = page.locator(".st-key-bank_contents")
    name = f"feeling-{prompt[3:9]}-langchain.json"
    contents.get_by_text(name, exact=True).first.wait_for()
    contents.get_by_text("PromptTemplate").first.wait_for()
    assert name in contents.locator("[data-testid=stCode]").last.inner_text(), "the lines that use it name the file"
    assert not (app.home / "exports").exists(), "a look writes nothing"
    contents.locator(".st-key-bank_write button:enabled").click()
    with page.expect_download() as waiting:
        page.locator(".st-key-bank_download").get_by_role("button").click()
    taken = tmp_path / "taken.json"
    waiting.value.save_as(taken)
    assert waiting.value.suggested_filename == name
    page.locator(".st-key-bank_file input[type=file]").set_input_files(taken)
    page.locator(".st-key-bank_import button:enabled").click()
    page.locator(".st-key-told_bank_came_in").filter(has_text="feeling").wait_for()
    at_rest(page)
    with open_workspace(app.home) as ws:
        assert [row.id for row in ws.bank.prompts() if row.name == "feeling"] == [prompt], "the same words, the same id"


def key(prompt: str) -> str:
    """Return how Streamlit writes an id into the name of a class."""
    return prompt.replace(":", "-")
