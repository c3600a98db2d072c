from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from app.panels.typed_case import REMEMBERED
from fedprompt.models.chat_config import FILE
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.schema import Study
from fedprompt.workspace.answering import answer_case
from fedprompt.workspace.trial_files import owner_folder
from fedprompt.workspace.trials import Trial, read_trial
from fedprompt.workspace.workspace import Workspace
from tests.chat_server import serve
from tests.scripted_sites import STUDY

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]


@pytest.fixture
def at(home: object, open_page: Open) -> AppTest:
    """The page with the scripted model chosen."""
    opened = open_page("playground")
    opened.session_state["models_folders"] = ["scripted"]
    opened.run()
    opened.selectbox(key="playground_model").select("scripted").run()
    return opened


def inputs(at: AppTest) -> list[str]:
    return [box.label for box in at.text_area if (box.key or "").startswith("playground_field_")]


def ran(at: AppTest, ws: Workspace) -> Trial:
    """Return the run that the page shows."""
    return read_trial(owner_folder(ws.home, ""), shown_run(at))


def shown_run(at: AppTest) -> str:
    run = at.query_params["run"]
    return run if isinstance(run, str) else str(run[0])


def press(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click().run()
    assert not at.exception
    return at


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
    assert "never leave the site" in opened.warning[0].value


def test_a_pasted_table_is_run_row_by_row(at: AppTest) -> None:
    at.segmented_control(key="playground_how").set_value("From a table").run()
    at.text_area(key="playground_paste").set_value("note\tn\nI love it\t1\nawful\t2").run()
    assert at.selectbox(key="playground_column_text").options == ["note", "n"]
    at.button(key="playground_run").click().run()
    totals, table = (one.value for one in at.dataframe)
    assert list(totals["answered"]) == [2]
    assert list(table["text"]) == ["I love it", "awful"]
    assert [said.split()[0] for said in table["A"]] == ["positive", "negative"]


def test_an_uploaded_file_is_run_and_a_broken_one_names_its_line(at: AppTest) -> None:
    at.segmented_control(key="playground_how").set_value("From a table").run()
    at.file_uploader(key="playground_file").upload("mine.csv", b"text\ngood\nbad\n").run()
    at.button(key="playground_run").click().run()
    assert len(at.dataframe[1].value) == 2
    at.file_uploader(key="playground_file").upload("worse.csv", b"text,n\ngood\n").run()
    assert "worse.csv line 2" in at.error[0].value.replace("\\", "")


def test_a_model_that_is_not_here_says_so_with_a_button_that_fetches_it(open_page: Open) -> None:
    opened = open_page("playground")
    opened.button(key="playground_run").click().run()
    assert "smollm2" in opened.error[0].value
    assert "Fetch the model and the texts" in [button.label for button in opened.button]


def test_what_was_typed_reaches_neither_the_bank_nor_the_address(at: AppTest, ws: Workspace) -> None:
    at.text_area(key="playground_field_text").set_value("my innermost thoughts").run()
    press(at, "playground_run")
    assert not at.error
    assert [job.kind for job in ws.bank.jobs()] == ["trial"]
    assert "innermost" not in str(ws.bank.jobs())
    assert "innermost" not in str(at.query_params)
    assert not any(b"innermost" in path.read_bytes() for path in ws.home.path.glob("*.db*"))
    kept = list(ws.home.path.rglob("playground/**/*.json*"))
    assert kept and all(path.stat().st_mode & 0o077 == 0 for path in kept)


@pytest.mark.slow
def test_variants_run_side_by_side_each_with_its_own_text(at: AppTest, ws: Workspace) -> None:
    press(at, "playground_add")
    assert at.text_area(key="playground_template_v2").value == "Review: {text}\nSentiment:"
    at.text_area(key="playground_template_v2").set_value("{text} I feel").run()
    press(at, "playground_run")
    trial = ran(at, ws)
    assert [cell.text[-6:] for cell in trial.cells.values()] == ["iment:", "I feel"]
    assert sum(element.value.startswith("The model answers") for element in at.markdown) == 2
    press(at, "playground_remove_1")
    assert [box.key for box in at.text_area if "template" in (box.key or "")] == ["playground_template_v2"]


@pytest.mark.slow
def test_a_chat_of_several_messages_is_sent_as_it_stands(at: AppTest, ws: Workspace) -> None:
    at.segmented_control(key="playground_chat").set_value("Chat").run()
    press(at, "playground_more")
    at.segmented_control(key="playground_role_0").set_value("system")
    at.text_area(key="playground_message_0").set_value("You label.")
    at.segmented_control(key="playground_role_1").set_value("user")
    at.text_area(key="playground_message_1").set_value("{text}?").run()
    at.text_area(key="playground_field_text").set_value("a good day").run()
    press(at, "playground_run")
    assert ran(at, ws).cells[0, 0].text == "[system] You label.\n[user] a good day?"


@pytest.mark.slow
def test_words_that_counted_are_coloured_and_markup_in_them_stays_text(at: AppTest) -> None:
    at.text_area(key="playground_field_text").set_value("<b>wonderful</b> film").run()
    at.toggle(key="playground_explain").set_value(True).run()
    press(at, "playground_run")
    drawn = next(text for one in at.get("html") if "speaks for" in (text := str(getattr(one, "value", ""))))
    assert "&lt;b&gt;wonderful&lt;/b&gt;" in drawn and "<b>" not in drawn


@pytest.mark.slow
def test_scorers_pass_or_fail_each_answer_with_a_reason(at: AppTest) -> None:
    at.text_input(key="playground_right").set_value("negative").run()
    press(at, "playground_run")
    assert any("fails" in one.value and "The output is not the answer" in one.value for one in at.markdown)
    at.multiselect(key="playground_scorers").set_value(["regex"]).run()
    assert "needs its pattern" in at.error[0].value
    at.text_input(key="playground_check_regex_pattern").set_value("posit").run()
    press(at, "playground_run")
    assert any("passes" in one.value and "The pattern is found" in one.value for one in at.markdown)


@pytest.mark.slow
def test_failures_alone_are_tried_again(at: AppTest, ws: Workspace) -> None:
    at.segmented_control(key="playground_how").set_value("From a table").run()
    long = "good " * 9000
    at.text_area(key="playground_paste").set_value(f"text\ngood\n{long}").run()
    press(at, "playground_run")
    before = ran(at, ws)
    assert (before.failures, len(before.cells)) == (1, 2)
    press(at, "playground_go_on")
    folder = owner_folder(ws.home, "")
    lines = folder.cells(before.run)
    assert [line["row"] for line in lines] == [0, 1, 1]


@pytest.mark.slow
def test_a_sweep_runs_a_grid_of_settings_and_greedy_once(at: AppTest, ws: Workspace) -> None:
    at.toggle(key="playground_sweep").set_value(True).run()
    press(at, "playground_run")
    trial = ran(at, ws)
    assert len(trial.request.variants) == 1 + 2 * 2 * 2  # greedy, and two temperatures by two top-p by two seeds
    assert all(cell.generated for cell in trial.cells.values())
    at.text_input(key="playground_sweep_t").set_value("warm").run()
    assert "'warm' is no number" in at.error[0].value.replace("\\", "")


@pytest.mark.slow
def test_a_sweep_over_words_asks_for_each_set(at: AppTest, ws: Workspace) -> None:
    at.toggle(key="playground_sweep").set_value(True).run()
    at.segmented_control(key="playground_sweep_over").set_value("Words of the answers").run()
    at.text_area(key="playground_sweep_words").set_value("positive = good, negative = bad").run()
    press(at, "playground_run")
    words = [variant.template["words"] for variant in ran(at, ws).request.variants]
    assert words == [
        {"positive": " positive", "negative": " negative"},
        {"positive": " good", "negative": " bad"},
    ]


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
def test_an_earlier_run_is_opened_with_its_boxes_and_deleted(at: AppTest, ws: Workspace) -> None:
    at.text_area(key="playground_template").set_value("Mood of {text}:").run()
    press(at, "playground_run")
    first = shown_run(at)
    at.text_area(key="playground_template").set_value("{text}:").run()
    press(at, "playground_run")
    press(at, f"playground_open_{first[:12]}")
    assert at.text_area(key="playground_template").value == "Mood of {text}:"
    assert shown_run(at) == first
    press(at, f"playground_forget_{first[:12]}")
    assert "no longer kept" in at.info[0].value
    press(at, "playground_forget_all")
    assert owner_folder(ws.home, "").runs() == ()


@pytest.mark.slow
def test_an_earlier_run_of_many_rows_brings_its_rows_and_their_answers_back(at: AppTest, ws: Workspace) -> None:
    at.segmented_control(key="playground_how").set_value("From a table").run()
    at.text_area(key="playground_paste").set_value("text,answer\ngood,positive\nbad,negative").run()
    press(at, "playground_run")
    first = shown_run(at)
    at.segmented_control(key="playground_how").set_value("Type").run()
    press(at, "playground_run")
    press(at, f"playground_open_{first[:12]}")
    assert at.segmented_control(key="playground_how").value == "Earlier run"
    press(at, "playground_run")
    request = ran(at, ws).request
    assert request.rows == [{"text": "good"}, {"text": "bad"}] and request.expected == ("positive", "negative")
    press(at, f"playground_forget_{first[:12]}")
    assert "no longer kept" in at.error[0].value and at.button(key="playground_run").disabled


@pytest.mark.slow
def test_chosen_prompts_are_put_on_chosen_models_and_what_is_over_is_said(
    demo_home: object, at: AppTest, ws: Workspace
) -> None:
    chosen = [row.id for row in ws.bank.prompts() if row.name in ("terse", "feeling")]
    assert at.button(key="playground_cross").disabled
    at.pills(key="playground_cross_own").set_value(["A"])
    at.multiselect(key="playground_cross_prompts").set_value(chosen)
    at.multiselect(key="playground_cross_models").set_value(["scripted", "smollm2-135m-instruct"]).run()
    assert any("3 \N{MULTIPLICATION SIGN} 2 = 6 variants" in one.value for one in at.caption)
    press(at, "playground_cross")
    press(at, "playground_run")
    variants = ran(at, ws).request.variants
    assert [one.model for one in variants] == ["scripted", "smollm2-135m-instruct"] * 3
    assert [one.name for one in variants[2:]] == ["feeling", "feeling", "terse", "terse"]
    at.pills(key="playground_cross_own").set_value(["A", "B"])
    at.multiselect(key="playground_cross_prompts").set_value(chosen)
    at.multiselect(key="playground_cross_models").set_value(["scripted", "smollm2-135m-instruct"]).run()
    assert any("2 of them are over the 6 that there is room for" in one.value for one in at.caption)
    assert at.button(key="playground_cross").label == "Make 6 variants"


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
        return any("These texts go to" in one.value and "for 30 days" in one.value for one in at.caption)

    assert told()
    at.segmented_control(key="playground_how").set_value("From a table").run()
    assert told()
    at.multiselect(key="playground_scorers").set_value(["judge"]).run()
    assert any("The rubric goes" in one.value and "kept as long as the run" in one.value for one in at.caption)


def test_a_run_button_that_is_disabled_says_why(at: AppTest) -> None:
    at.text_area(key="playground_field_text").set_value("  ").run()
    assert at.button(key="playground_run").disabled
    assert any("Type a text first" in one.value for one in at.caption)


@pytest.mark.slow
def test_a_run_that_is_not_to_be_kept_is_not_in_the_history(at: AppTest) -> None:
    at.toggle(key="playground_keep_run").set_value(False).run()
    press(at, "playground_run")
    assert not [button.key for button in at.button if (button.key or "").startswith("playground_open_")]


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
    assert "assets pull" in at.error[0].value


@pytest.mark.slow
def test_a_chat_server_of_this_session_is_asked_and_its_key_stays_in_memory(at: AppTest, ws: Workspace) -> None:
    from pydantic import SecretStr

    from app.panels.session_models import Added
    from fedprompt.workspace.session_servers import SessionServer, ring

    with serve() as server:
        held = ring().hold(SecretStr("sk-only-in-memory"))
        one = SessionServer(model="openai:tiny", base_url=server.url, ring=held.ring, handle=held.handle)
        at.session_state["models_added"] = {"session:tiny@here": Added("tiny here", one, "127.0.0.1", False, held)}
        at.run()
        at.selectbox(key="playground_model").select("session:tiny@here").run()
        press(at, "playground_run")
        assert not at.error
        assert "Bearer sk-only-in-memory" in server.sent[-1].headers.values()
        held.release()
        press(at, "playground_run")
        assert "key of this session" in at.error[0].value
    assert not (ws.home.path / FILE).exists()
    files = [path for path in ws.home.path.rglob("*") if path.is_file()]
    assert not any(b"sk-only-in-memory" in path.read_bytes() for path in files)
    assert "sk-only" not in str(at.query_params)


def test_a_prompt_brings_its_studys_way_of_comparing_answers_and_says_it(at: AppTest, ws: Workspace) -> None:
    answer = {"type": "choice", "labels": ["positive", "negative"], "prior": "contextual", "normalise": "tokens"}
    study = Study.model_validate({**STUDY.model_dump(mode="json"), "answer": answer})
    digest, prompt = study.digest("sha256:0"), Prompt(study.candidates()[0])
    ws.bank.record_study(study, digest, "sha256:0")
    ws.bank.record_prompt(prompt, study=digest, origin="study")
    at.run()
    at.selectbox(key="playground_source").select(prompt.id).run()
    assert any("length in tokens and freed" in caption.value for caption in at.caption)
    at.text_area(key="playground_field_text").set_value("a good day").run()
    press(at, "playground_run")
    wanted = answer_case(ScriptedModel(), prompt, {"text": "a good day"}, study.answer)
    assert ran(at, ws).cells[0, 0].probabilities == pytest.approx(wanted.probabilities)
