"""What a variant starts from: the visitor's own text, or a prompt of the bank with its soft prompt."""

import streamlit as st

from app.display.address import query_ids
from app.display.named import named
from app.display.plain import plain, sentence
from app.panels.prompts.prompt_choice import ask_prompt
from app.panels.variants.slots import add, fill, is_untouched, key, open_slots
from fedprompt.errors import FedPromptError
from fedprompt.workspace.search.looking_up import Filter
from fedprompt.workspace.workspace import Workspace

__all__ = ["ask_source", "follow_link", "is_adapted"]


def is_adapted(chosen: object) -> bool:
    """Return whether what was chosen is an adapted prompt, which is taken as it is: its boxes are not filled."""
    return isinstance(chosen, str) and chosen.startswith("a1:")


def ask_source(ws: Workspace, number: int) -> None:
    """Draw the choice; choosing a prompt fills the variant's boxes with its text, its answers and its model."""
    if not ws.bank.count_prompts():
        return
    ask_prompt(
        "Start from a prompt",
        key(number, "source"),
        Filter(),
        placeholder="or write your own below",
        on_change=_fill,
        args=(ws, number),
        adapted=True,
    )
    problem = st.session_state.pop(key(number, "problem"), None)
    if problem:
        named(key(number, "problem")).warning(plain(sentence(problem)), icon=":material/info:")


def follow_link(ws: Workspace) -> None:
    """Fill a variant with the prompt that the address names, once; what was typed stays in the others."""
    state, linked = st.session_state, list(query_ids())
    if not linked or state.get("playground_linked") == linked:
        return
    state["playground_linked"] = linked
    mixed = ws.bank.is_adapted(linked[0])
    found = (ws.bank.adapted_row if mixed else ws.bank.prompt_row)(linked[0]).id
    numbers = open_slots()
    if found in [state.get(key(number, "source")) for number in numbers]:
        return
    if len(numbers) > 1 or not is_untouched(numbers[0]):
        add()
    number = open_slots()[-1]
    state[key(number, "source")] = found
    _fill(ws, number)


def _fill(ws: Workspace, number: int) -> None:
    state = st.session_state
    chosen = state.get(key(number, "source"))
    if chosen is None or is_adapted(chosen):
        return
    try:
        prompt = ws.bank.prompt(chosen)
        row = ws.bank.prompt_row(chosen)
        study = None if row.study is None else ws.bank.study(row.study).study
        if study is not None:
            state[key(number, "model")] = study.model
        for what in ("normalise", "prior"):
            state[key(number, what)] = "none" if study is None else getattr(study.answer, what)
    except FedPromptError as error:
        state[key(number, "problem")] = str(error)
        return
    fill(number, prompt.template, prompt.id if prompt.tuned is not None else None)
    if prompt.template.demonstrations is not None:
        state[key(number, "problem")] = (
            "This prompt shows a site's own cases as examples. They never leave the site, so write your own "
            "examples here."
        )
