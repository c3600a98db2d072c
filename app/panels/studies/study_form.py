"""A study as a form and as YAML: one value in two shapes, checked as it is typed, errors naming the field.

Invariant: what the form shows is what the YAML says, and a change in one is in the other at once. What is no study yet
is kept as it was typed, in both shapes, and nothing but the visitor takes it back.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.display.named import named
from app.display.plain import plain, sentence
from app.drafts import settle
from app.panels.runs.run_button import send_while_typing
from app.panels.studies.study_parts import ask_rounds, ask_soft, ask_templates, ask_what
from app.session import explain
from fedprompt.errors import FedPromptError
from fedprompt.workspace.cases.study_draft import body_of, unfit_yaml, with_changes, written_notes

__all__ = ["LONGEST", "WAYS", "ask_study", "set_study", "study_text"]

WAYS = ("Form", "YAML")
LONGEST = 400_000


def set_study(page: str, text: str) -> None:
    """Put a study's YAML into the form of a page; what stood there is gone."""
    state = st.session_state
    state[f"{page}_study"] = state[f"{page}_base"] = text
    state[f"{page}_unfit"] = state[f"{page}_over"] = None
    state[f"{page}_generation"] = int(state.get(f"{page}_generation", 0)) + 1


def study_text(page: str) -> str | None:
    """Return the YAML that a page's form holds, None where it has none yet."""
    text = st.session_state.get(f"{page}_study")
    return None if text is None else str(text)


def ask_study(page: str, *, tuned: bool = True) -> str | None:
    """Draw the study; return its YAML, or None while it is none.

    Args:
        page: begins the keys.
        tuned: whether the parts about tuning and rounds are drawn too.
    """
    text = study_text(page)
    if text is None:
        return None
    found = _ask(page, text, tuned)
    for place, note in enumerate(written_notes(found) if found is not None else ()):
        named(f"{page}_note_{place}").caption(f":material/info: {plain(sentence(note))}")
    return found


def _ask(page: str, text: str, tuned: bool) -> str | None:
    settle(f"{page}_way", WAYS, WAYS[0])
    way = st.segmented_control("Edit as", list(WAYS), key=f"{page}_way", required=True, label_visibility="collapsed")
    send_while_typing(f"{page}_")
    return _ask_yaml(page, text) if way == "YAML" else _ask_form(page, text, tuned)


def _ask_form(page: str, text: str, tuned: bool) -> str | None:
    state = st.session_state
    key = f"{page}_{state.get(f'{page}_generation', 0)}"
    unfit = state.get(f"{page}_unfit")  # what the form held when it made no study
    if f"{key}_name" not in state:  # the form is drawn anew: out of what was typed last, be it as YAML
        state[f"{page}_over"] = unfit
        if unfit is None:
            state[f"{page}_base"] = text
    base = str(state[f"{page}_base"])
    try:
        body = body_of(base)
    except FedPromptError as error:
        explain(error)
        st.caption("Correct the YAML to show the form.")
        return None
    body |= state.get(f"{page}_over") or {}
    changes: dict[str, Any] = ask_what(body, key)

    def replace(templates: Sequence[Mapping[str, Any]]) -> None:
        _put(page, text if unfit is None else base, {**(unfit or {}), **changes, "templates": list(templates)})

    changes |= ask_templates(body, key, replace)
    if tuned:
        with st.expander("Soft prompt and rounds", icon=":material/tune:"):
            if body["answer"]["type"] == "choice":
                changes |= ask_soft(body, key)
            changes |= ask_rounds(body, key, changes.get("soft") is not None)
    try:
        found = with_changes(base, changes)
        if found == with_changes(base, {}):
            found = base  # nothing was changed, so its comments stay
    except FedPromptError as error:
        explain(error)
        _keep_unfit(page, base, changes)
        return None
    state[f"{page}_study"], state[f"{page}_unfit"] = found, None
    return found


def _put(page: str, text: str, changes: Mapping[str, Any]) -> None:
    """Have the form be made anew out of a study with some of its parts replaced, be it none any more."""
    try:
        set_study(page, with_changes(text, changes))
    except FedPromptError:
        set_study(page, text)
        _keep_unfit(page, text, changes)


def _keep_unfit(page: str, base: str, changes: Mapping[str, Any]) -> None:
    st.session_state[f"{page}_unfit"] = dict(changes)
    st.session_state[f"{page}_study"] = unfit_yaml(base, changes)


def _ask_yaml(page: str, text: str) -> str | None:
    key = f"{page}_yaml"
    if st.session_state.get(f"{page}_typed") != text:
        st.session_state[key] = st.session_state[f"{page}_typed"] = text
    typed = st.text_area(
        "The study", key=key, height=460, max_chars=LONGEST, label_visibility="collapsed", help="Checked as you type."
    )
    typed = typed or ""
    if typed != text:
        set_study(page, typed)  # the form is made anew out of this text
        st.session_state[f"{page}_typed"] = typed
    try:
        body_of(typed)
    except FedPromptError as error:
        explain(error)
        return None
    named(f"{page}_well_formed").caption(":material/check_circle: Valid YAML.")
    return typed
