"""Turning a soft prompt into words, for the formats that hold only text."""

import streamlit as st

from app.display.address import set_query_ids
from app.display.named import named
from app.display.plain import plain, sentence
from app.panels.runs.work import draw_work, follow
from app.session import guarded, workspace
from app.visitor import require, submit, why_not
from fedprompt.bank.rows import JobRow
from fedprompt.workspace.cases.evaluation_sets import evaluation_sets

__all__ = ["draw_wording", "word_button"]

WANTED = "bank_words"


def word_button(prompt: str, format: str) -> None:
    """Draw the button beside a format that cannot hold a soft prompt."""
    st.button(
        "Convert to words",
        key=f"bank_words_{format}",
        icon=":material/spellcheck:",
        type="tertiary",
        on_click=_want,
        args=(prompt,),
        help="Searches for words that act like the soft prompt. This format can hold words.",
    )


def _want(prompt: str) -> None:
    st.session_state[WANTED] = prompt


def draw_wording(called: str, prompt: str) -> None:
    """Draw the search for words, where it was asked for this prompt; ``called`` is its title."""
    if st.session_state.get(WANTED) != prompt:
        return
    with st.container(border=True, key="bank_wording"):
        st.markdown(f"**Convert “{plain(called)}” to words**")
        st.caption(
            "The search uses your own cases. It saves the words in the bank as a template, and reports how "
            "much of the accuracy they keep."
        )
        job = _job(prompt)
        if job is None:
            _ask(prompt)
        else:
            follow("bank_words", lambda: (_job(prompt),), lambda: _draw(prompt))


def _job(prompt: str) -> JobRow | None:
    """Return the newest search for words of this prompt; one that was given up counts for nothing."""
    jobs = workspace().bank.jobs(limit=200)
    return next((one for one in jobs if one.kind == "harden" and one.arguments.get("prompt") == prompt), None)


def _ask(prompt: str) -> None:
    sets = {one.id: one for one in evaluation_sets(workspace().home) if one.reading is not None}
    if not sets:
        named("bank_words_no_file").info(
            "Upload a file of labelled cases on the Data page first.", icon=":material/table_view:"
        )
        return
    chosen = sets[str(st.selectbox("Cases", list(sets), key="bank_words_data"))]
    why = why_not("tune")
    st.button(
        "Start",
        key="bank_words_start",
        type="primary",
        icon=":material/play_arrow:",
        disabled=why is not None,
        help=why,
        on_click=_start,
        args=({"prompt": prompt, **chosen.arguments},),
    )


@guarded
def _start(arguments: dict[str, object]) -> None:
    require("tune")
    submit(workspace(), "harden", arguments)


@guarded
def _draw(prompt: str) -> None:
    job = _job(prompt)
    draw_work(job, "bank_words")
    if job is None or job.state != "done" or job.result is None:
        return
    st.markdown(plain(sentence(str(job.result["sentence"]))))
    st.button(
        "Show the words",
        key="bank_words_show",
        icon=":material/inventory_2:",
        on_click=set_query_ids,
        args=([str(job.result["prompt"])],),
    )
