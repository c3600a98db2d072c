"""A site forgets what it answered, or shows another past: the hub says so at the first question, whatever the run."""

import shutil
from pathlib import Path

import pytest

from fedprompt.errors import FederationError
from fedprompt.federation.hub import Hub
from fedprompt.federation.ledgers import Ledgers
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.federation.transports.transport import Delivered
from fedprompt.models.scripted import ScriptedModel
from fedprompt.site.folder import SiteFolder
from fedprompt.study.schema import Study
from fedprompt.verbs.describe import ask_describe
from fedprompt.verbs.score import ask_score
from fedprompt.workspace.enrolled.seen_ledgers import LOCAL, SeenLedgers
from fedprompt.workspace.home import Home, find_home
from fedprompt.workspace.hub.ledgers import hub_sites
from fedprompt.workspace.rounds.federating import federate
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import STUDY, TEXT, study, worker, write_cases

OTHER = study(tuning={"steps": 3})
MODEL = ScriptedModel().info.digest


def run(home: Home, sites: Path, *names: str, chosen: Study = STUDY) -> Hub:
    """Return the hub of a new run."""
    handlers = {name: worker(sites, name, chosen=chosen).handle for name in names}
    return Hub(LocalTransport(handlers), chosen.digest(MODEL), ledgers=Ledgers(SeenLedgers(home, LOCAL)))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return find_home(tmp_path / "home")


def forget(folder: Path) -> None:
    (folder / "ledger.jsonl").unlink()
    (folder / "replies.db").unlink()


@pytest.mark.parametrize("chosen", [STUDY, OTHER], ids=["the same study", "another study"])
def test_a_site_that_deleted_its_ledger_and_replies_between_two_runs_is_named(
    home: Home, tmp_path: Path, chosen: Study
) -> None:
    ask_describe(run(home, tmp_path, "ant"), "ant")
    forget(tmp_path / "ant")
    again = run(home, tmp_path, "ant", chosen=chosen)
    with pytest.raises(
        FederationError, match=r"'ant' .*20\d\d-.*hub sites ant --ledger-restart", check=coded("ledger-rewritten")
    ):
        ask_describe(again, "ant")
    assert again.heads == {}
    with pytest.raises(FederationError, check=coded("ledger-rewritten")):  # it goes on saying so
        ask_describe(run(home, tmp_path, "ant"), "ant")


def test_a_site_that_put_an_older_copy_of_its_folder_back_is_named(home: Home, tmp_path: Path) -> None:
    hub = run(home, tmp_path, "ant")
    ask_describe(hub, "ant")
    shutil.copytree(tmp_path / "ant", tmp_path / "kept")
    ask_score(hub, "ant", [*worker(tmp_path, "ant").side.templates])
    shutil.rmtree(tmp_path / "ant")
    shutil.copytree(tmp_path / "kept", tmp_path / "ant")
    with pytest.raises(FederationError, check=coded("ledger-rewritten")):
        ask_describe(run(home, tmp_path, "ant"), "ant")


def test_a_site_that_answered_others_meanwhile_goes_on(home: Home, tmp_path: Path) -> None:
    ask_describe(run(home, tmp_path, "ant"), "ant")
    ask_describe(run(find_home(tmp_path / "other hub"), tmp_path, "ant", chosen=OTHER), "ant")
    assert ask_describe(run(home, tmp_path, "ant"), "ant").tune == 30
    (site,) = hub_sites(home).sites
    assert site.head == SiteFolder(tmp_path / "ant").ledger.head


def test_a_new_beginning_is_accepted_knowingly_once_and_recorded(home: Home, tmp_path: Path) -> None:
    ask_describe(run(home, tmp_path, "ant"), "ant")
    (before,) = hub_sites(home).sites
    forget(tmp_path / "ant")
    with pytest.raises(FederationError, check=coded("which-site")):
        hub_sites(home, ledger_restarted=True)
    with pytest.raises(FederationError, match=r"'bee'.*\bant\b", check=coded("unknown-site")):
        hub_sites(home, "bee", ledger_restarted=True)
    hub_sites(home, "ant", ledger_restarted=True)
    assert ask_describe(run(home, tmp_path, "ant"), "ant").tune == 30
    found = hub_sites(home, "ant")
    (restart,) = found.restarts
    assert (restart.head, restart.identity) == (before.head, before.identity) and restart.by
    forget(tmp_path / "ant")
    with pytest.raises(FederationError, check=coded("ledger-rewritten")):  # the next time is another
        ask_describe(run(home, tmp_path, "ant"), "ant")


