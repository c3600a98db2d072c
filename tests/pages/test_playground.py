from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.workspace.workspace import Workspace
from tests.demo_bank import fill

Open = Callable[..., AppTest]


@pytest.fixture
def at(demo_home: object, open_page: Open) -> AppTest:
    """The page with the scripted model chosen."""
    opened = open_page("playground")
    opened.selectbox(key="playground_model").select("scripted").run()
    return opened


def inputs(at: AppTest) -> list[str]:
    return [box.label for box in at.text_area if (box.key or "").startswith("playground_field_")]


def test_the_template_s_variables_are_the_inputs(at: AppTest) -> None:
    assert inputs(at) == ["text"]
    at.text_area(key="playground_template").set_value("{title}: {body}\nTopic:").run()
    assert inputs(at) == ["title", "body"]


def test_the_model_answers_one_text_and_the_answer_is_the_likelier_label(at: AppTest) -> None:
    at.text_area(key="playground_field_text").set_value("wonderful, lovely, great").run()
    at.button(key="playground_run").click().run()
    assert not at.error
    assert any(element.value == "The model answers **positive**." for element in at.markdown)
    assert len(at.get("vega_lite_chart")) == 1


def test_without_answers_it_writes_text(at: AppTest) -> None:
    at.text_area(key="playground_answers").set_value("").run()
    at.button(key="playground_run").click().run()
    assert "nothing to ask for" in at.error[0].value
    at.toggle(key="playground_generate").set_value(True).run()
    at.button(key="playground_run").click().run()
    assert at.code[0].value.strip()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Review: {text", "braces that do not match"),
        ("Review: {text.upper}", "not a plain field name"),
        ("", "The prompt is empty"),
        ("{soft} {text} {soft}", "2 soft slots"),
        ("{demonstrations}{text}", "demonstrations"),
    ],
)
def test_a_wrong_template_is_told_in_a_sentence_and_cannot_be_run(at: AppTest, text: str, said: str) -> None:
    at.text_area(key="playground_template").set_value(text).run()
    assert said in at.error[0].value.replace("\\", "")
    assert at.button(key="playground_run").disabled


def test_a_slot_without_a_soft_prompt_says_to_choose_one(at: AppTest) -> None:
    at.text_area(key="playground_template").set_value("{text}{soft} is").run()
    at.button(key="playground_run").click().run()
    assert "choose a soft prompt" in at.error[0].value


def test_choosing_a_tuned_prompt_fills_the_box_and_its_vectors_count(at: AppTest, ws: Workspace) -> None:
    tuned = [row.id for row in ws.bank.prompts() if row.origin == "federated"]
    said = []
    for one in (tuned[0], tuned[3]):
        at.selectbox(key="playground_source").select(one).run()
        assert "{soft}" in at.text_area(key="playground_template").value
        at.button(key="playground_run").click().run()
        assert not at.error
        said.append(at.session_state["playground_result"][1]["rows"][0]["probabilities"]["positive"])
    assert said[0] != said[1]


def test_a_link_opens_the_prompt_it_names(open_page: Open, ws: Workspace) -> None:
    fill(ws)
    one = next(row.id for row in ws.bank.prompts() if row.name == "good or bad")
    opened = open_page("playground", one)
    assert opened.text_area(key="playground_template").value.endswith("Overall this was")
    assert opened.text_area(key="playground_answers").value == "negative = bad\npositive = good"


def test_a_prompt_with_a_sites_own_cases_comes_without_them_and_says_so(open_page: Open, ws: Workspace) -> None:
    fill(ws)
    one = next(row.id for row in ws.bank.prompts() if row.name == "two demonstrations")
    opened = open_page("playground", one)
    assert "demonstrations" not in opened.text_area(key="playground_template").value
    assert "never leave the site" in opened.warning[0].value


def test_a_pasted_table_is_run_row_by_row(at: AppTest) -> None:
    at.segmented_control(key="playground_how").set_value("From a table").run()
    at.text_area(key="playground_paste").set_value("note\tn\nI love it\t1\nawful\t2").run()
    assert at.selectbox(key="playground_column_text").options == ["note", "n"]
    at.button(key="playground_run").click().run()
    table = at.dataframe[0].value
    assert list(table["text"]) == ["I love it", "awful"]
    assert list(table["answer"]) == ["positive", "negative"]
    assert (table["p(positive)"] + table["p(negative)"]).round(6).eq(100).all()


def test_an_uploaded_file_is_run_and_a_broken_one_names_its_line(at: AppTest) -> None:
    at.segmented_control(key="playground_how").set_value("From a table").run()
    at.file_uploader(key="playground_file").upload("mine.csv", b"text\ngood\nbad\n").run()
    at.button(key="playground_run").click().run()
    assert len(at.dataframe[0].value) == 2
    at.file_uploader(key="playground_file").upload("worse.csv", b"text,n\ngood\n").run()
    assert "worse.csv line 2" in at.error[0].value.replace("\\", "")


def test_a_model_that_is_not_here_says_so_with_a_button_that_fetches_it(open_page: Open) -> None:
    opened = open_page("playground")
    opened.button(key="playground_run").click().run()
    assert "smollm2" in opened.error[0].value
    assert "Fetch the model and the texts" in [button.label for button in opened.button]


def test_what_was_typed_is_not_kept_once_it_is_answered(at: AppTest, ws: Workspace) -> None:
    at.text_area(key="playground_field_text").set_value("my innermost thoughts").run()
    at.button(key="playground_run").click().run()
    assert not at.error
    assert [job.kind for job in ws.bank.jobs()] == ["playground"]
    assert "innermost" not in str(ws.bank.jobs())
    assert "innermost" not in str(at.query_params)
