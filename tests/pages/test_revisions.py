"""Studies have one name with revisions under it, prompts the name that a person gave, and runs one line."""

from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.display.titles import titles
from app.panels.ranking.folding import folded
from fedprompt.errors import BankError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.shelf.events import rename
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.pages.many import MODEL, add_many

Open = Callable[..., AppTest]


@pytest.fixture
def revisions(ws: Workspace) -> tuple[str, str, list[str]]:
    """A study with five prompts and a newer revision with two of them; digests and the five ids."""
    first, ids = add_many(ws, 5)
    second, _ = add_many(ws, 2, text="Case: {text}\nAnswer:")
    return first, second, ids


def test_the_revision_in_which_most_was_scored_is_shown_under_the_studys_one_name(
    open_page: Open, revisions: tuple[str, str, list[str]]
) -> None:
    first, second, _ = revisions
    at = open_page("leaderboard")
    assert [box.key for box in at.selectbox if box.key and box.key.endswith("_study")] == []
    chosen = at.selectbox(key="leaderboard_revision")
    assert chosen.value == first and [one.split(",")[0] for one in chosen.options] == ["revision 2", "revision 1"]
    assert len(at.dataframe[0].value) == 5 and "study" not in at.query_params
    at.selectbox(key="leaderboard_revision").set_value(second).run()
    assert len(at.dataframe[0].value) == 2 and at.query_params["study"] == second


def test_the_best_prompt_keeps_its_mean_in_the_bank_whichever_revision_is_shown(
    open_page: Open, revisions: tuple[str, str, list[str]]
) -> None:
    at = open_page("bank")
    means = list(at.dataframe[0].value["mean"])
    at.selectbox(key="bank_revision").set_value(revisions[1]).run()
    shown = at.dataframe[0].value
    assert all(value > 0 for value in means) and shown["mean"].notna().all()


def test_a_prompt_is_renamed_by_an_event_and_gets_its_own_name_back(ws: Workspace) -> None:
    _, ids = add_many(ws, 2)
    rename(ws, ids[0], "  the \n good one ")
    assert ws.bank.prompt_row(ids[0]).called == "the good one" and ws.bank.prompt(ids[0]).name == "try 0"
    assert titles(ws.bank.rows_of(ids)) == {ids[0]: "the good one", ids[1]: "try 1"}
    assert ws.bank.events(ids[0])[0].kind == "rename" and ws.bank.verify() == ()
    rename(ws, ids[0], "")
    assert ws.bank.prompt_row(ids[0]).called == "try 0"
    with pytest.raises(BankError, check=coded("too-long")):
        rename(ws, ids[0], "x" * 81)


def test_a_prompt_is_renamed_on_the_bank_page(open_page: Open, ws: Workspace) -> None:
    _, ids = add_many(ws, 1)
    at = open_page("bank", ids[0])
    at.text_input(key=f"bank_name_{ids[0]}").set_value("for triage").run()
    at.button(key=f"bank_name_{ids[0]}_go").click().run()
    assert list(at.dataframe[0].value["prompt"]) == ["for triage"]
    assert any("was renamed “for triage”" in one.value for one in at.caption)
    at.button(key=f"bank_name_{ids[0]}_back").click().run()
    assert list(at.dataframe[0].value["prompt"]) == ["try 0"]


def test_the_parts_of_a_run_are_named_after_what_made_them_and_fold_under_the_best(
    open_page: Open, ws: Workspace
) -> None:
    digest, templates = add_many(ws, 1)
    parts = []
    for number in (1, 2, 3):
        soft = SoftPrompt(np.full((1, 4), number, np.float32), MODEL)
        prompt = Prompt(Template("soft prompt", text="{text}{soft}"), soft)
        notes = {"run": "r1:tuning", "round": number}
        parts.append(ws.bank.record_prompt(prompt, study=digest, origin="tuned", notes=notes))
    rows = ws.bank.rows_of([*parts, *templates])
    assert titles(rows)[parts[0]] == "tuned on own cases, part 1"
    means = {parts[0]: 0.5, parts[1]: 0.9, parts[2]: 0.7}
    assert folded(rows, lambda row: means.get(row.id, 0.0)) == {parts[1]: 2, templates[0]: 0}
    at = open_page("bank")
    assert len(at.dataframe[0].value) == 4
    at.toggle(key="bank_fold").set_value(True).run()
    assert "tuned on own cases, part 3 (+2)" in list(at.dataframe[0].value["prompt"])
    assert set(folded(rows, lambda row: 0.0, kept=[parts[2]])) == {parts[0], parts[2], templates[0]}