def test_a_site_that_comes_back_with_another_key_is_named(home: Home, tmp_path: Path) -> None:
    class Renamed:
        """Answers as 'ant' with what 'bee' would say of itself, and a ledger that goes on."""

        concurrent = False
        sites = ("ant",)

        def ask(self, site: str, task: bytes) -> Delivered:
            found = worker(tmp_path, "bee").handle(task)
            return Delivered(found.data, found.head, found.trail)

    ask_describe(run(home, tmp_path, "ant"), "ant")
    book = SeenLedgers(home, LOCAL)
    book.saw("ant", "0" * 64)
    with pytest.raises(FederationError, match=r"'ant' .*k1:.* k1:", check=coded("another-key")):
        ask_describe(Hub(Renamed(), STUDY.digest(MODEL), ledgers=Ledgers(book)), "ant")


def test_a_site_that_joins_under_another_name_with_its_key_brings_its_ledger(home: Home, tmp_path: Path) -> None:
    ask_describe(run(home, tmp_path, "ant"), "ant")
    handle = worker(tmp_path, "ant").handle  # the same folder and key, under another name
    book = SeenLedgers(home, LOCAL)
    ask_describe(Hub(LocalTransport({"bee": handle}), STUDY.digest(MODEL), ledgers=Ledgers(book)), "bee")
    forget(tmp_path / "ant")
    fresh = worker(tmp_path, "ant").handle
    with pytest.raises(FederationError, match="'cat'", check=coded("ledger-rewritten")):
        ask_describe(Hub(LocalTransport({"cat": fresh}), STUDY.digest(MODEL), ledgers=Ledgers(book)), "cat")


def test_the_head_is_on_disk_before_the_reply_is_used(home: Home, tmp_path: Path) -> None:
    hub = run(home, tmp_path, "ant")
    with pytest.raises(FederationError):
        ask_score(hub, "ant", ["p1:" + "0" * 32])  # refused, and that is in the ledger too
    (site,) = hub_sites(home).sites
    assert site.head == SiteFolder(tmp_path / "ant").ledger.head != "0" * 64


def test_a_head_that_the_site_does_not_know_costs_nothing(tmp_path: Path) -> None:
    one = worker(tmp_path, "ant")
    hub = Hub(LocalTransport({"ant": one.handle}), STUDY.digest(MODEL))
    hub.heads["ant"] = "a" * 64
    with pytest.raises(FederationError, check=coded("ledger-rewritten")):
        ask_describe(hub, "ant")
    folder = SiteFolder(tmp_path / "ant")
    assert [(one.decision, one.message["code"]) for one in folder.ledger.entries()] == [("refused", "other-ledger")]
    assert folder.replies.spent(STUDY.digest(MODEL)) == 0 and folder.replies.answered() == frozenset()


@pytest.mark.whole
def test_a_run_names_who_forgot_and_goes_on_without_it_until_its_new_beginning_is_accepted(tmp_path: Path) -> None:
    chosen = tmp_path / "study.yaml"
    chosen.write_text(TEXT.replace("rounds: {count: 2}", "rounds: {count: 1, quorum: 2}"), encoding="utf-8")
    files = {name: write_cases(tmp_path / f"{name}.csv", name) for name in ("ant", "bee", "cat")}
    with new_workspace(tmp_path / "home") as ws:
        federate(ws, chosen, files)
        forget(ws.home.sites / "cat")
        without = federate(ws, chosen, files, seed=1)
        hub_sites(ws.home, "cat", ledger_restarted=True)
        accepted = federate(ws, chosen, files, seed=2)
    assert set(without.missing) == {"cat"} and set(without.test["manual"].by_site) == {"ant", "bee"}
    assert "--ledger-restarted" in without.missing["cat"]["describe"]
    assert accepted.missing == {} and set(accepted.test["manual"].by_site) == {"ant", "bee", "cat"}
