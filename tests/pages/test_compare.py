import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from app.panels.scores.duel import own_points
from app.panels.scores.pareto import unbeaten
from app.panels.trials.pinning import PINNED
from app.panels.trials.report import comparison_report
from app.panels.trials.wins import by_answer, wins_of
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.trial_files import TrialFolder, owner_folder
from fedprompt.workspace.playground.trials import Judged, Trial, TrialCell, TrialRequest, read_trial
from fedprompt.workspace.ranking.comparing import compare
from fedprompt.workspace.workspace import Workspace
from tests.pages.messages import messages
from tests.pages.titled import together

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).parents[2]
Open = Callable[..., AppTest]
pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("demo_home")]


@pytest.fixture
def ids(ws: Workspace, demo_home: object) -> dict[str, str]:
    """Ids of the study's templates, and of the prompt that was tuned together, by name."""
    rows = ws.bank.prompts()
    tuned = [row.id for row in rows if row.origin == "federated"]
    return {row.name: row.id for row in rows if row.kind == "template"} | {"tuned": tuned[2]}


def test_without_prompts_the_page_says_how_to_choose_some(open_page: Open) -> None:
    assert "compare_too_few" in messages(open_page("compare"))


def test_a_link_opens_the_prompts_it_names_and_the_sentence_calls_them_by_their_titles(
    open_page: Open, ids: dict[str, str]
) -> None:
    at = open_page("compare", ids["tuned"], ids["text first"], ids["feeling"])
    assert at.multiselect(key="compare_prompts").value == [ids["tuned"], ids["text first"], ids["feeling"]]
    said = messages(at)
    assert len([name for name in said if name.startswith("compare_pair_")]) == 2
    for name in ("text first", "feeling"):
        assert (
            f"“{together(3)}”" in said[f"compare_pair_{ids[name]}"] and f"“{name}”" in said[f"compare_pair_{ids[name]}"]
        )


def test_choosing_prompts_puts_their_ids_and_nothing_else_into_the_address(
    open_page: Open, ids: dict[str, str]
) -> None:
    at = open_page("compare")
    at.multiselect(key="compare_prompts").set_value([ids["terse"], ids["feeling"]]).run()
    at.text_area(key="compare_field_text").set_value("a secret of mine").run()
    assert at.query_params == {"p": [ids["terse"], ids["feeling"]]}


def test_a_link_to_a_prompt_that_is_not_there_is_a_sentence_and_the_others_open(
    open_page: Open, ids: dict[str, str]
) -> None:
    at = open_page("compare", "p1:" + "0" * 32, ids["terse"], ids["feeling"])
    assert "error_no-such-prompt" in messages(at)
    assert at.multiselect(key="compare_prompts").value == [ids["terse"], ids["feeling"]]


def test_texts_are_escaped_and_their_differences_marked(open_page: Open, ws: Workspace) -> None:
    plain = ws.bank.record_prompt(Prompt(Template("a", "Say {text} now")), study=None, origin="import")
    other = ws.bank.record_prompt(
        Prompt(Template("b", "Say {text} <img src=x onerror=alert(1)>")), study=None, origin="import"
    )
    at = open_page("compare", plain, other)
    first, second = (element.value for element in at.html if "Source Code Pro" in element.value)
    assert ">now</mark>" in first
    assert "<img" not in second
    assert "&lt;img" in second


@pytest.fixture
def two(open_page: Open, ws: Workspace, demo_home: object) -> AppTest:
    """The page on two prompts of which the second calls good what the first calls bad."""
    (study,) = ws.bank.studies()
    ways = {"as it is": (" positive", " negative"), "the other way": (" negative", " positive")}
    ids = [
        ws.bank.record_prompt(
            Prompt(Template(name, "{text}:", None, dict(zip(("positive", "negative"), words, strict=True)))),
            study=study.digest,
            origin="import",
        )
        for name, words in ways.items()
    ]
    return open_page("compare", *ids)


