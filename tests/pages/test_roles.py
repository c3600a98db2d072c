"""Overview and Federation on a hub, on a site and on a machine that works alone: what each shows and controls."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.models.chat.cost import Tally
from fedprompt.site.folder import SiteFolder
from fedprompt.site.ledger import Ledger
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.jobs.jobs import submit
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.rounds.federation_view import federations
from fedprompt.workspace.rounds.gathering_now import Teller
from fedprompt.workspace.site.study import site_study_accept
from fedprompt.workspace.workspace import Workspace
from tests.pages.evaluation import add_set, add_study
from tests.pages.messages import messages

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]
FINGERPRINT = "SHA256:" + ":".join(["AB"] * 32)
STEP = {
    "token": "0123456789abcdef",
    "round": 2,
    "step": "tune",
    "quorum": 2,
    "answered": 1,
    "seconds": 90.0,
    "asked": {},
    "waiting": ["ward"],
    "came": ["clinic"],
    "missing": {},
}


def keys(at: AppTest) -> set[str]:
    return {str(button.key) for button in at.button}


def begin(ws: Workspace) -> str:
    """Begin a federation of two sites, as a command does, and stop it after a round; return its run."""
    sites = {name: str(add_set(ws, name, f"{name}.csv").path) for name in ("clinic", "ward")}
    mapping = {"text": "text", "answer": "answer"}
    submit(ws, "federate", {"study": add_study(ws), "sites": sites, "mapping": mapping, "pause_after": 1})
    ws.bank.forget_job(ws.bank.jobs()[0].id)
    return federations(ws)[0].id


@pytest.fixture
def hub(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> HubFolder:
    """A hub with one site admitted and one invited, whose engine does not run."""
    monkeypatch.setenv("FEDPROMPT_ROLE", "hub")
    folder = HubFolder(ws.home)
    about = {"federation": "meadow", "host": "hub.example.org", "port": 8002, "admin_port": 8003}
    write_json(folder.path / "hub.json", {**about, "authority": FINGERPRINT})
    folder.set_member("ant", state="admitted", org="![x](http://a.example)", fingerprint=FINGERPRINT)
    folder.set_member("bee", state="invited")
    return folder


@pytest.fixture
def site(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An enrolled site with an accepted study; return its folder."""
    monkeypatch.setenv("FEDPROMPT_ROLE", "site")
    SiteFolder(ws.home.sites / "ant").prepare(b"a" * 32)
    about = {"site": "ant", "org": "ant", "federation": "meadow", "host": "hub.example.org", "port": 8002}
    write_json(ws.home.sites / "ant" / "site.json", {**about, "admin_port": 8003, "authority": FINGERPRINT})
    site_study_accept(ws.home, Path(add_study(ws)))
    return ws.home.sites / "ant"


def test_a_federation_that_a_command_began_is_shown_as_running(open_page: Open, ws: Workspace) -> None:
    run = begin(ws)
    assert "overview_working_0_since" not in messages(open_page("overview"))
    with Teller(ws.home, run) as teller:
        at = open_page("overview")
        shown = messages(at)
        assert at.progress[0].value == 50 and "1 of 2" in shown["overview_working_0_done"]
        assert {"overview_working_0_since", "overview_rounds"} <= set(shown)
        teller.tell(STEP)
        at = open_page("overview")
        told = messages(at)["overview_working_0_done"]
        assert "2 of 2" in told and "1 of 2" in told


def test_a_federation_that_a_job_of_the_app_runs_is_shown_once(open_page: Open, ws: Workspace) -> None:
    run = begin(ws)
    ws.bank.add_job("j-1", "federate", {})
    ws.bank.claim_job("j-1", os.getpid())
    with Teller(ws.home, run):
        at = open_page("overview")
    assert len(at.progress) == 1 and "overview_working_0_since" not in messages(at)


@pytest.mark.usefixtures("hub")
def test_a_hubs_overview_shows_members_and_connections_and_offers_no_demo(open_page: Open) -> None:
    at = open_page("overview")
    members = at.dataframe[0].value
    assert list(members["Site"]) == ["ant", "bee"] and list(members["State"]) == ["admitted", "invited"]
    assert list(members["Connected"]) == ["not known", "not known"]
    assert "hub_stopped" in messages(at)
    assert "overview_start" not in keys(at) and {"overview_study", "overview_federation"} <= keys(at)


