"""Federation: several files of one machine begin, pause, go on and end; a site's app controls none of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fedprompt.workspace.federation_view import UpdateRow, federation_view, federations, likened, updates_of
from fedprompt.workspace.jobs import submit
from fedprompt.workspace.workspace import Workspace
from tests.demo_bank import SITES
from tests.new_bank import new_workspace
from tests.pages.evaluation import add_set, add_study
from tests.scripted_sites import TEXT, cases

Open = Callable[..., AppTest]
ROOT = Path(__file__).parents[2]
KEEPING = TEXT.replace("rounds: {count: 2}", "rounds: {count: 2, keep_updates: true}")


def texts(at: AppTest) -> str:
    kinds = (at.markdown, at.caption, at.subheader, at.error, at.success, at.info, at.warning)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def table(site: str) -> bytes:
    lines = [f"{case.fields['text']},{case.answer}" for case in cases(site, 80)]
    return ("\n".join(["text,answer", *lines]) + "\n").encode()


def arguments(ws: Workspace, text: str = TEXT) -> dict[str, object]:
    sites = {name: str(add_set(ws, name, f"{name}.csv").path) for name in ("clinic", "ward")}
    mapping = {"text": "text", "answer": "answer"}
    return {"study": add_study(ws, text), "sites": sites, "mapping": mapping, "group": None, "seed": 0}


def test_an_empty_home_says_that_a_study_comes_first(open_page: Open) -> None:
    assert "It needs a study first" in texts(open_page("federation"))


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
    shown = texts(at)
    assert "Rounds: 2 of 2" in shown and "What came of it" in shown
    assert list(at.dataframe[0].value["Site"]) == ["clinic", "ward"]
    assert list(at.dataframe[0].value["Rounds"]) == ["2 of 2", "2 of 2"]
    assert (ws.home.sites / "ward" / "data" / "ward.csv").read_bytes() == table("ward")


def test_a_federation_goes_on_round_by_round(open_page: Open, ws: Workspace) -> None:
    given = arguments(ws)
    submit(ws, "federate", {**given, "pause_after": 1})
    run = federations(ws)[0]
    assert ws.bank.jobs()[0].state == "cancelled" and len(ws.bank.rounds(run.id)) == 1
    at = open_page("federation")
    assert "Rounds: 1 of 2" in texts(at)
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


def test_updates_that_a_study_keeps_are_likened_and_outliers_marked(open_page: Open, ws: Workspace) -> None:
    submit(ws, "federate", arguments(ws, KEEPING))
    at = open_page("federation")
    view = federation_view(ws, federations(ws)[0].id)
    found = updates_of(ws, view)
    assert [(row.round, row.site) for row in found] == [(1, "clinic"), (1, "ward"), (2, "clinic"), (2, "ward")]
    assert all(row.norm > 0 and row.cosine is not None and -1 <= row.cosine <= 1 for row in found)
    assert "went against the others" in texts(at) or "No update stands out" in texts(at)


def test_an_update_against_the_others_or_far_longer_stands_out() -> None:
    rows = likened(1, ["a", "b", "c"], np.array([[1.0, 0.0], [0.9, 0.1], [-1.0, 0.0]]))
    # a and b sum to (1.9, 0.1), against which c goes; what a has beside it is (-0.1, 0.1), and b (0, 0).
    assert rows[2] == UpdateRow(1, "c", 1.0, rows[2].cosine, True) and (rows[2].cosine or 0.0) < -0.99
    assert likened(1, ["a", "b", "c"], np.array([[1.0, 0.0], [1.0, 0.0], [3.0, 0.0]]))[2].outlier


@pytest.mark.usefixtures("demo_home")
def test_a_finished_demo_shows_rounds_transfer_and_roster(open_page: Open) -> None:
    at = open_page("federation")
    assert list(at.dataframe[0].value["Site"]) == list(SITES)
    assert "A prompt tuned at one site reaches" in texts(at)
    assert "Not measured: this study does not have the hub keep" in texts(at)


def test_a_federation_that_failed_says_why(open_page: Open, ws: Workspace) -> None:
    given = arguments(ws)
    ws.bank.add_job("j-1", "federate", given)
    ws.bank.end_job("j-1", "failed", None, "site 'ward' has too few distinct cases")
    at = open_page("federation")
    assert at.error[0].value == "Site 'ward' has too few distinct cases."
    at.button(key="federation_again").click().run()
    assert ws.bank.jobs()[0].state == "done"


def test_a_sites_app_has_no_controls_of_the_federation(
    open_page: Open, ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDPROMPT_ROLE", "site")
    add_study(ws)
    at = open_page("federation")
    assert not at.button and not at.file_uploader
    assert "has not joined a federation yet" in texts(at)


def test_a_hubs_app_says_how_to_become_one(open_page: Open, ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDPROMPT_ROLE", "hub")
    add_study(ws)
    at = open_page("federation")
    assert "This machine is no hub yet" in texts(at)
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
