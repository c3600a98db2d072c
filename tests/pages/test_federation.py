"""Federation: several files of one machine begin, pause, go on and end; a site's app controls none of it."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.panels.federation import updates
from fedprompt.federation.orders import Taken
from fedprompt.study.versions import OWN
from fedprompt.workspace.cases.evaluation_sets import Reading, evaluation_sets, keep_file, keep_reading
from fedprompt.workspace.jobs.jobs import submit
from fedprompt.workspace.people import machine_person
from fedprompt.workspace.rounds.contributing import contributions_of
from fedprompt.workspace.rounds.federation_view import UpdateRow, federation_view, federations, likened, updates_of
from fedprompt.workspace.rounds.gathering_now import Teller, run_now
from fedprompt.workspace.rounds.given_orders import BankDesk, give_order, orders_of
from fedprompt.workspace.workspace import Workspace
from tests.demo_bank import SITES
from tests.new_bank import new_workspace
from tests.pages.evaluation import add_set, add_study
from tests.pages.messages import messages
from tests.scripted_sites import LABELS, TEXT, cases

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]
ROOT = Path(__file__).parents[2]
KEEPING = TEXT.replace("rounds: {count: 2}", "rounds: {count: 2, keep_updates: true}")


def table(site: str) -> bytes:
    lines = [f"{case.fields['text']},{case.answer}" for case in cases(site, 80)]
    return ("\n".join(["text,answer", *lines]) + "\n").encode()


def arguments(ws: Workspace, text: str = TEXT) -> dict[str, object]:
    sites = {name: str(add_set(ws, name, f"{name}.csv").path) for name in ("clinic", "ward")}
    mapping = {"text": "text", "answer": "answer"}
    return {"study": add_study(ws, text), "sites": sites, "mapping": mapping, "group": None, "seed": 0}


def test_an_empty_home_says_that_a_study_comes_first(open_page: Open) -> None:
    at = open_page("federation")
    assert "federation_needs_study" in messages(at)
    at.button(key="federation_study").click().run()
    assert "open_new_study" in messages(at)  # a page that runs alone can lead nowhere


def test_two_dropped_files_make_a_federation(open_page: Open, ws: Workspace) -> None:
    add_study(ws)
    at = open_page("federation")
    assert at.button(key="federation_start").disabled
    for name in ("clinic", "ward"):
        at.file_uploader[0].upload(f"{name}.csv", table(name), "text/csv").run()
    assert at.multiselect(key="federation_sites").value == ["clinic / clinic.csv", "ward / ward.csv"]
    at.button(key="federation_start").click().run()
    job = ws.bank.jobs()[0]
    assert (job.kind, job.state, job.error) == ("federate", "done", None)
    shown = messages(at)
    assert "2 of 2" in shown["federation_rounds"] and "federation_result" in shown
    assert at.button(key="federation_bank")
    roster = next(one.value for one in at.dataframe if "Site" in one.value)
    assert list(roster["Site"]) == ["clinic", "ward"] and list(roster["Rounds"]) == ["2 of 2", "2 of 2"]
    keys = {button.key for button in at.button}
    assert {f"federation_{step}" for step in ("compare", "try", "bank", "export")} <= keys
    assert (ws.home.sites / "ward" / "data" / "ward.csv").read_bytes() == table("ward")
    assert "federation_same" not in messages(at)
    at.button(key="federation_start").click().run()  # the same study, cases and seed
    assert "federation_same" in messages(at) and len(ws.bank.runs(kind="federate")) == 1


def test_files_without_a_header_are_federated_as_they_were_read_on_the_data_page(
    open_page: Open, ws: Workspace
) -> None:
    add_study(ws)
    for site in ("clinic", "ward"):
        path = keep_file(ws.home, site, f"{site}.csv", table(site).partition(b"\n")[2])
        found = next(one for one in evaluation_sets(ws.home) if one.path == path)
        keep_reading(found, Reading(fields={"text": "#1"}, answer="#2", labels=LABELS, header=False))
    at = open_page("federation")
    at.multiselect(key="federation_sites").set_value(["clinic / clinic.csv", "ward / ward.csv"]).run()
    at.button(key="federation_start").click().run()
    job = ws.bank.jobs()[0]
    assert (job.kind, job.state, job.error) == ("federate", "done", None)
    assert job.arguments["mapping"] == {"text": "#1", "answer": "#2", "#header": "no"}


def test_ids_of_dropped_files_are_kept_only_while_the_box_shows_them(open_page: Open, ws: Workspace) -> None:
    add_study(ws)
    at = open_page("federation")
    for number in range(3):
        at.file_uploader[0].set_value((f"s{number}.csv", table("clinic"), "text/csv")).run()
        assert len(at.session_state["federation_kept"]) == 1
    assert at.multiselect(key="federation_sites").value == ["s0 / s0.csv", "s1 / s1.csv", "s2 / s2.csv"]


def test_beside_the_studys_editor_stands_where_it_goes_and_how_long_it_is_kept(
    open_page: Open, ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_study(ws)
    assert str(ws.home.path / "studies") in messages(open_page("federation"))["federation_study_kept"]
    monkeypatch.setenv("FEDPROMPT_ROLE", "hub")
    assert "federation_study_shown" in messages(open_page("federation"))


def test_a_federation_goes_on_round_by_round(open_page: Open, ws: Workspace) -> None:
    given = arguments(ws)
    submit(ws, "federate", {**given, "pause_after": 1})
    run = federations(ws)[0]
    assert ws.bank.jobs()[0].state == "cancelled" and len(ws.bank.rounds(run.id)) == 1
    at = open_page("federation")
    assert "1 of 2" in messages(at)["federation_rounds"]
    at.button(key="federation_next").click().run()
    assert len(ws.bank.rounds(run.id)) == 2 and len(federations(ws)) == 1


def test_a_paused_federation_ends_with_the_numbers_of_one_that_was_not(
    ws: Workspace, tmp_path: Path, open_page: Open
) -> None:
    submit(ws, "federate", {**arguments(ws), "pause_after": 1})
    at = open_page("federation")
    at.button(key="federation_again").click().run()
    assert ws.bank.jobs()[0].state == "done"
    with new_workspace(tmp_path / "other") as other:
        for name in ("clinic", "ward"):  # the same key, so the same cut
            (other.home.sites / name).mkdir(parents=True)
            key = (ws.home.sites / name / "site.key").read_bytes()
            (other.home.sites / name / "site.key").write_bytes(key)
        submit(other, "federate", arguments(other))
        for one, two in zip(ws.bank.runs(kind="federate"), other.bank.runs(kind="federate"), strict=True):
            assert one.result is not None and two.result is not None
            assert one.result["test"] == two.result["test"] and one.result["prompts"] == two.result["prompts"]


@pytest.fixture
def gathers(ws: Workspace) -> Iterator[str]:
    """A federation whose second round gathers: the clinic has answered, the ward is still out."""
    submit(ws, "federate", {**arguments(ws), "pause_after": 1})
    run = federations(ws)[0].id
    with Teller(ws.home, run) as teller:
        teller.tell(
            {
                "token": "0123456789abcdef",
                "round": 2,
                "step": "tune",
                "quorum": 2,
                "answered": 1,
                "seconds": 90.0,
                "asked": {"ward": time.time() - 65},
                "waiting": ["ward"],
                "came": ["clinic"],
                "missing": {},
            }
        )
        yield run


def test_the_operator_orders_a_round_that_gathers(open_page: Open, ws: Workspace, gathers: str) -> None:
    at = open_page("federation")
    step = messages(at)["federation_step"]
    assert "1 of 2" in step and "; 2 " in step and "1 min 30 s" in step
    roster = at.dataframe[0].value
    clinic, ward = roster["Now"]
    assert clinic == "answered" and re.search(r"\d\d s", ward)
    assert list(roster["Study"]) == [federations(ws)[0].study[:11]] * 2 and set(roster["Version"]) == {OWN}
    # One of two has answered and both are needed.
    assert at.button(key="federation_close").disabled
    assert "1 of 2" in at.button(key="federation_close").help
    at.number_input(key="federation_minutes").set_value(3).run()
    at.button(key="federation_wait").click().run()
    at.selectbox(key="federation_site").set_value("ward").run()
    at.button(key="federation_leave_out").click().run()
    first, second = orders_of(ws, gathers)
    assert (first.order.what, first.order.seconds, first.order.token) == ("wait", 180.0, "0123456789abcdef")
    assert (second.order.what, second.order.site, second.done) == ("leave-out", "ward", None)
    assert first.order.by == machine_person().label
    assert "ward" in messages(at)["federation_order_0_waits"]


def test_a_step_is_closed_once_the_quorum_has_answered_and_a_site_is_taken_back(
    open_page: Open, ws: Workspace, gathers: str
) -> None:
    study = ws.bank.run(gathers).study
    desk = BankDesk(ws.bank, gathers, study, Teller(ws.home, gathers))
    _, order = give_order(ws, "leave-out", run=gathers, site="ward", by="ada")
    desk.answer(Taken(order, True, "'ward' is asked no more"))
    now = run_now(ws.home, gathers)
    assert now is not None and now.step is not None
    desk.show(
        {**now.step.model_dump(mode="json"), "quorum": 1, "waiting": [], "asked": {}, "missing": {"ward": "left"}}
    )
    at = open_page("federation")
    assert list(at.dataframe[0].value["Now"]) == ["answered", "excluded"]
    told = messages(at)["federation_left_out_0"]
    assert "**ward**" in told and "ada" in told
    assert not at.button(key="federation_close").disabled
    at.button(key="federation_close").click().run()
    at.button(key="federation_take_back_0").click().run()
    assert [one.order.what for one in orders_of(ws, gathers)] == ["leave-out", "close", "take-back"]


def test_what_a_federation_will_take_is_shown_before_it_is_begun(open_page: Open, ws: Workspace) -> None:
    submit(ws, "federate", arguments(ws))
    at = open_page("federation")
    for name in ("clinic", "ward"):
        at.file_uploader[0].upload(f"{name}.csv", table(name), "text/csv").run()
    at.button(key="federation_forecast_ask").click().run()
    shown = next(one.value for one in at.dataframe if "Sends" in one.value)
    assert list(shown["Site"]) == ["clinic", "ward"] and list(shown["Cases"]) == [80, 80]
    assert "2 rounds" in messages(at)["forecast_earlier_rounds"]


def test_updates_that_a_study_keeps_are_likened_and_outliers_marked(
    open_page: Open, ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(ws, "federate", arguments(ws, KEEPING))
    at = open_page("federation")
    view = federation_view(ws, federations(ws)[0].id)
    found = updates_of(ws, view)
    assert [(row.round, row.site) for row in found] == [(1, "clinic"), (1, "ward"), (2, "clinic"), (2, "ward")]
    assert all(row.norm > 0 and row.cosine is not None and -1 <= row.cosine <= 1 for row in found)
    assert [name for name in messages(at) if name.startswith("updates_odd_") or name == "updates_none_odd"]
    asked: list[str] = []
    monkeypatch.setattr(updates, "contributions_of", lambda ws, run: asked.append(run) or contributions_of(ws, run))
    at.toggle(key="federation_contributions").set_value(True).run()
    at.run()
    assert "federation_contributed" in messages(at) and asked == [view.run.id]  # worked out once, drawn twice


def test_an_update_against_the_others_or_far_longer_stands_out() -> None:
    rows = likened(1, ["a", "b", "c"], np.array([[1.0, 0.0], [0.9, 0.1], [-1.0, 0.0]]))
    # a and b sum to (1.9, 0.1), against which c goes; what a has beside it is (-0.1, 0.1), and b (0, 0).
    assert rows[2] == UpdateRow(1, "c", 1.0, rows[2].cosine, True) and (rows[2].cosine or 0.0) < -0.99
    assert likened(1, ["a", "b", "c"], np.array([[1.0, 0.0], [1.0, 0.0], [3.0, 0.0]]))[2].outlier
    # At a right angle to the others, or hardly beyond, as honest updates of late rounds are: a cosine of -0.05.
    assert not likened(1, ["a", "b", "c"], np.array([[1.0, 0.0], [1.0, 0.0], [-0.05, 1.0]]))[2].outlier


@pytest.mark.usefixtures("demo_home")
def test_a_finished_demo_shows_rounds_transfer_and_roster(open_page: Open) -> None:
    at = open_page("federation")
    (roster,) = (one.value for one in at.dataframe if "Site" in one.value)
    assert list(roster["Site"]) == list(SITES)
    shown = messages(at)
    assert "transfer_said" in shown
    # The rounds and the level line are of the same cases, and the numbers stand on Overview, not here again.
    assert "rounds_level" in shown
    assert not at.metric and at.button(key="federation_overview")
    # The demo keeps the sites' updates, and is drawn with their lengths and directions.
    assert "updates_not_kept" not in shown
    assert [name for name in shown if name.startswith("updates_odd_") or name == "updates_none_odd"]


def test_where_no_update_was_kept_it_says_how_to_have_them_kept(open_page: Open, ws: Workspace) -> None:
    submit(ws, "federate", arguments(ws))
    assert "updates_not_kept" in messages(open_page("federation"))


def test_a_federation_that_failed_says_why(open_page: Open, ws: Workspace) -> None:
    given = arguments(ws)
    ws.bank.add_job("j-1", "federate", given)
    ws.bank.end_job("j-1", "failed", None, "site 'ward' is odd")
    at = open_page("federation")
    assert "site 'ward' is odd" in messages(at)["federation_failed"].lower()
    at.button(key="federation_again").click().run()
    assert ws.bank.jobs()[0].state == "done"


@pytest.mark.usefixtures("gathers")
def test_a_sites_app_has_no_controls_of_the_federation(
    open_page: Open, ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDPROMPT_ROLE", "site")
    add_study(ws)
    at = open_page("federation")
    assert not at.button and not at.file_uploader and not at.number_input and not at.selectbox
    assert "member_not_joined" in messages(at)


def test_a_hubs_app_says_how_to_become_one(open_page: Open, ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDPROMPT_ROLE", "hub")
    add_study(ws)
    at = open_page("federation")
    assert "hub_none" in messages(at)
    assert not at.file_uploader and at.button(key="federation_start").disabled


@pytest.mark.parametrize(("role", "absent"), [("hub", {"Data", "Tune"}), ("site", set()), ("alone", set())])
def test_navigation_follows_the_role(role: str, absent: set[str], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDPROMPT_ROLE", role)
    asked: list[str] = []
    real = st.Page

    def page(path: str, **kwargs: Any) -> Any:
        asked.append(str(kwargs["title"]))
        return real(path, **kwargs)

    monkeypatch.setattr(st, "Page", page)
    at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=30).run()
    assert not at.exception
    assert {"Data", "New study", "Tune", "Federation"} - set(asked) == absent
