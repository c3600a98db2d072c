from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.workspace import Workspace

Open = Callable[..., AppTest]
pytestmark = pytest.mark.usefixtures("demo_home")


@pytest.fixture
def ids(ws: Workspace, demo_home: object) -> dict[str, str]:
    """Ids of the study's templates, and of the prompt that was tuned together, by name."""
    rows = ws.bank.prompts()
    tuned = [row.id for row in rows if row.origin == "federated"]
    return {row.name: row.id for row in rows if row.kind == "template"} | {"tuned": tuned[2]}


def test_without_prompts_the_page_says_how_to_choose_some(open_page: Open) -> None:
    assert "Choose two to four prompts above" in open_page("compare").info[0].value


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
    at.toggle(key="compare_differ").set_value(True).run()
    assert list(at.dataframe[0].value["text"]) == list(table[differ]["text"])


def test_a_prompt_that_shows_a_sites_own_cases_says_why_it_cannot_be_run(open_page: Open, ids: dict[str, str]) -> None:
    at = open_page("compare", ids["two demonstrations"], ids["terse"])
    at.text_area(key="compare_field_text").set_value("fine").run()
    at.button(key="compare_run").click().run()
    assert "site's own cases" in at.warning[0].value
