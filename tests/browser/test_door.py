"""A real browser beside another web server of the same machine, whose page tries to drive the app."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.test_paths import App, at_rest, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TRY = """async app => {
  const socket = await new Promise(done => {
    const made = new WebSocket(app.replace('http', 'ws') + '/_stcore/stream', ['streamlit']);
    made.onopen = () => done('opened');
    made.onerror = () => done('refused');
  });
  const read = await fetch(app + '/_stcore/host-config', {credentials: 'include'}).then(() => 'read', () => 'refused');
  const blind = await fetch(app + '/_stcore/upload_file/a/b', {method: 'PUT', body: 'x', credentials: 'include'})
    .then(() => 'read', () => 'refused');
  const frame = document.createElement('iframe');
  frame.src = app;
  await new Promise(done => { frame.onload = done; document.body.append(frame); });
  return [socket, read, blind];
}"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><h1>another site</h1>" + self.server.link.encode())  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def another_site(link: str) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    server.link = f'<a href="{link}">a link</a>'  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running(tmp_path_factory.mktemp("door"), "--no-demo") as started:
        yield started


def test_the_address_with_the_token_lets_a_browser_in_and_does_not_stay(browser: "Browser", app: App) -> None:
    page = browser.new_context().new_page()
    assert app.address in (app.home / "ui.log").read_text()
    page.goto(f"{app.address}/models")
    page.locator("input[name=token]").wait_for()
    printed = re.search(r"http://\S+token=[\w-]+", (app.home / "ui.log").read_text())
    assert printed is not None
    page.goto(printed[0])
    page.get_by_role("heading", name="Prompts found together").first.wait_for()
    assert "token" not in page.url
    page.reload()
    page.get_by_role("link", name="Models").click()
    page.get_by_role("heading", name="Models").first.wait_for()
    at_rest(page)
    assert page.evaluate("document.cookie").find("fedprompt_") == -1  # no script reads it
    page.context.close()


def test_the_token_can_be_pasted(browser: "Browser", app: App) -> None:
    page = browser.new_context().new_page()
    page.goto(f"{app.address}/models?study=s1")
    page.get_by_label("Token").fill((app.home / "ui.token").read_text().strip())
    page.get_by_role("button", name="Open").click()
    page.get_by_role("heading", name="Models").first.wait_for()
    assert "token" not in page.url
    page.context.close()


def test_a_page_of_another_port_gets_nothing_from_a_browser_that_was_let_in(browser: "Browser", app: App) -> None:
    page = browser.new_context().new_page()
    page.goto(app.at())
    page.get_by_role("heading", name="Prompts found together").first.wait_for()
    with another_site(f"{app.address}/models") as other:
        page.goto(other)
        assert page.evaluate(TRY, app.address) == ["refused", "refused", "refused"]
        shown = [frame for frame in page.frames if frame != page.main_frame]
        assert all("Prompts found together" not in (frame.locator("body").inner_text() or "") for frame in shown)
        local = other.replace("127.0.0.1", "localhost")  # another site also by the browser's measure
        page.goto(local)
        assert page.evaluate(TRY, app.address) == ["refused", "refused", "refused"]
        page.get_by_role("link", name="a link").click()  # a link is no attack, and the strict cookie comes along
        page.get_by_role("heading", name="Models").first.wait_for()
        assert page.url == f"{app.address}/models"
    page.context.close()


def test_a_file_that_leads_to_the_app_opens_it(browser: "Browser", app: App, tmp_path: Path) -> None:
    from fedprompt.workspace.home import Home
    from fedprompt.workspace.machine.launch import OPENING, _leading_to

    made = _leading_to(Home(tmp_path), app.at("/models"))
    assert (tmp_path / OPENING).stat().st_mode & 0o077 == 0
    page = browser.new_context().new_page()
    page.goto(made, wait_until="commit")
    page.get_by_role("heading", name="Models").first.wait_for()
    assert page.url == f"{app.address}/models"
    page.context.close()


def test_the_cookie_holds_over_a_restart(browser: "Browser", tmp_path: Path) -> None:
    with running(tmp_path, "--no-demo") as first:
        context = browser.new_context()
        page = context.new_page()
        page.goto(first.at())
        page.get_by_role("heading", name="Prompts found together").first.wait_for()
        port = first.address.rpartition(":")[2]
    with running(tmp_path, "--no-demo", "--port", port) as second:
        page.goto(f"http://127.0.0.1:{port}/models")
        page.get_by_role("heading", name="Models").first.wait_for()
        assert second.process.poll() is None
        context.close()
