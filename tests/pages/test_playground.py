"""The Playground before a run: a prompt is written or chosen, and texts are given."""

from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.panels.trials.typed_case import REMEMBERED
from fedprompt.models.scripted import ScriptedModel
from fedprompt.models.scripted_adapter import scripted_shapes
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Study
from fedprompt.study.tunable import Lora
from fedprompt.tuning.tunables.lora import drawn
from fedprompt.workspace.answers.answering import answer_case
from fedprompt.workspace.playground.trial_files import owner_folder
from fedprompt.workspace.workspace import Workspace
from tests.pages import playground
from tests.pages.messages import messages
from tests.pages.playground import inputs, press, ran
from tests.scripted_sites import STUDY

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]
at = playground.at


def test_the_template_s_variables_are_the_inputs(at: AppTest) -> None:
    assert inputs(at) == ["text"]
    at.text_area(key="playground_template").set_value("{title}: {body}\nTopic:").run()
    assert inputs(at) == ["title", "body"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Review: {text", "braces"),
        ("Review: {text.upper}", "not-plain-variable"),
        ("", "empty-prompt"),
        ("{soft} {text} {soft}", "several-soft-slots"),
        ("{demonstrations}{text}", "demonstrations-in-part"),
    ],
)
def test_a_wrong_template_is_told_in_a_sentence_and_cannot_be_run(at: AppTest, text: str, code: str) -> None:
    at.text_area(key="playground_template").set_value(text).run()
    assert f"error_{code}" in messages(at)
    assert at.button(key="playground_run").disabled


def test_a_slot_without_a_soft_prompt_says_to_choose_one(at: AppTest) -> None:
    at.text_area(key="playground_template").set_value("{text}{soft} is").run()
    at.button(key="playground_run").click().run()
    assert "error_soft-slot-open" in messages(at)


def test_choosing_a_tuned_prompt_fills_the_box_and_its_vectors_count(
    demo_home: object, open_page: Open, ws: Workspace
) -> None:
    at = open_page("playground")
    tuned = [row.id for row in ws.bank.prompts() if row.origin == "federated"]
    said = []
    for one in (tuned[0], tuned[3]):
        at.selectbox(key="playground_source").select(one).run()
        assert "{soft}" in at.text_area(key="playground_template").value
        at.button(key="playground_run").click().run()
        assert not at.error
        said.append((ran(at, ws).cells[0, 0].probabilities or {})["positive"])
    assert said[0] != said[1]


def test_a_prompt_s_adapter_answers_until_it_is_turned_off(home: object, open_page: Open, ws: Workspace) -> None:
    info = ScriptedModel().info
    start = drawn(info.digest, scripted_shapes(("mix",)), Lora(rank=2, targets=("mix",)))
    adapter = start.with_values(np.full(start.values.shape, 0.5, np.float32))
    template = Template("plain", text="{text} is", words={"positive": " good", "negative": " bad"})
    at = open_page("playground", ws.bank.record_prompt(Prompt(template, adapter), study=None, origin="federated"))
    at.session_state["models_folders"] = ["scripted"]
    at.run()
    at.selectbox(key="playground_model").select("scripted").run()
    at.text_area(key="playground_field_text").set_value("a fine day").run()
    said = []
    for used in (True, False):
        at.toggle(key="playground_adapter").set_value(used).run()
        at.button(key="playground_run").click().run()
        assert not at.error and not at.exception
        said.append((ran(at, ws).cells[0, 0].probabilities or {})["positive"])
    assert said[0] != said[1]


def test_a_link_opens_the_prompt_it_names(demo_home: object, open_page: Open, ws: Workspace) -> None:
    one = next(row.id for row in ws.bank.prompts() if row.name == "good or bad")
    opened = open_page("playground", one)
    assert opened.text_area(key="playground_template").value.endswith("Overall this was")
    assert opened.text_area(key="playground_answers").value == "negative = bad\npositive = good"


def test_a_prompt_with_a_sites_own_cases_comes_without_them_and_says_so(
    demo_home: object, open_page: Open, ws: Workspace
) -> None:
    one = next(row.id for row in ws.bank.prompts() if row.name == "two demonstrations")
    opened = open_page("playground", one)
    assert "demonstrations" not in opened.text_area(key="playground_template").value
    assert "playground_problem" in messages(opened)


