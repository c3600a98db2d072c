"""Failing cases go into a test set or become examples with a click; examples are never scored; constants are kept."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.prompts.template import Template
from fedprompt.workspace.answers.composing import Example
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.trial_files import owner_folder
from fedprompt.workspace.workspace import Workspace
from tests.pages import playground
from tests.pages.messages import messages
from tests.pages.playground import inputs, press, ran

pytestmark = pytest.mark.whole

PAGE = str(Path(__file__).parents[2] / "pages" / "playground.py")
Open = Callable[..., AppTest]
at = playground.at
TABLE = "text,answer\na lovely day,negative\nan awful day,negative\nfine,positive\n"


def run_table(at: AppTest) -> AppTest:
    at.segmented_control(key="playground_how").set_value("From a table").run()
    at.text_area(key="playground_paste").set_value(TABLE).run()
    return press(at, "playground_run")


def test_the_failures_of_a_run_are_added_to_a_test_set(at: AppTest, ws: Workspace) -> None:
    owner_folder(ws.home, "").save_set("hard ones", {"rows": [{"text": "x"}], "expected": [""]})
    run_table(at)
    at.segmented_control(key="playground_rows").set_value("fails").run()
    failed = [row for (_, row), cell in ran(at, ws).cells.items() if cell.passed is False]
    assert 0 in failed
    at.selectbox(key="playground_add_set").set_value("hard ones").run()
    press(at, "playground_add_to_set")
    assert messages(at)["playground_taken"]
    kept = owner_folder(ws.home, "").sets()["hard ones"]
    assert len(kept["rows"]) == len(failed) + 1 and kept["rows"][1] == {"text": "a lovely day"}


def test_failures_become_examples_of_a_copy_and_are_left_out_of_what_is_scored(at: AppTest, ws: Workspace) -> None:
    run_table(at)
    at.segmented_control(key="playground_rows").set_value("fails").run()
    failed = [row for (_, row), cell in ran(at, ws).cells.items() if cell.passed is False]
    press(at, "playground_show")
    at.run()
    assert len(at.session_state["playground_variants"]) == 2
    assert "playground_own_examples" in messages(at)
    press(at, "playground_run")
    request = ran(at, ws).request
    assert [len(one.examples) for one in request.variants] == [0, len(failed)]
    assert len(request.rows) == 3 - len(failed) and {"text": "a lovely day"} not in request.rows
    shown = ran(at, ws).cells[1, 0].text
    assert shown.startswith("Review: a lovely day\nSentiment: negative\n\n")
    press(at, "playground_unshow_all_v2")
    assert "playground_own_examples" not in messages(at)


def test_a_variant_that_another_page_asks_for_is_in_the_draft_at_once(home: Path, open_page: Open) -> None:
    variant = Variant(
        template=Template("a", "{text} is").canonical(),
        labels=("positive", "negative"),
        examples=(Example(fields={"text": "x"}, answer="positive"),),
    )
    first = AppTest.from_file(PAGE, default_timeout=30)
    first.session_state["playground_wanted"] = variant
    first.run()
    assert first.button(key="playground_unshow_0")
    assert open_page("playground").button(key="playground_unshow_0")


def test_a_constant_is_one_value_for_every_case_and_no_input(at: AppTest, ws: Workspace) -> None:
    at.text_area(key="playground_template").set_value("{tone} {text}\nMood:").run()
    at.multiselect(key="playground_constants").set_value(["tone"]).run()
    at.text_area(key="playground_constant_tone").set_value("Be {brief}.").run()
    assert inputs(at) == ["text"]
    at.text_area(key="playground_field_text").set_value("so good").run()
    press(at, "playground_run")
    trial = ran(at, ws)
    assert trial.request.rows == [{"text": "so good"}]
    assert trial.cells[0, 0].text == "Be {brief}. so good\nMood:"


def test_constants_and_examples_come_back_with_the_draft(at: AppTest, open_page: Open) -> None:
    at.text_area(key="playground_template").set_value("{tone} {text}\nMood:").run()
    at.multiselect(key="playground_constants").set_value(["tone"]).run()
    at.text_area(key="playground_constant_tone").set_value("Dry.").run()
    at.session_state["playground_examples"] = [{"fields": {"text": "x"}, "answer": "positive"}]
    at.run()
    again = open_page("playground")
    assert again.text_area(key="playground_constant_tone").value == "Dry." and inputs(again) == ["text"]
    assert again.button(key="playground_unshow_0")
