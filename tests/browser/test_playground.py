"""The playground in a real browser: two variants, streamed text, a stop, a reload, Ctrl+Enter, a copy in the bank."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedprompt.workspace.door.entry_token import entry_of
from fedprompt.workspace.home import Home
from fedprompt.workspace.workspace import open_workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.model]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def address(fresh_home: Path) -> Iterator[str]:
    """Run the app without its demo on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "fedprompt.cli", "ui", "--home", str(fresh_home), "--port", str(port), "--no-demo"]
    with (fresh_home / "ui.log").open("wb") as log:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        # With the token in it, which lets a new browser in.
        yield entry_of(Home(fresh_home), port).address(f"http://127.0.0.1:{port}", "/playground")
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def page(browser: "Browser") -> Iterator["Page"]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True)
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def at_rest(page: "Page") -> None:
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(300)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    assert page.locator("[data-testid=stException]").count() == 0


def fill(page: "Page", key: str, text: str) -> None:
    page.locator(f".st-key-{key} textarea").fill(text)
    page.locator("h1").click()
    at_rest(page)


def test_two_variants_stream_stop_go_on_and_outlive_a_reload(page: "Page", address: str, fresh_home: Path) -> None:
    page.goto(address)
    page.get_by_role("heading", name="Playground").wait_for()
    at_rest(page)
    fill(page, "playground_answers", "")
    page.locator(".st-key-playground_generate label").first.click()
    at_rest(page)
    page.locator(".st-key-playground_tokens input").fill("60")
    page.keyboard.press("Enter")
    at_rest(page)
    page.locator(".st-key-playground_add button").first.click()
    at_rest(page)
    page.locator(".st-key-playground_run button:enabled").click()
    block = page.get_by_text("\N{LOWER HALF BLOCK}").first  # stands at the end of text that is being written
    block.wait_for(timeout=120_000)
    before = block.inner_text()
    page.wait_for_function("before => !document.body.innerText.includes(before)", arg=before)
    page.locator(".st-key-playground_stop_run button").click()
    page.locator(".st-key-told_playground_unfinished").wait_for()
    assert re.search(r"\?run=[0-9a-f]{32}$", page.url)
    page.reload()
    page.locator(".st-key-told_playground_unfinished").wait_for()
    page.locator(".st-key-playground_go_on button").click()
    page.get_by_text(re.compile(r"wrote \d+")).nth(1).wait_for(timeout=300_000)
    at_rest(page)
    answered_with_ctrl_enter(page)
    kept_in_the_bank(page, fresh_home)


def answered_with_ctrl_enter(page: "Page") -> None:
    fill(page, "playground_template", "Review: {text}\nSentiment:")
    fill(page, "playground_answers", "positive\nnegative")
    page.locator(".st-key-playground_field_text textarea").fill("I was bored and left early.")
    page.keyboard.press("Control+Enter")
    page.locator(".st-key-told_answer_0_0").first.wait_for()
    at_rest(page)


def kept_in_the_bank(page: "Page", home: Path) -> None:
    page.locator(".st-key-playground_further summary").click()
    page.locator(".st-key-playground_keep_name input").fill("from the browser")
    page.keyboard.press("Enter")
    at_rest(page)
    page.locator(".st-key-playground_keep button:enabled").click()
    page.locator(".st-key-told_playground_kept").wait_for()
    with open_workspace(home) as ws:
        assert [row.name for row in ws.bank.prompts()] == ["from the browser"]
        assert "bored" not in str(ws.bank.jobs())
