from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from app.panels.pareto import unbeaten
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.workspace import Workspace

Open = Callable[..., AppTest]
pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("demo_home")]


@pytest.fixture
def ids(ws: Workspace, demo_home: object) -> dict[str, str]:
    """Ids of the study's templates, and of the prompt that was tuned together, by name."""
    rows = ws.bank.prompts()
    tuned = [row.id for row in rows if row.origin == "federated"]
    return {row.name: row.id for row in rows if row.kind == "template"} | {"tuned": tuned[2]}


def test_without_prompts_the_page_says_how_to_choose_some(open_page: Open) -> None:
    assert "Choose two to six prompts above" in open_page("compare").info[0].value


def test_a_link_opens_the_prompts_it_names_and_the_sentence_calls_them_by_their_titles(
    open_page: Open, ids: dict[str, str]
) -> None:
    at = open_page("compare", ids["tuned"], ids["text first"], ids["feeling"])
    assert at.multiselect(key="compare_prompts").value == [ids["tuned"], ids["text first"], ids["feeling"]]
    said = [element.value for element in at.markdown if ":material/balance:" in element.value]
    assert len(said) == 2
    assert all("“tuned together, round 3”" in sentence for sentence in said)
    assert "“text first”" in said[0]
    assert "“feeling”" in said[1]


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
    assert "holds no prompt" in at.error[0].value
    assert at.multiselect(key="compare_prompts").value == [ids["terse"], ids["feeling"]]


def test_texts_are_escaped_and_their_differences_marked(open_page: Open, ws: Workspace) -> None:
    plain = ws.bank.record_prompt(Prompt(Template("a", "Say {text} now")), study=None, origin="import")
    other = ws.bank.record_prompt(
        Prompt(Template("b", "Say {text} <img src=x onerror=alert(1)>")), study=None, origin="import"
    )
    at = open_page("compare", plain, other)
    first, second = (element.value for element in at.html[-2:])
    assert ">now</mark>" in first
    assert "<img" not in second
    assert "&lt;img" in second


def test_the_prompts_answer_a_case_that_the_visitor_types(open_page: Open, ids: dict[str, str]) -> None:
    at = open_page("compare", ids["tuned"], ids["text first"])
    assert at.button(key="compare_run").disabled
    at.text_area(key="compare_field_text").set_value("What a lovely, wonderful day").run()
    before = len(at.get("vega_lite_chart"))
    at.button(key="compare_run").click().run()
    assert not at.error
    assert len(at.get("vega_lite_chart")) == before + 1


def test_a_table_shows_each_answer_and_can_be_narrowed_to_where_they_differ(
    open_page: Open, ids: dict[str, str]
) -> None:
    at = open_page("compare", ids["text first"], ids["bad on purpose"])
    at.segmented_control(key="compare_how").set_value("Many from a table").run()
    at.text_area(key="compare_paste").set_value("text\nI love it\nawful and bad\ngreat fun\nso dull").run()
    at.button(key="compare_run").click().run()
    table = at.dataframe[0].value
    assert list(table["text"]) == ["I love it", "awful and bad", "great fun", "so dull"]
    differ = table["text first: answer"] != table["bad on purpose: answer"]
    at.segmented_control(key="compare_which").set_value("differ").run()
    assert list(at.dataframe[0].value["text"]) == list(table[differ]["text"])


def test_a_prompt_that_shows_a_sites_own_cases_says_why_it_cannot_be_run(open_page: Open, ids: dict[str, str]) -> None:
    at = open_page("compare", ids["two demonstrations"], ids["terse"])
    at.text_area(key="compare_field_text").set_value("fine").run()
    at.button(key="compare_run").click().run()
    assert "site's own cases" in at.warning[0].value


def test_with_the_right_answers_the_cases_where_another_got_worse_are_found(
    open_page: Open, ids: dict[str, str]
) -> None:
    at = open_page("compare", ids["text first"], ids["bad on purpose"])
    at.segmented_control(key="compare_how").set_value("Many from a table").run()
    cases = "I love it,positive\nawful and bad,negative\ngreat fun,positive\nso dull,negative"
    at.text_area(key="compare_paste").set_value(f"text,answer\n{cases}").run()
    at.selectbox(key="compare_expected").set_value("answer").run()
    at.button(key="compare_run").click().run()
    table = at.dataframe[0].value
    right = {name: table[f"{name}: answer"] == table["right answer"] for name in ("text first", "bad on purpose")}
    worse = right["text first"] & ~right["bad on purpose"]
    at.segmented_control(key="compare_which").set_value("worse").run()
    shown = list(at.dataframe[0].value["text"]) if worse.any() else []
    assert shown == list(table[worse]["text"])


def test_a_blind_rating_ranks_the_prompts_once_a_pair_is_rated() -> None:
    def page() -> None:
        from app.panels.rating import draw_rating

        draw_rating([{"text": "fine"}, {"text": "dull"}], {"one": ["yes", "no"], "other": ["no", "no"]})

    at = AppTest.from_function(page).run()
    assert "Pair 1 of 1" in at.caption[0].value and not at.expander  # the second case is answered alike
    at.button(key="compare_rate_a").click().run()
    assert at.expander[0].label.startswith("The ranking after 1 rating ")
    # One win and the half virtual win each way: odds 3 to 1, so each is the root of 3 from the middle.
    found = list(at.dataframe[0].value["share"])
    assert found == pytest.approx([100 * 3**0.5 / (1 + 3**0.5), 100 / (1 + 3**0.5)], abs=0.01)


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
    assert any("whose tokenizer is on this machine" in caption.value for caption in at.caption)


def test_no_prompt_beats_one_that_is_shorter_or_better() -> None:
    places = {"short": (5.0, 0.7), "long": (20.0, 0.9), "beaten": (20.0, 0.8), "twin": (5.0, 0.7)}
    assert unbeaten(places) == ("short", "long", "twin")


def test_a_forest_plot_tells_what_a_further_site_may_expect() -> None:
    def page() -> None:
        from app.panels.forest import draw_forest
        from fedprompt.evaluation.intervals import Interval
        from fedprompt.evaluation.pooled_pairs import pool_pairs
        from fedprompt.study.score import Comparison
        from fedprompt.workspace.views import PairView

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
    assert "I squared is 0 %" in at.caption[0].value and "may expect +10.0 points" in at.caption[0].value
