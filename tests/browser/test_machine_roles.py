"""A hub's and a site's app in a real browser: only the pages and the controls that belong to such a machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.site.study import site_study_accept
from fedprompt.workspace.workspace import open_workspace
from tests.browser.test_paths import App, at_rest, running
from tests.pages.evaluation import add_set, add_study

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FINGERPRINT = "SHA256:" + ":".join(["AB"] * 32)
LOOKS = ["Playground", "Compare", "Models", "Leaderboard", "Map", "Bank"]
OF_A_HUB = ["Overview", *LOOKS, "New study", "Federation", "Trust"]
OF_A_SITE = ["Overview", "Use shared prompts", *LOOKS, "Data", "New study", "Tune", "Federation", "Trust"]
CONTROLS = ".st-key-federation_start, .st-key-federation_first, .st-key-federation_stop, .st-key-federation_files"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A hub with two members, whose engine does not run."""
    home = tmp_path_factory.mktemp("hub")
    with open_workspace(home) as ws:
        folder = HubFolder(ws.home)
        about = {"federation": "meadow", "host": "hub.example.org", "port": 8002, "admin_port": 8003}
        write_json(folder.path / "hub.json", {**about, "authority": FINGERPRINT})
        for name in ("ant", "bee"):
            folder.set_member(name, state="admitted", org=name, fingerprint=FINGERPRINT)
        add_study(ws)
    with running(home, "--role", "hub", "--no-demo") as started:
        yield started


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An enrolled site with an accepted study and a file of cases."""
    home = tmp_path_factory.mktemp("site")
    with open_workspace(home) as ws:
        SiteFolder(ws.home.sites / "ant").prepare(b"a" * 32)
        about = {"site": "ant", "org": "ant", "federation": "meadow", "host": "hub.example.org", "port": 8002}
        write_json(ws.home.sites / "ant" / "site.json", {**about, "admin_port": 8003, "authority": FINGERPRINT})
        site_study_accept(ws.home, Path(add_study(ws)))
        add_set(ws, site="ant")
    with running(home, "--role", "site", "--no-demo") as started:
        yield started


def pages(page: "Page") -> list[str]:
    """Return the titles of the pages in the navigation, in order."""
    links = page.locator("[data-testid=stSidebarNavLink]")
    links.first.wait_for()
    return [text.split("\n")[-1].strip() for text in links.all_inner_texts()]


def opened(page: "Page", app: App, name: str, heading: str) -> None:
    page.goto(app.at(f"/{name}"))
    page.get_by_role("heading", name=heading, exact=True).first.wait_for()
    at_rest(page)


def test_a_hub_has_no_page_that_takes_cases_and_starts_the_federation_of_its_members(page: "Page", hub: App) -> None:
    opened(page, hub, "federation", "Federation")
    assert pages(page) == OF_A_HUB
    assert "hub" in page.locator("[data-testid=stSidebar]").inner_text()
    page.locator(".st-key-told_federation_members").filter(has_text="2").wait_for()
    page.locator(".st-key-federation_start button:enabled").first.wait_for()
    assert page.locator(".st-key-federation_files").count() == 0, "a hub takes no file of cases"
    opened(page, hub, "new_study", "New study")
    assert page.locator(".st-key-new_study_rank, [data-testid=stFileUploader]").count() == 0
    opened(page, hub, "trust", "Trust")
    assert page.locator(".st-key-trust_rehearse, .st-key-trust_report").count() == 0


def test_a_site_has_no_control_of_the_federation_rehearses_and_takes_its_report(page: "Page", site: App) -> None:
    opened(page, site, "federation", "Federation")
    assert pages(page) == OF_A_SITE
    assert "site" in page.locator("[data-testid=stSidebar]").inner_text()
    page.locator(".st-key-told_member_hub_ant").filter(has_text="hub.example.org").wait_for()
    assert page.locator(CONTROLS).count() == 0
    opened(page, site, "trust", "Trust")
    page.locator(".st-key-trust_rehearse button:enabled").click()
    page.locator(".st-key-told_trust_rehearsed").wait_for()
    at_rest(page)
    with page.expect_download() as waiting:
        page.locator(".st-key-trust_report button").click()
    report = waiting.value.path().read_text(encoding="utf-8")
    assert report.startswith("# ") and "'ant'" in report.splitlines()[0]
    assert "quixotry" not in report, "no word of a case"
    assert not (site.home / "sites" / "ant" / "ledger.jsonl").exists(), "a rehearsal sends nothing"
