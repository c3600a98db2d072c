"""Long work in a real browser: a tuning and a federation begun, paused, taken up again; what left a site, told."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from fedprompt.workspace.rounds.federation_view import federations
from fedprompt.workspace.workspace import open_workspace
from tests.browser.test_paths import App, at_rest, running
from tests.pages.evaluation import add_set, add_study
from tests.scripted_sites import TEXT, cases

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# So many steps and rounds that there is time to pause: the scripted model needs a thousandth of a second a step.
LONG = (
    TEXT.replace("study: small", "study: long")
    .replace("{steps: 2,", "{steps: 400,")
    .replace("rounds: {count: 2}", "rounds: {count: 400}")
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    home = tmp_path_factory.mktemp("worked")
    with open_workspace(home) as ws:
        add_set(ws)
        add_study(ws, LONG)
    with running(home, "--no-demo") as started:
        yield started


def test_a_tuning_is_timed_started_paused_taken_up_again_and_stopped(page: "Page", app: App) -> None:
    page.goto(app.at("/tune"))
    page.locator(".st-key-tune_start button:enabled").click()
    page.locator(".st-key-told_tune_estimate").wait_for()
    page.locator(".st-key-tune_start button:enabled").click()
    page.locator(".st-key-tune_job").get_by_role("progressbar").wait_for()
    page.reload()  # it goes on without its page
    page.locator(".st-key-tune_stop button:enabled").first.click()
    page.locator(".st-key-told_tune_stopped").wait_for()
    page.locator(".st-key-tune_again button:enabled").click()
    page.locator(".st-key-tune_end button:enabled").first.click()
    page.locator(".st-key-told_tune_stopped").wait_for(state="detached")
    page.locator(".st-key-tune_start button:enabled").wait_for()
    at_rest(page)
    with open_workspace(app.home) as ws:
        assert [job.state for job in ws.bank.jobs() if job.kind == "tune"] == ["cancelled"] * 2


def test_two_files_federate_round_by_round_and_the_ledger_tells_what_left(
    page: "Page", app: App, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("files")
    for site in ("harbour", "valley"):
        lines = [f"{case.fields['text']},{case.answer}" for case in cases(site, 80)]
        (folder / f"{site}.csv").write_text("\n".join(["text,answer", *lines]) + "\n", encoding="utf-8")
    page.goto(app.at("/federation"))
    at_rest(page)
    page.locator(".st-key-federation_files input[type=file]").set_input_files(list(folder.iterdir()))
    page.locator(".st-key-federation_start button:enabled").wait_for()
    at_rest(page)
    page.locator(".st-key-federation_first button:enabled").click()
    page.locator(".st-key-told_federation_stopped").wait_for()
    page.locator(".st-key-told_federation_rounds").filter(has_text="1 of 400").wait_for()
    at_rest(page)
    page.locator(".st-key-federation_again button:enabled").click()
    page.locator(".st-key-told_federation_rounds").filter(has_text=re.compile(r"\b([2-9]|\d\d+) of 400")).wait_for()
    page.locator(".st-key-federation_stop button:enabled").first.click()
    page.locator(".st-key-federation_again button:enabled").wait_for()
    at_rest(page)
    with open_workspace(app.home) as ws:
        (run,) = federations(ws)
        assert 1 < len(ws.bank.rounds(run.id)) < 400
    page.get_by_role("link", name="Trust").click()
    page.locator(".st-key-told_trust_verified").wait_for()
    page.locator("[class*=st-key-told_ledger_sent_]").first.wait_for()
    page.locator("[data-testid=stGraphVizChart] svg").wait_for()
    at_rest(page)