def test_a_pasted_table_is_run_row_by_row(at: AppTest) -> None:
    at.segmented_control(key="playground_how").set_value("From a table").run()
    at.text_area(key="playground_paste").set_value("note\tn\nI love it\t1\nawful\t2").run()
    chosen = at.selectbox(key="playground_column_text")
    assert chosen.options == ["note", "n"] and chosen.value is None  # no column is taken for another in silence
    assert at.button(key="playground_run").disabled
    chosen.set_value("note").run()
    at.button(key="playground_run").click().run()
    totals, table = (one.value for one in at.dataframe)
    assert list(totals["answered"]) == [2]
    assert list(table["text"]) == ["I love it", "awful"]
    assert [said.split()[0] for said in table["A"]] == ["positive", "negative"]


def test_right_answers_that_are_no_label_are_told_before_anything_runs(at: AppTest) -> None:
    at.segmented_control(key="playground_how").set_value("From a table").run()
    at.text_area(key="playground_paste").set_value("text,answer\ngood,pos\nbad,negative\n").run()
    assert "1 of 2" in (told := messages(at)["strange_answers"]) and "“pos”" in told
    at.text_area(key="playground_paste").set_value("text,answer\ngood,positive\nbad,negative\n").run()
    assert "strange_answers" not in messages(at)


def test_an_uploaded_file_is_run_and_a_broken_one_names_its_line(at: AppTest) -> None:
    at.segmented_control(key="playground_how").set_value("From a table").run()
    at.file_uploader(key="playground_file").upload("mine.csv", b"text\ngood\nbad\n").run()
    at.button(key="playground_run").click().run()
    assert len(at.dataframe[1].value) == 2
    at.file_uploader(key="playground_file").upload("worse.csv", b"text,n\ngood\n").run()
    assert "worse.csv line 2" in at.error[0].value.replace("\\", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pasted", "wanted"),
    [
        ("Say {{ text }}!", "Say {text}!"),
        ('Answer {"a": "{text}"}', 'Answer {{"a": "{text}"}}'),
        ("prompts:\n  - 'Say {{text}}'\n", "Say {text}"),
    ],
)
def test_text_of_other_tools_is_converted_when_asked(at: AppTest, pasted: str, wanted: str) -> None:
    at.text_area(key="playground_template").set_value(pasted).run()
    assert wanted in [element.value for element in at.code]
    assert at.text_area(key="playground_template").value == pasted
    press(at, "playground_template_convert")
    assert at.text_area(key="playground_template").value == wanted


@pytest.mark.parametrize("habit", ["{{review}}", "<text>", "%s"])
def test_a_prompt_that_shows_no_text_cannot_be_run_until_it_does(at: AppTest, habit: str) -> None:
    at.text_area(key="playground_template").set_value(f"Review: {habit}\nMood:").run()
    assert "error_no-field" in messages(at)
    press(at, "playground_template_convert")
    assert not at.error and at.text_area(key="playground_template").value in (
        "Review: {review}\nMood:",
        "Review: {text}\nMood:",
    )


@pytest.mark.slow
def test_rows_are_kept_as_a_test_set_used_again_and_deleted(at: AppTest, ws: Workspace) -> None:
    at.segmented_control(key="playground_how").set_value("From a table").run()
    at.text_area(key="playground_paste").set_value("text,answer\ngood,positive\nbad,negative").run()
    at.text_input(key="playground_set_name").set_value("two").run()
    press(at, "playground_set_keep")
    at.segmented_control(key="playground_how").set_value("Saved set").run()
    press(at, "playground_run")
    assert ran(at, ws).request.expected == ("positive", "negative")
    at.selectbox(key="playground_set_gone").select("two").run()
    press(at, "playground_set_delete")
    assert owner_folder(ws.home, "").sets() == {}


