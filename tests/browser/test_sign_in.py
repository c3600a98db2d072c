"""A real browser signs in at a real OpenID Connect provider, sees its role, and is let do what the role may."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.workspace import open_workspace
from tests.browser.oidc_provider import CLIENT, SECRET, provider
from tests.browser.test_paths import at_rest, running
from tests.new_bank import new_workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PEOPLE = {
    "ada": {"name": "Ada Lovelace", "email": "ada@example.org", "email_verified": True},
    "eve": {"name": "Eve", "email": "eve@example.org", "email_verified": True, "groups": ["engineers"]},
    "vic": {"name": "Vic", "email": "ada@example.org", "email_verified": False},
}
RULES = 'claim = "groups"\nengineer = ["engineers"]\n[emails]\noperator = ["ada@example.org"]\n'
AUTH = """[auth]
redirect_uri = "http://localhost:{{port}}/oauth2callback"
cookie_secret = "0123456789abcdef0123456789abcdef"
client_id = "{client}"
client_secret = "{secret}"
server_metadata_url = "{at}/.well-known/openid-configuration"
"""


def write(home: Path, name: str, text: str) -> None:
    path = home / name
    path.write_text(text)
    path.chmod(0o600)


def sign_in(page: "Page", at: str, who: str) -> None:
    page.goto(at)
    page.locator(".st-key-sign_in_default button:enabled").click()
    page.get_by_role("link", name=who, exact=True).click()
    page.locator(".st-key-sidebar_person").wait_for()
    at_rest(page)


def test_people_sign_in_see_their_role_and_two_bring_a_prompt_into_production(
    browser: "Browser", tmp_path: Path
) -> None:
    with new_workspace(tmp_path) as ws:
        prompt = ws.bank.record_prompt(Prompt(Template("kind", text="{text}?")), study=None, origin="import")
    write(tmp_path, "people.toml", RULES)
    with provider(PEOPLE) as oidc:
        write(tmp_path, "secrets.toml", AUTH.format(client=CLIENT, secret=SECRET, at=oidc))
        # Others may reach this address, and the provider only from this machine.
        with running(tmp_path, "--no-demo", "--address", "0.0.0.0") as app:
            at = app.address.replace("127.0.0.1", "localhost")
            page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
            page.set_default_timeout(60_000)
            page.goto(f"{at}/bank")
            page.locator(".st-key-sign_in_default").wait_for()
            assert page.get_by_role("link", name="Bank").count() == 0
            assert page.locator(".st-key-bank_file").count() == 0

            sign_in(page, at, "vic")  # whose address nobody verified
            assert "viewer" in page.locator(".st-key-sidebar_person").inner_text()
            page.get_by_role("link", name="Bank").click()
            page.locator(".st-key-told_barred_exchange").first.wait_for()
            assert page.locator(".st-key-bank_file button").first.is_disabled()
            page.locator(".st-key-sidebar_sign_out button").click()
            page.locator(".st-key-sign_in_default").wait_for()

            sign_in(page, at, "eve")
            page.goto(f"{at}/bank?p={prompt}")
            page.locator(f".st-key-bank_tags_{prompt.replace(':', '-')} button").click()
            page.get_by_role("radio", name="production").click()
            page.locator("[class*=st-key-bank_tag_][class*=_sure] label").first.click()
            page.locator("[class*=st-key-bank_tag_][class*=_go] button:enabled").click()
            asked = page.locator("[class*=st-key-told_bank_asked_]:not([class*=_why_not])").filter(has_text="Eve")
            asked.wait_for()
            assert page.locator("[data-testid=stMarkdown] a").count() == 0  # her address is text
            page.keyboard.press("Escape")
            assert page.locator("[class*=st-key-bank_asked_][class*=_yes] button").is_disabled()
            page.locator(".st-key-sidebar_sign_out button").click()
            page.locator(".st-key-sign_in_default").wait_for()

            sign_in(page, at, "ada")
            assert "operator" in page.locator(".st-key-sidebar_person").inner_text()
            page.goto(f"{at}/bank?p={prompt}")
            page.locator("[class*=st-key-bank_asked_][class*=_yes] button:enabled").click()
            page.get_by_text("@production").first.wait_for()
            asked.wait_for(state="hidden")
            at_rest(page)
    with open_workspace(tmp_path) as ws:
        (tag,) = ws.bank.tags()
        assert tag.prompt == prompt and tag.by == "Ada Lovelace <ada@example.org>"
        assert ws.bank.events()[0].body["asked_by"] == "Eve <eve@example.org>"
