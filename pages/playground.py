"""Playground: several prompts, models and settings side by side on texts of the visitor's own."""

import streamlit as st

from app.display.plain import plain, sentence
from app.panels.runs.run_button import ask_run
from app.panels.trials.cases import Cases, ask_cases
from app.panels.trials.cells import draw_cards
from app.panels.trials.checks import ask_checks
from app.panels.trials.following import draw_run
from app.panels.trials.further import draw_further
from app.panels.trials.history import draw_history, draw_sets
from app.panels.trials.matrix import draw_csv, draw_matrix
from app.panels.variants.slots import open_slots
from app.panels.variants.source import follow_link
from app.panels.variants.sweep import ask_sweep
from app.panels.variants.variant_tabs import ask_variants
from app.session import explain, guarded, trial_folder, workspace
from app.visitor import require
from fedprompt.errors import FedPromptError, PromptError
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.jobs.trial_control import start_trial
from fedprompt.workspace.playground.sweeps import swept_of
from fedprompt.workspace.playground.trial_files import KEPT_DAYS
from fedprompt.workspace.playground.trials import Check, Trial, TrialRequest

PAGE = "playground"
MOST_CARDS = 6
EXAMPLE = "What a wonderful film, I loved every minute of it."
KEPT = f"for {KEPT_DAYS} days where you keep the run in the history, else for about an hour"
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
        cases = ask_cases(PAGE, fields, trial_folder(), kept=KEPT, example=EXAMPLE) if variants else Cases()
        try:
            with st.expander("Judge the answers", icon=":material/rule:"):
                checks = ask_checks(PAGE)
            with st.expander("Try many settings at once", icon=":material/grid_on:"):
                asked = ask_sweep(variants) if variants else ()
        except FedPromptError as error:
            explain(error)
            asked = ()
        start(asked, cases, checks)
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
        draw_sets(PAGE, trial_folder(), cases)
        draw_history(trial_folder(), show)


def start(variants: tuple[Variant, ...], cases: Cases, checks: tuple[Check, ...]) -> None:
    """Draw the button that runs everything, and what goes with it."""
    with st.container(horizontal=True):
        explained = st.toggle(
            "Colour the words that counted",
            key="playground_explain",
            persist_state="session",
            help="Leaves each word out once, on models of this machine; a run takes a few times longer. For one row.",
        )
        kept = st.toggle("Keep in the history", True, key="playground_keep_run", persist_state="session")
    lacking = cases.lacking if variants else "Mend what is wrong above first."
    if not ask_run(PAGE, "Run" if len(variants) < 2 else f"Run {len(variants)} variants", lacking):
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
        draw_run(PAGE, trial_folder(), run, draw_answers)
    except FedPromptError as error:
        st.info(plain(sentence(str(error))), icon=":material/history_toggle_off:")


def draw_answers(trial: Trial, active: bool) -> None:
    """Draw one row as cards, and many, or the points of a sweep, as a table."""
    if len(trial.request.rows) == 1 and len(trial.request.variants) <= MOST_CARDS and swept_of(trial) is None:
        draw_cards(trial, 0)
    else:
        draw_matrix(PAGE, trial)
    if trial.cells and not active:
        draw_csv(PAGE, trial)


draw()