@pytest.mark.slow
def test_chosen_prompts_are_put_on_chosen_models_and_what_is_over_is_said(
    demo_home: object, at: AppTest, ws: Workspace
) -> None:
    chosen = [row.id for row in ws.bank.prompts() if row.name in ("terse", "feeling")]
    assert at.button(key="playground_cross").disabled
    at.pills(key="playground_cross_own").set_value(["A"])
    at.multiselect(key="playground_cross_prompts").set_value(chosen)
    at.multiselect(key="playground_cross_models").set_value(["scripted", "smollm2-135m-instruct"]).run()
    assert "= 6" in messages(at)["playground_cross_fits"]
    press(at, "playground_cross")
    press(at, "playground_run")
    variants = ran(at, ws).request.variants
    assert [one.model for one in variants] == ["scripted", "smollm2-135m-instruct"] * 3
    assert [one.name for one in variants[2:]] == ["feeling", "feeling", "terse", "terse"]
    at.pills(key="playground_cross_own").set_value(["A", "B"])
    at.multiselect(key="playground_cross_prompts").set_value(chosen)
    at.multiselect(key="playground_cross_models").set_value(["scripted", "smollm2-135m-instruct"]).run()
    assert " 2 " in messages(at)["playground_cross_over"]


@pytest.mark.slow
def test_a_session_forgets_fields_that_were_in_a_prompt_long_ago(at: AppTest) -> None:
    at.text_area(key="playground_field_text").set_value("still here").run()
    for number in range(40):
        at.text_area(key="playground_template").set_value(f"{{text}} {{name{number}}}").run()
    names = ["text", *(f"name{number}" for number in range(40))]
    assert sum(f"playground_field_{name}" in at.session_state for name in names) == REMEMBERED
    assert at.text_area(key="playground_field_text").value == "still here"
    at.text_area(key="playground_template").set_value("{name39} {name0}").run()
    assert inputs(at) == ["name39", "name0"]


def test_beside_each_way_to_give_texts_stands_where_they_go_and_how_long_they_are_kept(at: AppTest) -> None:
    def told() -> bool:
        return "30 days" in messages(at).get("playground_where", "")

    assert told()
    at.segmented_control(key="playground_how").set_value("From a table").run()
    assert told()
    at.multiselect(key="playground_scorers").set_value(["judge"]).run()
    at.selectbox(key="playground_check_judge_model").select("scripted").run()
    assert "playground_check_judge_model_reads" in messages(at)


@pytest.mark.slow
def test_a_variant_goes_into_the_bank_and_into_a_study(at: AppTest, ws: Workspace) -> None:
    at.text_area(key="playground_template").set_value("Mood of {text}:")
    at.text_input(key="playground_keep_name").set_value("my own").run()
    press(at, "playground_keep")
    assert not at.error
    row = next(row for row in ws.bank.prompts(limit=1000) if row.name == "my own")
    assert row.origin == "playground"
    press(at, "playground_study_keep")
    assert "Mood of {text}:" in (ws.home.path / "studies" / "my-study.yaml").read_text()


def test_public_text_comes_with_its_answers_or_says_how_to_fetch_it(at: AppTest) -> None:
    at.segmented_control(key="playground_how").set_value("Public text").run()
    assert [name for name in messages(at) if name.startswith("error_asset")]


def test_a_prompt_brings_its_studys_way_of_comparing_answers_and_says_it(at: AppTest, ws: Workspace) -> None:
    answer = {"type": "choice", "labels": ["positive", "negative"], "prior": "contextual", "normalise": "tokens"}
    study = Study.model_validate({**STUDY.model_dump(mode="json"), "answer": answer})
    digest, prompt = study.digest("sha256:0"), Prompt(study.candidates()[0])
    ws.bank.record_study(study, digest, "sha256:0")
    ws.bank.record_prompt(prompt, study=digest, origin="study")
    at.run()
    at.selectbox(key="playground_source").select(prompt.id).run()
    assert "tokens" in messages(at)["playground_reading"] and "contextual" in messages(at)["playground_reading"]
    at.text_area(key="playground_field_text").set_value("a good day").run()
    press(at, "playground_run")
    wanted = answer_case(ScriptedModel(), prompt, {"text": "a good day"}, study.answer)
    assert ran(at, ws).cells[0, 0].probabilities == pytest.approx(wanted.probabilities)
