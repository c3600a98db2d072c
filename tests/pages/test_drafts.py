"""What was typed on a page is there again after a reload, and answers to what was changed since are marked."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.panels.trials.case_table import parse_rows
from fedprompt.errors import DataError
from fedprompt.workspace.drafts import DraftFolder
from fedprompt.workspace.workbenches import WorkbenchFolder
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.pages import playground
from tests.pages.messages import messages
from tests.pages.playground import inputs, press, shown_run

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]
at = playground.at
PAGE = str(Path(__file__).parents[2] / "pages" / "playground.py")


def again(address: AppTest | None = None) -> AppTest:
    """Open the page as a browser does after a reload, with the scripted model known to the new session."""
    opened = AppTest.from_file(PAGE, default_timeout=60)
    opened.session_state["models_folders"] = ["scripted"]
    if address is not None:
        opened.query_params["run"] = shown_run(address)
    opened.run()
    assert not opened.exception
    return opened


def warned(at: AppTest) -> str:
    return "\n".join(one.value for one in at.warning)


def test_a_reload_brings_back_prompts_texts_scorers_and_answers(at: AppTest) -> None:
    at.text_area(key="playground_template").set_value("{text} is {mood} and").run()
    at.text_area(key="playground_field_mood").set_value("typed").run()
    press(at, "playground_add")
    at.text_input(key="playground_name_v2").set_value("second <b>").run()
    at.multiselect(key="playground_scorers").set_value(["exact", "contains"]).run()
    press(at, "playground_run")
    new = again()
    assert new.text_area(key="playground_template").value == "{text} is {mood} and"
    assert new.selectbox(key="playground_model_v2").value == "scripted"
    assert new.text_input(key="playground_name_v2").value == "second <b>" and inputs(new) == ["text", "mood"]
    assert new.text_area(key="playground_field_mood").value == "typed"
    assert new.multiselect(key="playground_scorers").value == ["exact", "contains"]
    assert shown_run(new) == shown_run(at) and not warned(new), "the answers are shown too, and are up to date"
    assert "playground_draft_saved" in messages(new)


def test_answers_to_what_was_changed_since_are_marked_as_outdated(at: AppTest) -> None:
    press(at, "playground_run")
    assert not warned(at)
    before = at.text_area(key="playground_template").value
    at.text_area(key="playground_template").set_value("Another {text} is").run()
    assert " A" in messages(at)["outdated_variants"]
    at.text_area(key="playground_template").set_value("Another {text").run()
    assert "outdated_variants" in messages(at), "a prompt that is wrong just now is not the one that was run"
    at.text_area(key="playground_template").set_value(before).run()
    assert not warned(at)
    at.text_area(key="playground_field_text").set_value("other").run()
    assert "outdated_texts" in messages(at)
    press(at, "playground_run")
    assert not warned(at)


def test_one_wrong_prompt_leaves_the_texts_the_sweep_and_the_other_variant_in_place(at: AppTest) -> None:
    press(at, "playground_add")
    at.text_area(key="playground_template_v2").set_value("{title}: {text}").run()
    at.text_area(key="playground_field_title").set_value("kept").run()
    at.toggle(key="playground_sweep").set_value(True).run()
    at.text_area(key="playground_template_v2").set_value("{title}: {text").run()
    assert at.error and inputs(at) == ["text", "title"]
    assert at.text_area(key="playground_field_title").value == "kept"
    assert at.toggle(key="playground_sweep").value and at.button(key="playground_run").disabled
    assert at.text_input(key="playground_keep_name") is not None


def test_a_second_window_is_told_and_chooses_which_version_to_keep(at: AppTest, ws: Workspace) -> None:
    at.text_area(key="playground_template").set_value("One {text}").run()
    other = again()
    other.text_area(key="playground_template").set_value("Two {text}").run()
    at.text_area(key="playground_template").set_value("Three {text}").run()
    assert "playground_draft_elsewhere" in messages(at)
    kept = DraftFolder(ws.home, "").read("playground")
    assert kept is not None and kept.values["playground_template"] == "Two {text}"
    press(at, "playground_draft_take")
    assert at.text_area(key="playground_template").value == "Two {text}" and not warned(at)
    at.text_area(key="playground_template").set_value("Four {text}").run()
    assert not warned(at)
    other.text_area(key="playground_template").set_value("Five {text}").run()
    press(other, "playground_draft_mine")
    assert not warned(other) and again().text_area(key="playground_template").value == "Five {text}"


def test_a_link_to_a_prompt_adds_it_beside_what_was_typed_and_a_reload_keeps_what_was_edited(
    demo_home: object, open_page: Open, ws: Workspace
) -> None:
    first = open_page("playground")
    first.text_area(key="playground_template").set_value("Mine: {text}").run()
    one = next(row.id for row in ws.bank.prompts() if row.name == "good or bad")
    linked = open_page("playground", one)
    assert linked.text_area(key="playground_template").value == "Mine: {text}"
    assert linked.text_area(key="playground_template_v2").value.endswith("Overall this was")
    linked.text_area(key="playground_template_v2").set_value("Edited: {text}").run()
    assert open_page("playground", one).text_area(key="playground_template_v2").value == "Edited: {text}"


def test_a_draft_of_another_version_loses_only_what_does_not_fit(ws: Workspace, open_page: Open) -> None:
    values = {
        "playground_template": "Kept {text}",
        "playground_temperature": "hot",
        "playground_chat": "Telepathy",
        "playground_variants": [1, 99],
        "playground_run": True,
        "models_added": "x",
    }
    DraftFolder(ws.home, "").keep("playground", values, None)
    found = open_page("playground")
    assert found.text_area(key="playground_template").value == "Kept {text}"
    assert found.segmented_control(key="playground_chat").value == "Text"


def test_runs_of_one_table_are_told_apart_in_the_history(at: AppTest) -> None:
    press(at, "playground_run")
    at.text_area(key="playground_template").set_value("Another {text} is").run()
    press(at, "playground_run")
    at.text_area(key="playground_field_text").set_value("other").run()
    press(at, "playground_run")
    press(at, "playground_run")
    told = [one.value for one in at.caption if "previous run" in one.value]
    assert [one.partition("previous run")[2] for one in told] == [".", r"\: texts.", r"\: prompt of A."]


def test_what_stood_in_the_boxes_comes_back_after_another_run_was_opened(at: AppTest) -> None:
    press(at, "playground_run")
    run = shown_run(at)
    at.text_area(key="playground_template").set_value("Not run yet {text}").run()
    press(at, f"playground_open_{run[:12]}")
    assert at.text_area(key="playground_template").value != "Not run yet {text}" and not warned(at)
    press(at, "playground_draft_back")
    assert at.text_area(key="playground_template").value == "Not run yet {text}"


def test_compare_keeps_its_texts_and_that_it_is_blind(demo_home: object, open_page: Open, ws: Workspace) -> None:
    ids = [row.id for row in ws.bank.prompts() if row.kind == "template"][:2]
    first = open_page("compare", *ids)
    first.text_area(key="compare_field_text").set_value("typed").run()
    first.toggle(key="compare_blind").set_value(True).run()
    second = open_page("compare", *ids)
    assert second.text_area(key="compare_field_text").value == "typed" and second.toggle(key="compare_blind").value


def test_a_workbench_is_saved_and_a_link_to_it_brings_all_of_it_back(at: AppTest, ws: Workspace) -> None:
    at.text_area(key="playground_template").set_value("Saved {text} {<b>}".replace("{<b>}", "{mood}")).run()
    at.text_input(key="playground_bench_name").set_value("**mine**").run()
    press(at, "playground_bench_save")
    (kept,) = WorkbenchFolder(ws.home, "").saved()
    assert kept.name == "**mine**"
    at.text_area(key="playground_template").set_value("Something else {text}").run()
    linked = AppTest.from_file(PAGE, default_timeout=60)
    linked.query_params["bench"] = kept.id
    linked.run()
    assert linked.text_area(key="playground_template").value == "Saved {text} {mood}"
    assert linked.query_params["bench"] == [kept.id] or linked.query_params["bench"] == kept.id
    linked.text_area(key="playground_template").set_value("Edited {text}").run()
    linked.run()
    assert linked.text_area(key="playground_template").value == "Edited {text}", "a link fills the boxes once"
    press(linked, "playground_draft_back")
    assert linked.text_area(key="playground_template").value == "Something else {text}"


def test_a_link_to_a_workbench_that_is_gone_is_told_and_changes_nothing(at: AppTest) -> None:
    at.text_area(key="playground_template").set_value("Mine {text}").run()
    linked = AppTest.from_file(PAGE, default_timeout=60)
    linked.query_params["bench"] = "<script>" * 9
    linked.run()
    assert "playground_no_bench" in messages(linked)
    assert linked.text_area(key="playground_template").value == "Mine {text}"


def test_a_prompt_with_forty_variables_has_forty_inputs_and_shows_itself_as_sent(at: AppTest) -> None:
    names = [f"field_{number}" for number in range(40)]
    at.text_area(key="playground_template").set_value(" ".join(f"{{{name}}}" for name in names)).run()
    assert inputs(at) == names
    at.text_area(key="playground_field_field_7").set_value("seven words that are typed into this field").run()
    assert any("seven words" in one.value for one in at.code) and messages(at)["playground_sent"][0].isdigit()
    assert press(at, "playground_run") and not at.error


def test_a_table_says_how_sure_its_numbers_are_and_filters_by_what_fails(at: AppTest) -> None:
    press(at, "playground_add")
    at.text_area(key="playground_answers_v2").set_value("negative\npositive = awful").run()
    at.segmented_control(key="playground_how").set_value("From a table").run()
    rows = [f"good {n},positive" for n in range(8)] + [f"bad {n},negative" for n in range(8)]
    at.text_area(key="playground_paste").set_value("\n".join(["text,answer", *rows])).run()
    press(at, "playground_run")
    assert "playground_pair_1" in messages(at)
    totals = at.dataframe[0].value
    assert next(iter(totals["95 % interval"])) == "80.6 \N{EN DASH} 100.0"  # Wilson's of 16 of 16
    confusion = next(one.value for one in at.dataframe if list(one.value.index) == ["positive", "negative"])
    assert confusion.to_numpy().tolist() == [[8, 0], [0, 8]]
    failing = next(len(one.value) for one in at.dataframe if "correct answer" in one.value)
    at.pills(key="playground_failed_by").set_value([1]).run()
    assert next(len(one.value) for one in at.dataframe if "correct answer" in one.value) < failing


def test_a_table_from_a_file_outlives_the_file_and_can_be_cleared(at: AppTest) -> None:
    at.segmented_control(key="playground_how").set_value("From a table").run()
    at.file_uploader(key="playground_file").upload("mine.csv", b"text,answer\nkept,positive\n").run()
    new = again()
    assert new.session_state["playground_table"] == [{"text": "kept", "answer": "positive"}]
    assert not new.button(key="playground_run").disabled
    press(new, "playground_table_clear")
    assert new.button(key="playground_run").disabled
    new.text_area(key="playground_paste").set_value("text\nother\n").run()
    assert new.session_state["playground_table"] == [{"text": "other"}]
    assert again().session_state["playground_table"] == [{"text": "other"}]


def test_a_table_is_typed_from_nothing(at: AppTest) -> None:
    at.segmented_control(key="playground_how").set_value("From a table").run()
    at.toggle(key="playground_table_edit").set_value(True).run()
    assert list(at.dataframe[0].value.columns) == ["text", "answer"] and at.button(key="playground_run").disabled
    at.session_state["playground_table"] = [{"text": "typed", "answer": ""}]
    new = again()
    assert not new.exception and not new.error


def test_a_million_rows_are_refused_in_a_sentence_before_they_are_read() -> None:
    with pytest.raises(DataError, check=coded("too-large")):
        parse_rows(b"text\n" + b"a row\n" * 1_000_000, "the pasted table", ("text",))
    with pytest.raises(DataError, check=coded("too-many-cases")):
        parse_rows(b"t\n" + b"a\n" * 1_000_000, "the pasted table", ("t",))
