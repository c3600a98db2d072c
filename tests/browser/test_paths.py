"""A real browser against a real ``fedprompt ui``: open, watch the demo finish, compare, run, take a prompt away."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedprompt.workspace.demo.tasks import DESKS
from fedprompt.workspace.door.entry_token import entry_of
from fedprompt.workspace.home import Home
from fedprompt.workspace.workspace import open_workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.model]
SMALL = {"rounds": 1, "cases": 32, "held_out": 30, "templates": 2, "draws": 1, "asked": 40}
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class App:
    """A running app."""

    address: str
    home: Path
    process: subprocess.Popen[bytes]

    def at(self, path: str = "/") -> str:
        """Return a page's address with the token in it, which lets a new browser in."""
        return entry_of(Home(self.home), int(self.address.rpartition(":")[2])).address(self.address, path)


@contextmanager
def running(home: Path, *options: str) -> Iterator[App]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", int(options[options.index("--port") + 1]) if "--port" in options else 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "FEDPROMPT_DEMO_OPTIONS": json.dumps(SMALL),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "fedprompt.cli", "ui", "--home", str(home), "--port", str(port), *options]
    with (home / "ui.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _await_port(port, process)
        yield App(f"http://127.0.0.1:{port}", home, process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "fedprompt ui ended by itself"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail("fedprompt ui did not answer within a minute")


@pytest.fixture
def app(fresh_home: Path) -> Iterator[App]:
    with running(fresh_home) as started:
        yield started


@pytest.fixture
def page(browser: "Browser", app: App) -> Iterator["Page"]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True)
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def test_open_watch_the_demo_finish_compare_two_run_the_playground_take_one_away(
    page: "Page", app: App, tmp_path: Path
) -> None:
    watch_the_demo_finish(page, app)
    with open_workspace(app.home) as ws:
        rows = ws.bank.prompts()
    tuned = next(row.id for row in rows if row.origin == "federated")
    compare_two(page, app)
    assert re.search(r"\?p=p1[^&]*&p=p1", page.url), "the address holds the two ids"
    run_the_playground(page, app)
    take_one_away(page, app, tuned, tmp_path)
    app.process.send_signal(signal.SIGINT)
    assert app.process.wait(30) == 0


def at_rest(page: "Page") -> None:
    """Wait until the page's script has run, and see that it told of no error."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    assert page.locator("[data-testid=stException]").count() == 0
    assert page.locator("[data-testid=stAlertContentError]").count() == 0


def watch_the_demo_finish(page: "Page", app: App) -> None:
    page.goto(app.at())
    page.get_by_role("heading", name="Prompts found together").wait_for()
    page.locator(".st-key-overview_job").wait_for()
    page.get_by_role("progressbar").first.wait_for()
    page.locator(".st-key-told_overview_worth").wait_for(timeout=400_000)
    page.locator(
        ".st-key-told_curve_needed, .st-key-told_overview_better, .st-key-told_overview_found"
    ).first.wait_for()
    page.locator(".st-key-told_overview_gains").wait_for()
    at_rest(page)
    for desk in DESKS:
        assert page.get_by_text(desk, exact=True).count() > 0
    drawn = page.locator("[data-testid=stVegaLiteChart]").filter(has=page.locator("svg, canvas"))
    drawn.nth(9).wait_for()  # the curve, six balances, transfer, gains, rounds


def compare_two(page: "Page", app: App) -> None:
    page.get_by_role("link", name="Compare").click()
    box = page.locator(".st-key-compare_prompts input")
    for name in ("tuned together, round 1", "text first"):
        box.click()
        box.fill(name)
        page.get_by_role("option", name=name, exact=True).first.click()
    page.keyboard.press("Escape")  # an open list hides the rest of the page from roles
    page.get_by_text("“tuned together, round 1”").first.wait_for()
    page.get_by_role("heading", name="The scores").wait_for()
    page.locator(".st-key-compare_field_text textarea").fill("What a wonderful, lovely day.")
    page.keyboard.press("Control+Enter")  # runs it
    page.locator(".st-key-told_answer_1_0").wait_for(timeout=120_000)
    at_rest(page)


def run_the_playground(page: "Page", app: App) -> None:
    page.get_by_role("link", name="Playground").click()
    box = page.locator(".st-key-playground_template textarea")
    box.click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" ({title})", delay=20)
    page.locator(".st-key-playground_field_title textarea").wait_for()
    assert box.evaluate("box => box === document.activeElement"), "the input appeared while the visitor typed"
    page.locator(".st-key-playground_template textarea").fill("Review: {text}\nSentiment:")
    page.locator(".st-key-playground_field_title").wait_for(state="detached")
    page.locator(".st-key-playground_run button:enabled").click()
    page.locator(".st-key-told_answer_0_0").wait_for()
    at_rest(page)


def take_one_away(page: "Page", app: App, prompt: str, folder: Path) -> None:
    page.goto(app.at(f"/bank?p={prompt}"))
    page.locator(".st-key-bank_look_bundle button:enabled").click()
    page.locator(".st-key-bank_write button:enabled").click()
    with page.expect_download(timeout=120_000) as waiting:
        page.locator(".st-key-bank_download button").click(timeout=120_000)
    waiting.value.save_as(folder / "taken.zip")
    with zipfile.ZipFile(folder / "taken.zip") as archive:
        assert any(name.endswith(".safetensors") for name in archive.namelist())
    at_rest(page)