def test_a_hubs_members_are_asked_anew_on_demand(open_page: Open, hub: HubFolder) -> None:
    at = open_page("overview")
    hub.set_member("cat", state="invited")
    assert len(at.run().dataframe[0].value) == 2
    assert len(at.button(key="overview_look").click().run().dataframe[0].value) == 3


def test_a_hubs_federation_page_lists_its_members(open_page: Open, ws: Workspace, hub: HubFolder) -> None:
    add_study(ws)
    at = open_page("federation")
    members = at.dataframe[0].value
    assert list(members["Site"]) == ["ant", "bee"] and members["Fingerprint"][0] == FINGERPRINT[:24]
    assert messages(at)["federation_members"].startswith("1 ") and at.button(key="federation_start").disabled
    hub.set_member("bee", state="admitted")
    at = open_page("federation")
    assert messages(at)["federation_members"].startswith("2 ") and not at.button(key="federation_start").disabled


@pytest.mark.usefixtures("hub")
def test_a_hub_nobody_was_invited_to_says_how(open_page: Open, ws: Workspace) -> None:
    (HubFolder(ws.home).path / "members.json").unlink()
    assert "hub_none_invited" in messages(open_page("federation"))


@pytest.mark.usefixtures("site")
def test_a_sites_overview_shows_how_the_site_stands_and_offers_no_demo(open_page: Open) -> None:
    at = open_page("overview")
    shown = messages(at)
    assert "**ant**" in shown["member_stopped_ant"] and "meadow" in shown["member_stopped_ant"]
    (accepted,) = (words for name, words in shown.items() if name.startswith("study_accepted_"))
    assert re.search(r"\*\*small\*\* .*\d\d \w{3} \d{4} \d\d:\d\d UTC", accepted)  # a date as people write it
    assert keys(at) == {"overview_shared", "overview_data"}


def test_a_sites_federation_page_shows_how_it_stands(open_page: Open, ws: Workspace, site: Path) -> None:
    assert "member_sent_nothing_ant" in messages(open_page("federation"))
    ledger = Ledger(SiteFolder(site).ledger.path)
    study = "s1:" + "0" * 32
    ledger.append(decision="sent", study=study, message={"verb": "describe"}, arrays={}, data=b"x" * 321)
    shown = messages(open_page("federation"))
    assert "hub.example.org:8002" in shown["member_hub_ant"]
    assert all(number in shown["member_sent_ant"] for number in ("1 ", "0 ", "321 bytes"))
    (accepted,) = enrolled(ws.home, None).accepted()
    took = Tally(calls=2, input_tokens=60, output_tokens=10, amounts={"EUR": 0.016})
    for role in ("model", "judge"):
        SiteFolder(site).bill.add(accepted.digest, role, "chat:local", took)
    shown = messages(open_page("federation"))
    for role in ("model", "judge"):
        for value in ("chat:local", "2 calls", "70 tokens", "0.0160 EUR"):
            assert value in shown[f"member_{role}_ant"]
    SiteFolder(site).pause.touch()
    assert "member_paused_ant" in messages(open_page("federation"))
    SiteFolder(site).ledger.path.write_text("{}\n")
    assert open_page("federation").error


@pytest.mark.parametrize("kind", ["demo", "federate", "federate-flare"])
@pytest.mark.usefixtures("site")
def test_a_sites_overview_neither_stops_nor_resumes_a_federation(open_page: Open, ws: Workspace, kind: str) -> None:
    ws.bank.add_job("j-1", kind, {"sites": []})
    ws.bank.claim_job("j-1", os.getpid())
    at = open_page("overview")
    assert at.progress and not {"overview_stop", "overview_again", "overview_start"} & keys(at)
    ws.bank.end_job("j-1", "cancelled", None, None)
    assert not {"overview_stop", "overview_again", "overview_start"} & keys(open_page("overview"))


@pytest.mark.usefixtures("site")
def test_a_sites_overview_stops_work_of_its_own(open_page: Open, ws: Workspace) -> None:
    ws.bank.add_job("j-1", "tune", {})
    ws.bank.claim_job("j-1", os.getpid())
    at = open_page("overview")
    at.button(key="overview_stop").click().run()
    assert ws.bank.is_cancelled("j-1")


def test_an_empty_overview_leads_straight_to_the_file(open_page: Open) -> None:
    at = open_page("overview")
    assert {"overview_start", "overview_data"} <= keys(at)
    at.button(key="overview_data").click().run()
    assert "open_data" in messages(at)  # a page that runs alone can lead nowhere
