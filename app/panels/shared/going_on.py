"""What one does with an adapted prompt: try it on a text at once, keep it under a name, go on with it elsewhere."""

import shlex

import streamlit as st

from app.display.address import go
from app.display.plain import plain
from app.panels.exchange.exporting import draw_export
from app.panels.runs.run_button import ask_run
from app.panels.trials.cells import draw_cards
from app.panels.trials.following import draw_run
from app.panels.trials.typed_case import ask_fields
from app.session import explain, trial_folder, workspace
from app.visitor import barred, require
from fedprompt.errors import FedPromptError
from fedprompt.workspace.answers.variants import bank_variant
from fedprompt.workspace.jobs.trial_control import start_trial
from fedprompt.workspace.local.adapt_result import AdaptResult
from fedprompt.workspace.local.adapting import keep_adapted
from fedprompt.workspace.playground.trials import Trial, TrialRequest

__all__ = ["draw_going_on"]

PAGE = "shared"
KEPT, RUN, TAKING = "shared_kept_as", "shared_run_of", "shared_taking"
LONGEST_NAME = 60


def draw_going_on(found: AdaptResult) -> None:
    """Draw the box that tries it, the name that it is kept under, and the ways on."""
    grid = st.grid(2, min_column_width=360, gap="large")
    with grid.cell():
        st.subheader("Try on a text")
        _draw_try(found)
    with grid.cell():
        st.subheader("Save and use")
        _draw_keep(found)
        _draw_ways(found, _name(found))
    if st.session_state.get(TAKING) == found.adapted:
        st.subheader("Export")
        draw_export((found.adapted,))


def _draw_try(found: AdaptResult) -> None:
    variant = bank_variant(workspace(), found.adapted, found.name)
    row = ask_fields(PAGE, _fields(found), "")
    lacking = None if all(text.strip() for text in row.values()) else "Enter a text."
    if ask_run(PAGE, "Answer", lacking):
        require("try")
        request = TrialRequest(name=found.name, keep=False, variants=(variant,), rows=[row])
        st.session_state[RUN] = (found.adapted, start_trial(workspace(), trial_folder(), request))
        st.rerun()
    st.caption(":material/lock: Your text stays on this machine. The answer is kept for about an hour.")
    kept = st.session_state.get(RUN)
    if kept is not None and kept[0] == found.adapted:
        draw_run(PAGE, trial_folder(), kept[1], _draw_answer)


def _fields(found: AdaptResult) -> tuple[str, ...]:
    return workspace().bank.adapted(found.adapted).fields


def _draw_answer(trial: Trial, active: bool) -> None:
    draw_cards(trial, 0)


def _name(found: AdaptResult) -> str:
    """Return what it is called now: by the name that it was kept under last, if it was."""
    kept = st.session_state.get(KEPT)
    return str(kept[1]) if kept is not None and kept[0] == found.adapted else found.name


def _take(adapted: str) -> None:
    st.session_state[TAKING] = adapted


def _draw_keep(found: AdaptResult) -> None:
    now = _name(found)
    st.markdown(f":material/bookmark: Saved as **{plain(now)}**, on this machine only.")
    closed = barred("tune")
    with st.form("shared_keep_form", border=False):
        name = st.text_input(
            "Save under another name",
            key="shared_name",
            max_chars=LONGEST_NAME,
            placeholder="for example: spring",
            help="This name stays with this result. The name 'home' always means the newest result.",
        )
        pressed = st.form_submit_button("Save", key="shared_keep", icon=":material/bookmark_add:", disabled=closed)
    if pressed and name:
        try:
            require("tune")
            st.session_state[KEPT] = (found.adapted, keep_adapted(workspace(), found.adapted, name.strip()))
        except FedPromptError as error:
            explain(error)
            return
        st.rerun()


def _draw_ways(found: AdaptResult, name: str) -> None:
    with st.container(horizontal=True):
        for page, label, icon in (
            ("playground", "Playground", "experiment"),
            ("compare", "Compare", "compare_arrows"),
        ):
            if st.button(label, key=f"shared_to_{page}", icon=f":material/{icon}:"):
                go(page, [found.adapted])
        st.button("Export", key="shared_take", icon=":material/output:", on_click=_take, args=(found.adapted,))
    with st.expander("Use from code", icon=":material/code:"):
        given = ", ".join(f'{field}="..."' for field in _fields(found))
        st.code(f'import fedprompt\n\nbank = fedprompt.open()\nprint(bank.get("{name}").run({given}).text)')
        st.code(f"fedprompt serve {shlex.quote(name)}", language="sh")
