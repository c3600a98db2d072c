"""What was typed on a page is there again after a reload, and answers to what was changed since are marked."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.workspace.drafts import DraftFolder
from fedprompt.workspace.workspace import Workspace
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
    told = [one.value for one in at.caption if "run before" in one.value]
    assert [one.partition("run before")[2] for one in told] == [".", r"\: texts.", r"\: prompt of A."]


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
