"""Playground and Compare choose among all prompts of the bank, and send the browser a few."""

from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.panels.prompts.prompt_choice import SHOWN
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.workspace import Workspace
from tests.pages.many import MODEL, add_many
from tests.pages.messages import messages

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("demo_home")]

Open = Callable[..., AppTest]


def add_soft(ws: Workspace, model: str, count: int) -> list[str]:
    template, rng = Template("slot", text="{text}{soft}"), np.random.default_rng(len(model))
    rows = rng.normal(size=(count, 1, 4)).astype(np.float32)
    return list(
        ws.bank.record_prompts([(Prompt(template, SoftPrompt(row, model)), {}) for row in rows], study=None, origin="x")
    )


@pytest.fixture
def digest(ws: Workspace) -> str:
    return ws.bank.studies()[0].model_digest


def test_the_slot_offers_the_newest_soft_prompts_of_the_chosen_model(
    open_page: Open, ws: Workspace, digest: str
) -> None:
    tuned = add_soft(ws, digest, 60)
    add_soft(ws, MODEL, 5)
    at = open_page("playground")
    at.selectbox(key="playground_model").set_value("scripted").run()
    at.text_area(key="playground_template").set_value("{text}{soft} is").run()
    assert len(at.selectbox(key="playground_soft").options) == SHOWN
    assert all("slot" in name for name in at.selectbox(key="playground_soft").options)
    at.selectbox(key="playground_soft").set_value(tuned[-1]).run()  # the newest
    assert at.selectbox(key="playground_soft").value == tuned[-1]
    oldest = next(row.id for row in ws.bank.prompts(kind="soft"))
    at.text_input(key="playground_soft_find").set_value(oldest).run()
    assert len(at.selectbox(key="playground_soft").options) == 2  # the one that was found, and the one that is chosen
    at.selectbox(key="playground_soft").set_value(oldest).run()
    at.text_input(key="playground_soft_find").set_value("").run()
    assert at.selectbox(key="playground_soft").value == oldest
    assert len(at.selectbox(key="playground_soft").options) == SHOWN + 1


def test_a_soft_prompt_of_another_model_stays_chosen_and_is_told(open_page: Open, ws: Workspace, digest: str) -> None:
    (other,) = add_soft(ws, MODEL, 1)
    at = open_page("playground", other)
    at.selectbox(key="playground_model").set_value("scripted").run()
    assert at.selectbox(key="playground_soft").value == other
    assert "playground_soft_of_another" in messages(at)


def test_a_variant_starts_from_any_prompt_and_the_page_holds_a_few(open_page: Open, ws: Workspace) -> None:
    _, ids = add_many(ws, 120)
    at = open_page("playground")
    assert len(at.selectbox(key="playground_source").options) == SHOWN
    assert at.selectbox(key="playground_source").options[0] == "try 119"
    at.text_input(key="playground_source_find").set_value("try 17").run()
    at.selectbox(key="playground_source").set_value(ids[17]).run()
    assert at.text_area(key="playground_template").value == "Way 17 of {text}:"


def test_compare_finds_old_prompts_too_and_keeps_what_is_chosen(open_page: Open, ws: Workspace) -> None:
    old = next(row.id for row in ws.bank.prompts() if row.name == "terse")
    _, ids = add_many(ws, 120)
    at = open_page("compare")
    box = at.multiselect(key="compare_prompts")
    assert len(box.options) == SHOWN and box.options[0] == "try 119"
    box.set_value([ids[-1]]).run()
    at.text_input(key="compare_prompts_find").set_value("terse").run()
    assert "terse" in at.multiselect(key="compare_prompts").options
    at.multiselect(key="compare_prompts").set_value([ids[-1], old]).run()
    assert at.query_params == {"p": [ids[-1], old]}
    at.text_input(key="compare_prompts_find").set_value("nobody says this").run()
    assert at.multiselect(key="compare_prompts").value == [ids[-1], old]
    assert "compare_prompts_none_found" in messages(at)


def test_with_a_few_prompts_there_is_nothing_to_type_in(open_page: Open) -> None:
    at = open_page("compare")
    assert "compare_prompts_find" not in [one.key for one in at.text_input]
