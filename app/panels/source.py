"""What the playground starts from: the visitor's own text, or a prompt of the bank with its soft prompt."""

import streamlit as st

from app.panels.answers import write_answers
from app.session import prompt_titles, query_ids
from fedprompt.errors import FedPromptError
from fedprompt.models.chat_config import configured
from fedprompt.models.registry import DEFAULT_MODEL
from fedprompt.prompts.prompt import Prompt
from fedprompt.workspace.workspace import Workspace

__all__ = ["ask_model", "ask_source", "chosen_soft"]


def ask_source(ws: Workspace) -> None:
    """Draw the choice; choosing a prompt fills the boxes with its text and its answers."""
    names = prompt_titles()
    _follow_link(ws)
    if not names:
        return
    st.selectbox(
        "Start from a prompt of the bank",
        list(names),
        index=None,
        format_func=lambda key: names.get(key, key),
        key="playground_source",
        placeholder="or write your own below",
        on_change=_fill,
        args=(ws,),
        persist_state="session",
    )
    problem = st.session_state.pop("playground_problem", None)
    if problem:
        st.warning(problem, icon=":material/info:")


def ask_model(ws: Workspace) -> str:
    """Draw the choice of models: the default one, those of the bank's studies, this machine's chat models."""
    studied = (row.study.model for row in ws.bank.studies())
    names = dict.fromkeys([DEFAULT_MODEL, *studied, *configured(ws.home.path)])
    return str(st.selectbox("Model", list(names), key="playground_model", persist_state="session"))


def chosen_soft() -> str | None:
    """Return the id of the tuned prompt whose vectors stand in the slot, if one was chosen."""
    soft = st.session_state.get("playground_soft")
    return None if soft is None else str(soft)


def _follow_link(ws: Workspace) -> None:
    linked = query_ids()
    if not linked or st.session_state.get("playground_linked") == linked:
        return
    st.session_state["playground_linked"] = linked
    st.session_state["playground_source"] = ws.bank.prompt_row(linked[0]).id
    _fill(ws)


def _fill(ws: Workspace) -> None:
    """Put the chosen prompt's text, answers and model into the boxes."""
    state = st.session_state
    state["playground_soft"] = None
    state.pop("playground_result", None)
    chosen = state.get("playground_source")
    if chosen is None:
        return
    try:
        prompt = ws.bank.prompt(chosen)
        row = ws.bank.prompt_row(chosen)
        if row.study is not None:
            state["playground_model"] = ws.bank.study(row.study).study.model
    except FedPromptError as error:
        state["playground_problem"] = str(error)
        return
    text, chat = _text(prompt)
    if text is None:
        state["playground_problem"] = (
            "This prompt is a conversation of several messages, which this box cannot hold; try it on the Compare page."
        )
        return
    if prompt.template.demonstrations is not None:
        text = text.replace("{demonstrations}", "")
        state["playground_problem"] = (
            "This prompt shows a site's own cases as examples. They never leave the site; write examples of your own."
        )
    state["playground_template"], state["playground_chat"] = text, chat
    spaced = not chat and not text[-1:].isspace()
    state["playground_answers"] = write_answers(prompt.template.words or {}, spaced=spaced)
    state["playground_soft"] = prompt.id if prompt.soft is not None else None


def _text(prompt: Prompt) -> tuple[str | None, bool]:
    template = prompt.template
    if template.messages is None:
        return template.text, False
    if len(template.messages) == 1 and template.messages[0].role == "user":
        return template.messages[0].content, True
    return None, True
