"""Tune: timed first, started, paused, taken up again, and shown with its curves whatever happens to the browser."""

import os
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.workspace.jobs.jobs import cancel, submit
from fedprompt.workspace.jobs.tuning_job import tuning_view
from fedprompt.workspace.workspace import Workspace
from tests.pages.evaluation import add_set, add_study
from tests.pages.messages import messages

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]


def arguments(ws: Workspace) -> dict[str, object]:
    return {"study": add_study(ws), **add_set(ws).arguments, "seed": 0}


def test_without_a_file_or_a_study_it_says_what_is_needed(open_page: Open, ws: Workspace) -> None:
    assert "tune_needs_file" in messages(open_page("tune"))
    add_set(ws)
    assert "tune_needs_study" in messages(open_page("tune"))


def test_ten_steps_are_timed_before_tuning_begins(open_page: Open, ws: Workspace) -> None:
    arguments(ws)
    at = open_page("tune")
    assert "tune_untimed" in messages(at)
    at.button(key="tune_start").click().run()
    (job,) = ws.bank.jobs()
    assert (job.kind, job.state) == ("tune-time", "done") and job.result is not None
    # The small study has 2 rounds of 2 steps.
    assert (job.result["timed"], job.result["steps"], job.result["parts"]) == (10, 4, 2)
    assert "10 steps" in messages(at)["tune_estimate"]
    assert ws.bank.runs(kind="tune") == ()
    at.button(key="tune_measure").click().run()
    assert [job.kind for job in ws.bank.jobs()] == ["tune-time", "tune-time"]


def test_nobody_has_to_wait_for_the_time(open_page: Open, ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments(ws)
    monkeypatch.delenv("FEDPROMPT_JOBS")  # jobs wait in the queue, where nobody takes them here
    at = open_page("tune")
    at.button(key="tune_start").click().run()
    assert not at.button(key="tune_start").disabled
    at.button(key="tune_start").click().run()
    assert [(job.kind, job.state) for job in ws.bank.jobs()] == [("tune", "queued"), ("tune-time", "cancelled")]


def test_where_it_could_not_be_timed_the_next_click_starts_it(open_page: Open, ws: Workspace) -> None:
    given = arguments(ws)
    ws.bank.add_job("j-1", "tune-time", given)
    ws.bank.end_job("j-1", "failed", None, "the machine is busy")
    open_page("tune").button(key="tune_start").click().run()
    assert [(job.kind, job.state) for job in ws.bank.jobs()] == [("tune", "done"), ("tune-time", "failed")]


def test_tuning_ends_with_its_numbers_its_curves_and_its_time_beside_what_was_said(
    open_page: Open, ws: Workspace
) -> None:
    arguments(ws)
    at = open_page("tune")
    at.button(key="tune_start").click().run()
    at.button(key="tune_start").click().run()
    assert len(at.metric) == 4 and "tune_against" in messages(at)
    assert len(at.get("vega_lite_chart")) == 2
    view = tuning_view(ws)
    assert [step for step, _ in view.losses] == [1, 2, 3, 4]
    assert [step for step, _ in view.validation] == [2, 4]


def test_a_tuning_that_runs_is_shown_after_a_reload_and_pauses(open_page: Open, ws: Workspace) -> None:
    given = arguments(ws)
    ws.bank.add_job("j-1", "tune", given)
    ws.bank.claim_job("j-1", os.getpid())
    told = {"message": "step 3 of 4", "done": 5.0, "total": 10.0, "seconds_left": 30.0, "detail": {}}
    ws.bank.update_job("j-1", told)
    at = open_page("tune")
    assert at.progress[0].text == "Step 3 of 4"
    assert not [one for one in at.button if one.key == "tune_start"]
    at.button(key="tune_stop").click().run()
    assert ws.bank.is_cancelled("j-1")


def test_a_stopped_tuning_ends_for_good(open_page: Open, ws: Workspace) -> None:
    ws.bank.add_job("j-1", "tune", arguments(ws))
    ws.bank.claim_job("j-1", os.getpid())
    at = open_page("tune")
    at.button(key="tune_end").click().run()
    assert ws.bank.is_cancelled("j-1")
    ws.bank.end_job("j-1", "cancelled", None, None)  # as its process does when it next tells how far it is
    at.run()
    keys = {button.key for button in at.button}
    assert "tune_start" in keys and not {"tune_again", "tune_give_up"} & keys


def test_a_paused_tuning_goes_on_as_the_same_run_or_makes_room(
    open_page: Open, ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = arguments(ws)
    monkeypatch.delenv("FEDPROMPT_JOBS")
    cancel(ws, submit(ws, "tune", given))
    monkeypatch.setenv("FEDPROMPT_JOBS", "inline")
    at = open_page("tune")
    assert "tune_stopped" in messages(at)
    at.button(key="tune_again").click().run()
    assert ws.bank.jobs()[0].state == "done" and ws.bank.jobs()[0].arguments == given
    monkeypatch.delenv("FEDPROMPT_JOBS")
    cancel(ws, submit(ws, "tune", {**given, "seed": 1}))
    at = open_page("tune")
    assert at.button(key="tune_again") and at.button(key="tune_give_up")
    at.button(key="tune_give_up").click().run()
    assert not [one for one in at.button if one.key == "tune_again"]


def test_a_file_that_does_not_fit_the_study_is_refused_in_a_sentence(open_page: Open, ws: Workspace) -> None:
    from tests.scripted_sites import TEXT

    add_set(ws)
    add_study(ws, TEXT.replace("{text}", "{note}").replace("[text]", "[note]"))
    at = open_page("tune")
    assert "tune_unfit" in messages(at)
    assert not [one for one in at.button if one.key == "tune_start"]


def test_a_hubs_app_has_nothing_to_tune_on(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDPROMPT_ROLE", "hub")
    assert "tune_of_a_hub" in messages(open_page("tune"))