def paste(at: AppTest, table: str) -> AppTest:
    at.segmented_control(key="compare_how").set_value("From a table").run()
    return at.text_area(key="compare_paste").set_value(table).run()


def press(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click().run()
    assert not at.exception and not at.error
    return at


def answers(at: AppTest) -> "pd.DataFrame":
    """Return the table of answers, a line a row with its texts; it stands below those of the totals and the labels."""
    return next(one.value for one in at.dataframe[1:] if "text" in one.value)


FOUR = "text,answer\nI love it,positive\nawful and bad,negative\ngreat fun,positive\nso dull,negative"


def test_the_page_says_what_it_is_for_and_why_it_cannot_be_run_yet(two: AppTest) -> None:
    assert two.caption[0].value
    assert two.button(key="compare_run").disabled
    assert "compare_lacking" in messages(two)
    assert two.multiselect(key="compare_prompts").proto.label_visibility.value == 0  # its label can be seen
    assert any("fedprompt_run_compare_run" in element.value for element in two.html)  # Ctrl+Enter


def test_the_prompts_answer_a_case_that_the_visitor_types(open_page: Open, ids: dict[str, str]) -> None:
    at = open_page("compare", ids["tuned"], ids["text first"])
    at.text_area(key="compare_field_text").set_value("What a lovely, wonderful day").run()
    at.text_input(key="compare_right").set_value("positive").run()
    before = len(at.get("vega_lite_chart"))
    press(at, "compare_run")
    assert len(at.get("vega_lite_chart")) == before + 2
    assert sum("passes" in element.value for element in at.markdown) == 2  # with its reason, a card each
    assert {"answer_took_0_0", "answer_took_1_0"} <= set(messages(at))


def test_a_run_outlives_a_reload_goes_with_its_prompts_and_is_deleted(
    two: AppTest, open_page: Open, ids: dict[str, str], ws: Workspace
) -> None:
    press(paste(two, FOUR), "compare_run")
    (run,) = owner_folder(ws.home, "").runs()
    assert set(two.query_params) == {"p", "run"}
    later = AppTest.from_file(str(ROOT / "pages" / "compare.py"), default_timeout=30)
    later.query_params["p"], later.query_params["run"] = two.query_params["p"], run
    later.run()
    assert list(answers(later)["text"]) == ["I love it", "awful and bad", "great fun", "so dull"]
    assert not owner_folder(ws.home, "").request(run)["keep"]
    assert "awful" not in str(ws.bank.jobs())
    press(later, "compare_forget")
    assert "run" not in later.query_params and owner_folder(ws.home, "").runs() == ()


def test_a_run_of_other_prompts_is_not_drawn_as_if_it_were_of_these(
    two: AppTest, open_page: Open, ids: dict[str, str]
) -> None:
    press(paste(two, FOUR), "compare_run")
    other = AppTest.from_file(str(ROOT / "pages" / "compare.py"), default_timeout=30)
    other.query_params["p"] = [ids["terse"], ids["feeling"]]
    other.query_params["run"] = two.query_params["run"]
    other.run()
    assert not other.exception and not other.dataframe


def test_a_table_shows_each_answer_and_can_be_narrowed_to_where_they_differ(two: AppTest) -> None:
    press(paste(two, "text\nI love it\nawful and bad\ngreat fun\nso dull"), "compare_run")
    table = answers(two)
    assert list(table["text"]) == ["I love it", "awful and bad", "great fun", "so dull"]
    one, other = ([said.split()[0] for said in table[name]] for name in table.columns[-2:])
    differ = [text for text, a, b in zip(table["text"], one, other, strict=True) if a != b]
    assert len(differ) == 4
    two.segmented_control(key="compare_rows").set_value("differ").run()
    assert list(answers(two)["text"]) == differ


def test_the_playgrounds_test_sets_are_offered_here(two: AppTest, ws: Workspace) -> None:
    kept = {"rows": [{"text": "kept one"}, {"text": "kept two"}], "expected": ["positive", "negative"]}
    owner_folder(ws.home, "").save_set("mine", kept)
    two.segmented_control(key="compare_how").set_value("Saved set").run()
    press(two, "compare_run")
    assert list(answers(two)["text"]) == ["kept one", "kept two"]
    assert list(two.dataframe[0].value["judged"]) == [2, 2]


def test_a_prompt_that_shows_labelled_cases_is_refused_before_it_is_run_and_runs_with_those_of_a_set(
    open_page: Open, ids: dict[str, str], ws: Workspace
) -> None:
    at = open_page("compare", ids["two demonstrations"], ids["terse"])
    at.text_area(key="compare_field_text").set_value("fine").run()
    assert at.button(key="compare_run").disabled and "compare_lacking" in messages(at)
    rows = [{"text": text} for text in ("fine", "a {joy}", "dull", "sad")]
    kept = {"rows": rows, "expected": ["positive", "positive", "negative", "negative"]}
    owner_folder(ws.home, "").save_set("mine", kept)
    at.run()
    assert at.button(key="compare_run").disabled
    at.selectbox(key="compare_examples").set_value("mine").run()
    press(at, "compare_run")
    (run,) = owner_folder(ws.home, "").runs()
    trial = read_trial(owner_folder(ws.home, ""), run)
    assert trial.failures == 0 and trial.missing == 0
    text = trial.cells[0, 0].text
    assert "a {joy}" in text and "dull" in text and text.count("fine") == 1  # never its own example


def test_with_the_right_answers_the_cases_where_another_got_worse_are_found(two: AppTest) -> None:
    press(paste(two, FOUR), "compare_run")
    table = answers(two)
    first, other = ([said[0] == "\N{CHECK MARK}" for said in table[name]] for name in table.columns[-2:])
    worse = [text for text, a, b in zip(table["text"], first, other, strict=True) if a and not b]
    assert worse
    two.segmented_control(key="compare_rows").set_value("worse").run()
    assert list(answers(two)["text"]) == worse


def test_while_answers_are_rated_blind_nothing_says_whose_they_are(two: AppTest) -> None:
    two.toggle(key="compare_blind").set_value(True).run()
    charts = len(two.get("vega_lite_chart"))
    press(paste(two, FOUR), "compare_run")
    assert "rating_pair" in messages(two)
    assert not two.dataframe and len(two.get("vega_lite_chart")) == charts
    assert {button.key for button in two.get("download_button")} == {"compare_report"}
    press(two, "compare_unblind")
    assert len(two.dataframe) >= 2
    press(two, "compare_run")  # the next run is blind again
    assert not two.dataframe


def test_the_answers_follow_once_all_pairs_are_rated_blind(two: AppTest) -> None:
    two.toggle(key="compare_blind").set_value(True).run()
    press(paste(two, FOUR), "compare_run")
    while any(button.key == "compare_rate_a" for button in two.button):
        press(two, "compare_rate_a")
    assert "rating_done" in messages(two)
    assert any("answered" in table.value.columns for table in two.dataframe)


def test_own_cases_are_drawn_head_to_head_and_by_what_they_cost(two: AppTest) -> None:
    press(paste(two, FOUR), "compare_run")
    charts = len(two.get("vega_lite_chart"))
    two.segmented_control(key="compare_own_picture").set_value("duel").run()
    assert len(two.get("vega_lite_chart")) == charts + 1
    assert "duel_by_right_answer" in messages(two)
    two.segmented_control(key="compare_own_picture").set_value("pareto").run()
    for cost in ("tokens", "seconds"):
        two.segmented_control(key="compare_own_cost").set_value(cost).run()
        assert len(two.get("vega_lite_chart")) == charts + 1 and not two.exception


def test_seconds_against_the_sites_scores_are_those_of_the_visitors_own_cases(
    open_page: Open, ids: dict[str, str]
) -> None:
    two = open_page("compare", ids["text first"], ids["bad on purpose"])
    two.segmented_control(key="compare_picture").set_value("pareto").run()
    two.segmented_control(key="compare_cost").set_value("seconds").run()
    assert "pareto_not_run" in messages(two)
    press(paste(two, FOUR), "compare_run")
    assert "pareto_seconds" in messages(two)
    assert two.get("vega_lite_chart")


def test_a_case_is_a_point_by_the_right_answers_probability_and_by_the_firsts_answer_where_none_is_known() -> None:
    def cell(variant: int, row: int, positive: float) -> TrialCell:
        shares = {"positive": positive, "negative": 1 - positive}
        answer = "positive" if positive >= 0.5 else "negative"
        return TrialCell(text="x", probabilities=shares, answer=answer, variant=variant, row=row)

    variant = Variant(template=Template("a", "{text}").canonical(), labels=("positive", "negative"))
    request = TrialRequest(variants=(variant, variant), rows=[{"text": "a"}, {"text": "b"}], expected=("negative", ""))
    cells = {(0, 0): cell(0, 0, 0.8), (1, 0): cell(1, 0, 0.4), (0, 1): cell(0, 1, 0.9), (1, 1): cell(1, 1, 0.3)}
    found = own_points(Trial("r", request, cells, {}, ""), ["one", "other"])
    assert [(row["case"], row["prompt"]) for row in found] == [("1: a", "other"), ("2: b", "other")]
    # Row 1 is of the right answer, negative: 0.2 and 0.6. Row 2 is of what the first answers, positive: 0.9 and 0.3.
    assert [(row["first"], row["other"]) for row in found] == [
        (pytest.approx(0.2), pytest.approx(0.6)),
        (0.9, 0.3),
    ]


RATED = "0123456789abcdef" * 2


def rating(answers: dict[str, list[str]]) -> AppTest:
    """Open a rating as a browser does after a reload; the run's folder is the home's."""

    def page(run: str, answers: dict[str, list[str]]) -> None:
        from app.panels.trials.rating import draw_rating
        from app.session import trial_folder

        draw_rating(trial_folder(), run, [{"text": "fine"}, {"text": "dull"}], answers)

    return AppTest.from_function(page, args=(RATED, answers), default_timeout=30).run()


@pytest.fixture
def rated(ws: Workspace) -> TrialFolder:
    folder = owner_folder(ws.home, "")
    folder.add(RATED, {"keep": False})
    return folder


def test_a_blind_rating_ranks_the_prompts_once_a_pair_is_rated(rated: TrialFolder) -> None:
    at = rating({"one": ["yes", "no"], "other": ["no", "no"]})
    # The second case is answered alike.
    assert "1 of 1" in messages(at)["rating_pair"] and "rating_ranking" not in messages(at)
    left = at.code[1].value  # the answer that stands on the left; the case is the first
    at.button(key="compare_rate_a").click().run()
    assert "rating_ranking" in messages(at)
    # One win and the half virtual win each way: odds 3 to 1, so each is the root of 3 from the middle.
    found = at.dataframe[0].value
    assert list(found["share"]) == pytest.approx([100 * 3**0.5 / (1 + 3**0.5), 100 / (1 + 3**0.5)], abs=0.01)
    assert next(iter(found["prompt"])) == {"yes": "one", "no": "other"}[left]


def test_a_blind_rating_goes_on_at_the_same_pair_after_a_reload_and_can_be_undone(rated: TrialFolder) -> None:
    answers = {"one": ["yes", "so"], "other": ["no", "not so"]}
    at = rating(answers)
    first = [one.value for one in at.code]
    at.button(key="compare_rate_b").click().run()
    at = rating(answers)
    assert "2 of 2" in messages(at)["rating_pair"] and [one.value for one in at.code] != first
    assert rated.request(RATED)["keep"] is True, "what was rated outlives the hour"
    at.button(key="compare_rate_undo").click().run()
    assert [one.value for one in at.code] == first and "rating_ranking" not in messages(at)
    assert "1 of 1" in messages(rating({**answers, "one": ["yes", "not so"]}))["rating_pair"], "of other answers"


def test_of_two_people_on_one_pair_the_second_is_told_and_the_first_rating_stays(rated: TrialFolder) -> None:
    answers = {"one": ["yes", "so"], "other": ["no", "not so"]}
    first, second = rating(answers), rating(answers)
    first.button(key="compare_rate_a").click().run()
    second.button(key="compare_rate_b").click().run()
    assert "rating_elsewhere" in messages(second) and "2 of 2" in messages(second)["rating_pair"]
    second.button(key="compare_rate_b").click().run()
    first.run()
    assert "rating_done" in messages(first) and "rating_elsewhere" not in messages(first)
    assert list(first.dataframe[0].value["preferred"]) != []


@pytest.mark.parametrize("picture", ["sites", "forest", "duel", "calibration"])
def test_each_picture_of_the_scores_is_drawn(open_page: Open, ids: dict[str, str], picture: str) -> None:
    at = open_page("compare", ids["tuned"], ids["text first"])
    at.segmented_control(key="compare_picture").set_value(picture).run()
    assert not at.error and not at.exception
    if picture != "forest":  # the demo's rounds are not compared with templates case by case
        assert at.get("vega_lite_chart")


def test_without_the_models_tokenizer_length_is_not_drawn(open_page: Open, ids: dict[str, str]) -> None:
    at = open_page("compare", ids["tuned"], ids["text first"])
    at.segmented_control(key="compare_picture").set_value("pareto").run()
    assert "pareto_no_tokens" in messages(at)


def test_no_prompt_beats_one_that_is_shorter_or_better() -> None:
    places = {"short": (5.0, 0.7), "long": (20.0, 0.9), "beaten": (20.0, 0.8), "twin": (5.0, 0.7)}
    assert unbeaten(places) == ("short", "long", "twin")


def test_a_forest_plot_tells_what_a_further_site_may_expect() -> None:
    def page() -> None:
        from app.panels.scores.forest import draw_forest
        from fedprompt.evaluation.statistics.intervals import Interval
        from fedprompt.evaluation.statistics.pooled_pairs import pool_pairs
        from fedprompt.study.score import Comparison
        from fedprompt.workspace.results.views import PairView

        a, b = "p1:" + "a" * 32, "p1:" + "b" * 32
        body = {"first": a, "second": b, "split": "validation", "n": 100, "groups": 100, "group_squares": 20.0}
        pair = Comparison.model_validate({**body, "total": 10.0, "squares": 20.0, "better": 15, "worse": 5})
        found = pool_pairs({"north": pair, "south": pair})
        assert found is not None
        by_site = {site: (10.0, Interval(2.0, 18.0)) for site in found.by_site}
        draw_forest(PairView(a, b, 10.0, Interval(4.0, 16.0), 0.01, "", by_site, found=found), "one", "other")

    at = AppTest.from_function(page).run()
    assert not at.exception and at.get("vega_lite_chart")
    # Two sites that say the same do not differ, and a further one may expect what they say: 15 - 5 of 100.
    told = messages(at)["forest_said"]
    assert " 0 %" in told and "+10.0" in told


def test_a_run_that_goes_on_tells_how_far_it_is_and_is_stopped(two: AppTest, ws: Workspace) -> None:
    press(paste(two, FOUR), "compare_run")
    folder = owner_folder(ws.home, "")
    (run,) = folder.runs()
    cells = folder.cells(run)
    (ws.home.path / "playground" / "local" / "runs" / run / "cells.jsonl").unlink()
    for cell in cells[:3]:
        folder.append(run, cell)
    ws.bank.add_job("j-1", "trial", {"owner": "local", "run": run})
    folder.add(run, {**folder.request(run), "job": "j-1"})
    two.run()
    assert "3 of 8" in messages(two)["compare_run_progress"]
    press(two, "compare_stop_run")
    assert ws.bank.job("j-1").state == "cancelled"
    assert "5 of 8" in messages(two)["compare_unfinished"]
    press(two, "compare_go_on")
    assert len(folder.cells(run)) == 8 and "compare_unfinished" not in messages(two)


def test_numbers_that_are_not_obvious_have_a_sentence_of_help(two: AppTest) -> None:
    press(paste(two, FOUR), "compare_run")
    columns = json.loads(two.dataframe[0].proto.columns)
    assert columns["judged"]["help"] and columns["tokens"]["help"]


def test_a_report_is_one_file_without_scripts_and_holds_texts_of_cases_only_where_that_is_asked_for(
    two: AppTest, ws: Workspace
) -> None:
    press(paste(two, "text,answer\n<script>alert(1)</script> mine,positive\nso dull,negative"), "compare_run")
    folder = owner_folder(ws.home, "")
    trial = read_trial(folder, folder.runs()[0])
    view = compare(ws, two.query_params["p"])
    names = {prompt.id: f"<b>{prompt.name}" for prompt in view.prompts}
    plain = comparison_report(view, names, ["a & b"], trial)
    assert "mine" not in plain and "so dull" not in plain
    with_texts = comparison_report(view, names, ["a & b"], trial, texts=True)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; mine" in with_texts
    for page in (plain, with_texts):
        assert "<script" not in page and "<b>" not in page and "A &amp; b." in page
        assert "default-src &#x27;none&#x27;" in page and "http" not in page.replace("http-equiv", "")


def test_where_a_prompt_alone_is_right_is_counted_over_the_cases_that_all_were_judged_on() -> None:
    def cell(variant: int, row: int, right: bool | None) -> TrialCell:
        judged = (Judged(scorer="exact", value=None, passed=right, reason=""),)
        return TrialCell(text="x", answer="a", variant=variant, row=row, judged=judged)

    variants = tuple(Variant(name=name, template=Template("a", "{text}").canonical()) for name in ("one", "other"))
    request = TrialRequest(variants=variants, rows=[{"text": str(n)} for n in range(4)], expected=("a", "a", "b", "b"))
    passed = ((True, False), (True, True), (False, True), (None, True))
    cells = {(v, r): cell(v, r, one) for r, pair in enumerate(passed) for v, one in enumerate(pair)}
    trial = Trial("r", request, cells, {}, "")
    wins, judged = wins_of(trial)
    assert (judged, [win.rows for win in wins]) == (3, [(0,), (2,)])
    assert by_answer(trial) == [["a", "2", "2", "1"], ["b", "2", "0", "2"]]


def test_a_pinned_case_goes_into_a_test_set_with_its_right_answer_once(ws: Workspace) -> None:
    def page() -> None:
        from app.panels.trials.pinning import draw_pin
        from app.session import trial_folder
        from fedprompt.prompts.template import Template
        from fedprompt.workspace.answers.variants import Variant
        from fedprompt.workspace.playground.trials import Trial, TrialRequest

        variant = Variant(template=Template("a", "{text}").canonical())
        request = TrialRequest(variants=(variant,), rows=[{"text": "x"}, {"text": "y"}], expected=("a", "b"))
        draw_pin("compare", trial_folder(), Trial("r", request, {}, {}, ""), 1)

    at = AppTest.from_function(page).run()
    press(at, "compare_pin")
    kept = owner_folder(ws.home, "").sets()[PINNED]
    assert (kept["rows"], kept["expected"]) == ([{"text": "y"}], ["b"])
    assert "compare_pinned" in messages(at) and not at.button
