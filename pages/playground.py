"""Playground: several prompts, models and settings side by side on texts of the visitor's own."""

import streamlit as st

from app.panels.cases import Cases, ask_cases, draw_sets
from app.panels.checks import ask_checks
from app.panels.following import draw_run
from app.panels.further import draw_further
from app.panels.history import draw_history
from app.panels.live import run_at_ctrl_enter
from app.panels.slots import open_slots
from app.panels.source import follow_link
from app.panels.sweep import ask_sweep
from app.panels.variant_tabs import ask_variants
from app.session import explain, guarded, trial_folder, workspace
from app.visitor import barred, require
from fedprompt.errors import FedPromptError, PromptError
from fedprompt.workspace.trial_control import start_trial
from fedprompt.workspace.trials import Check, TrialRequest
from fedprompt.workspace.variants import Variant

ABOUT = (
    "Write prompts and try them on texts of your own, side by side. :material/lock: What you type goes to the model "
    "that each variant names, and into this machine's history if you keep it there; never into the bank or the address."
)


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Playground")
    st.caption(ABOUT)
    follow_link(workspace())
    open_slots()
    grid = st.grid(2, min_column_width=360, gap="large")
    with grid.cell():
        variants = ask_variants(workspace())
    checks: tuple[Check, ...] = ()
    with grid.cell():
        fields = tuple(dict.fromkeys(name for one in variants for name in one.made().variables))
        if not variants:
            st.caption(":material/edit: The inputs appear once every prompt is well formed.")
        cases = ask_cases(fields, trial_folder()) if variants else Cases()
        try:
            with st.expander("Judge the answers", icon=":material/rule:"):
                checks = ask_checks()
            with st.expander("Try many settings at once", icon=":material/grid_on:"):
                asked = ask_sweep(variants) if variants else ()
        except FedPromptError as error:
            explain(error)
            asked = ()
        ask_run(asked, cases, checks)
        run = st.query_params.get("run")
        beside = len(variants) < 2 and len(cases.rows) < 2
        if run is not None and beside:
            draw_results(run)
    if run is not None and not beside:
        draw_results(run)
    if variants:
        with st.expander("Save as a template, or begin a study", icon=":material/bookmark_add:"):
            draw_further(variants, checks)
    with st.expander("Test sets and earlier runs", icon=":material/history:"):
        draw_sets(trial_folder(), cases)
        draw_history(trial_folder(), show)


def ask_run(variants: tuple[Variant, ...], cases: Cases, checks: tuple[Check, ...]) -> None:
    """Draw the button that runs everything, and what goes with it."""
    with st.container(horizontal=True):
        explained = st.toggle(
            "Colour the words that counted",
            key="playground_explain",
            persist_state="session",
            help="Leaves each word out once, on models of this machine; a run takes a few times longer. For one row.",
        )
        kept = st.toggle("Keep in the history", True, key="playground_keep_run", persist_state="session")
    closed = barred("try")
    pressed = st.button(
        "Run" if len(variants) < 2 else f"Run {len(variants)} variants",
        key="playground_run",
        type="primary",
        icon=":material/play_arrow:",
        disabled=closed or not (variants and cases.ready),
        width="stretch",
    )
    st.caption(":material/keyboard: Ctrl+Enter runs it too.", text_alignment="center")
    run_at_ctrl_enter("playground_run")
    if not pressed:
        return
    require("try")
    if any(not one.labels and not one.generate for one in variants):
        raise PromptError("there is nothing to ask for; give answers to choose among, or switch the continuation on")
    request = TrialRequest(
        name=(next(iter(cases.rows[0].values()), "") or variants[0].name)[:60] or "run",
        keep=kept,
        variants=variants,
        rows=list(cases.rows),
        expected=cases.expected,
        checks=checks,
        explain=explained and len(cases.rows) == 1,
    )
    show(start_trial(workspace(), trial_folder(), request))


def show(run: str) -> None:
    """Show a run: its id, and nothing that was typed, stands in the address, so that it outlives a reload."""
    st.query_params["run"] = run


def draw_results(run: str) -> None:
    """Draw what came of a run, or say that it is gone."""
    st.header("Answers")
    try:
        draw_run(trial_folder(), run)
    except FedPromptError as error:
        st.info(str(error), icon=":material/history_toggle_off:")


draw()
