import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from app.panels.front.study_best import best_sentences, sure_of
from fedprompt.bank.rows import Leader
from fedprompt.workspace.ranking.study_best import StudyBest
from fedprompt.workspace.workspace import Workspace
from tests.demo_bank import SITES, fill
from tests.pages.messages import messages
from tests.pages.titled import pooled, together

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]


def texts(at: AppTest) -> str:
    kinds = (at.markdown, at.caption, at.header, at.error, at.success, at.info)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def test_an_empty_home_says_what_to_do_and_its_button_starts_the_demo(
    open_page: Open, ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FEDPROMPT_JOBS")  # jobs wait in the queue, where nobody takes them here
    at = open_page("overview")
    at.button(key="overview_start").click().run()
    assert [(job.kind, job.state) for job in reversed(ws.bank.jobs())] == [
        ("assets", "queued"),
        ("demo", "queued"),
    ]
    assert {"overview_next", "overview_plan"} <= set(messages(at))


def test_a_running_job_is_shown_with_its_bar_its_message_and_its_time(open_page: Open, ws: Workspace) -> None:
    fill(ws, finished=False)
    ws.bank.add_job("j-1", "demo", {})
    ws.bank.claim_job("j-1", os.getpid())
    told = {"stage": "federate", "message": "round 3 of 4", "done": 1.0, "total": 4.0, "seconds_left": 190.0}
    ws.bank.update_job("j-1", told)
    at = open_page("overview")
    assert (at.progress[0].value, at.progress[0].text) == (25, "Round 3 of 4")
    stage = messages(at)["overview_stage_j-1"]
    assert "2 of 5" in stage and "3 min" in stage and "overview_rounds" in messages(at)
    at.button(key="overview_stop").click().run()
    assert ws.bank.is_cancelled("j-1")


def test_a_failed_job_is_one_sentence_and_a_button_that_tries_again(
    open_page: Open, ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FEDPROMPT_JOBS")
    ws.bank.add_job("j-1", "federate", {"study": "s.yaml", "sites": {}})
    ws.bank.end_job("j-1", "failed", None, "s.yaml line 3: ![x](http://a.example/b.png)")
    at = open_page("overview")
    assert at.error[0].value == r"s.yaml line 3\: \!\[x\]\(http\:" "\u2060" r"//a.example/b.png\)."
    at.button(key="overview_again").click().run()
    newest = ws.bank.jobs()[0]
    assert (newest.kind, newest.state, newest.arguments) == ("federate", "queued", {"study": "s.yaml", "sites": {}})


def test_a_stopped_job_can_go_on(open_page: Open, ws: Workspace) -> None:
    ws.bank.add_job("j-1", "demo", {})
    ws.bank.end_job("j-1", "cancelled", None, None)
    at = open_page("overview")
    assert at.button(key="overview_again").label == "Resume"


@pytest.mark.usefixtures("demo_home")
def test_a_finished_demo_tells_its_finding_and_what_joining_gained_each_site(open_page: Open) -> None:
    at = open_page("overview")
    assert "overview_better" in messages(at) and len(at.metric) == 4
    shown = texts(at)
    assert all(site in shown for site in SITES)
    assert len([name for name in messages(at) if name.startswith("gain_")]) == len(SITES)
    assert "transfer_said" in messages(at)
    # sites' balances, transfer matrix, gains, rounds
    assert len(at.get("vega_lite_chart")) == len(SITES) + 3


def test_rounds_tell_bytes_by_site_and_who_was_missing_and_why(open_page: Open, ws: Workspace) -> None:
    fill(ws, finished=False)
    run = ws.bank.runs(kind="demo")[0].id
    row = ws.bank.rounds(run)[-1]
    body = {
        **row.body,
        "by_site": {site: 0.8 for site in SITES[:3]},
        "sent": {"movies": 20_000},
        "received": {"movies": 18_500},
        "missing": [{"site": "tweets", "step": "tune", "why": "late", "reason": "![x](http://a.example)"}],
    }
    ws.bank.record_round(run, row.number + 1, prompt=row.prompt, body=body)
    at = open_page("overview")
    table = at.table[0].value
    assert list(table["Site"]) == list(SITES)
    movies = table[table["Site"] == "movies"].iloc[0]
    # What the hub received, the site sent.
    assert (movies["Sent"], movies["Received"], movies["Rounds"]) == ("18 kB", "20 kB", "3 of 3")
    assert table[table["Site"] == "tweets"].iloc[0]["Rounds"] == "2 of 3"
    assert "**tweets**" in messages(at)["traffic_missing_3"]
    assert r" \!\[x\]\(http\:" "\u2060" r"//a.example\)." in texts(at)


@pytest.mark.usefixtures("demo_home")
def test_a_federation_whose_bytes_were_not_counted_by_site_says_so(open_page: Open) -> None:
    at = open_page("overview")
    assert {"traffic_not_by_site", "traffic_none_missing"} <= set(messages(at))


@pytest.mark.usefixtures("demo_home")
@pytest.mark.parametrize("kind", ["trial", "a kind of an earlier version"])
def test_playground_jobs_do_not_count_as_the_job_of_the_overview(open_page: Open, ws: Workspace, kind: str) -> None:
    ws.bank.add_job("j-1", kind, {})
    at = open_page("overview")
    assert not at.progress


@pytest.mark.usefixtures("demo_home")
def test_each_studys_best_prompt_is_told_with_its_gain_over_the_template_and_each_site_alone(
    open_page: Open, ws: Workspace
) -> None:
    at = open_page("overview")
    study = f"best_of_{ws.bank.studies()[0].digest}"
    first, over, alone = (messages(at)[name] for name in (study, f"{study}_1", f"{study}_2"))
    assert f"“{together(3)}”" in first and "4 sites" in first and over
    assert all(site in alone for site in SITES) and "(" not in alone
    # The numbers are behind the sentence.
    assert any(list(one.value.get("Site", ())) == list(SITES) and len(one.value.columns) == 4 for one in at.table)


def test_a_gain_whose_interval_holds_zero_is_called_no_gain() -> None:
    def gain(difference: float, low: float, high: float) -> dict[str, object]:
        return {"difference": difference, "low": low, "high": high, "distinguishable": low > 0 or high < 0}

    best = Leader("p1:a", "soft", "soft", "federated", None, 3, 300, 0.9, 0.8, 0.9, None)
    found = StudyBest(
        "s1:a",
        "triage",
        best,
        None,
        gain(-0.02, -0.03, -0.01),
        {"a": gain(0.02, 0.01, 0.03), "b": gain(-0.02, -0.03, -0.01), "c": gain(0.01, -0.01, 0.03)},
    )
    assert found.over_alone is not None
    assert [sure_of(one) for one in found.over_alone.values()] == ["better", "worse", "neither"]
    over, alone = best_sentences(found, {})[1:]
    assert all(number in over for number in ("2.0", "1.0", "3.0")) and "+" not in over
    assert alone.index(" a") < alone.index(" b") < alone.index(" c")
    unsure = replace(found, over_template=gain(0.02, -0.01, 0.05), over_alone=None)
    (over,) = best_sentences(unsure, {})[1:]
    assert all(number in over for number in ("+2.0", "\N{MINUS SIGN}1.0", "+5.0"))


@pytest.mark.usefixtures("demo_home")
def test_a_site_that_keeps_its_own_prompt_is_no_dot_without_an_interval(open_page: Open) -> None:
    charts = [chart.proto.spec for chart in open_page("overview").get("vega_lite_chart")]
    assert sum('"text": {"field": "told"' in spec for spec in charts) == 1


@pytest.mark.usefixtures("demo_home")
def test_the_matrix_says_what_its_colours_and_its_mark_mean(open_page: Open) -> None:
    assert "73.3" in messages(open_page("overview"))["transfer_scale"]


@pytest.mark.usefixtures("demo_home")
def test_what_only_pooled_cases_could_give_is_not_among_the_best_prompts(open_page: Open) -> None:
    (best,) = [frame.value for frame in open_page("overview").dataframe if "worst site" in frame.value]
    assert len(best) == 5 and not best["prompt"].isin([pooled(n) for n in (1, 2, 3, 4)]).any()


@pytest.mark.usefixtures("demo_home")
def test_what_changed_of_late_is_told(open_page: Open) -> None:
    shown = messages(open_page("overview"))["overview_recent"].splitlines()
    assert len(shown) == 3 and "24 " in shown[0]  # prompts, a study, a run


def test_a_demo_with_a_newcomer_opens_with_its_sentence_which_federation_tells_too_and_with_its_curve(
    open_page: Open, ws: Workspace
) -> None:
    fill(ws)
    (demo,) = ws.bank.runs(kind="demo")
    told = "an older version rounded to 62 of 100"
    point = {"sites": 1, "draws": 4, "alone": 0.625, "shared": 0.775, "gain": 0.15, "low": 0.09, "high": 0.21}
    point |= {"worst": 0.1, "needed": 90.0, "alone_by": "tuned", "by_way": {"tuned": 0.625, "template": 0.5}}
    curve = [{**point, "n": n} for n in (4, 16)]
    newcomer = {"n": 16, "asked": 150, "spare": 32, "curve": curve, "members": [], "sentence": told}
    gain = {**demo.result["differences"]["kept_vs_local_own"]}
    donors = {"n": 30, "alone": {}, "shared": {}, "gain": gain, "sentence": ""}
    run = "r1:" + "3" * 32
    ws.bank.start_run(run, kind="demo", study=demo.study, settings={})
    ws.bank.finish_run(run, {**demo.result, "run": run, "headline": told, "newcomer": newcomer, "donors": donors})
    at = open_page("overview")
    shown = messages(at)
    # Halves are rounded up: 62.5 and 77.5.
    assert "63 %" in shown["overview_better"] and "78" in shown["overview_better"]
    finding = shown["overview_better"].removeprefix(":material/hub: ")
    assert messages(open_page("federation"))["federation_finding"].endswith(finding)
    assert "90" in shown["curve_needed"] and list(shown).index("overview_worth") < list(shown).index("curve_needed")
