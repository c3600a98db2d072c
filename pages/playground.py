"""Playground: several prompts, models and settings side by side on texts of the visitor's own."""

from dataclasses import dataclass
from functools import partial

import streamlit as st

from app.display.named import named
from app.display.plain import plain, sentence
from app.drafts import drafted
from app.panels.runs.run_button import ask_run, bring_into_view
from app.panels.trials.cases import Cases, ask_cases, draw_strange
from app.panels.trials.cells import draw_cards
from app.panels.trials.checks import ask_checks
from app.panels.trials.code import draw_code
from app.panels.trials.conversation import SEND, ask_next
from app.panels.trials.failures import without_shown
from app.panels.trials.following import draw_run
from app.panels.trials.further import draw_further
from app.panels.trials.history import draw_history, draw_sets
from app.panels.trials.judge import draw_judge_cost
from app.panels.trials.kept_boxes import PLAYGROUND
from app.panels.trials.matrix import draw_csv, draw_matrix
from app.panels.trials.outdated import draw_outdated, outdated
from app.panels.trials.workbenches import draw_workbenches, follow_bench
from app.panels.variants.constants import ask_constants
from app.panels.variants.shown import take_wanted
from app.panels.variants.slots import letter, open_slots
from app.panels.variants.source import follow_link
from app.panels.variants.sweep import ask_sweep
from app.panels.variants.variant_cards import ask_variants, draw_as_sent, fields_of
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
KEPT = f"for {KEPT_DAYS} days if you save the run, otherwise for about an hour"
ABOUT = (
    "Write prompts, run them on your own texts, and compare the answers. :material/lock: Each text is sent to "
    "the variant's model. It is saved in this machine's history if you choose so. It is never saved to the "
    "bank or put in the page's URL."
)


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Playground")
    st.caption(ABOUT)
    with drafted(PLAYGROUND):
        draw_workbench()


def draw_workbench() -> None:
    """Draw the prompts, the texts, the button that runs them, and what came of it."""
    follow_bench()
    follow_link(workspace())
    take_wanted()
    run = shown_run()
    if len(open_slots()) == 1:
        grid = st.grid(2, min_column_width=360, gap="large")
        with grid.cell():
            cards = ask_variants(workspace())
        with grid.cell():
            bench = ask_bench(cards.variants)
            draw_results(run, bench)
    else:
        cards = ask_variants(workspace())
        bench = ask_bench(cards.variants)
        draw_results(run, bench)
    draw_as_sent(workspace(), cards, bench.cases.rows[0] if bench.cases.rows else {})
    with st.expander("Get code", icon=":material/code:", key="playground_code"):
        draw_code(cards.variants)
    with st.expander("Save as a template or add to a study", icon=":material/bookmark_add:", key="playground_further"):
        draw_further(cards.variants, bench.checks or ())
    draw_workbenches()
    with st.expander("Test sets and saved runs", icon=":material/history:", key="playground_earlier"):
        draw_sets(PAGE, trial_folder(), bench.given)
        draw_history(trial_folder(), show)


@dataclass(frozen=True)
class Bench:
    """What a run would ask now; ``checks`` is None while a scorer is not complete.

    ``given`` are all cases, ``cases`` those that no variant shows as an example.
    """

    variants: tuple[Variant | None, ...]
    given: Cases
    cases: Cases
    checks: tuple[Check, ...] | None


def ask_bench(variants: tuple[Variant | None, ...]) -> Bench:
    """Draw the texts, the scorers, the sweep and the button that runs everything."""
    checks: tuple[Check, ...] | None = None
    fields = ask_constants(fields_of(variants))
    given = ask_cases(PAGE, fields, trial_folder(), kept=KEPT, example=EXAMPLE)
    right = [one for one in variants if one is not None]
    cases = without_shown(PAGE, given, right)
    draw_strange(cases, right)
    with st.expander("Score the answers", icon=":material/rule:"):
        try:
            checks = ask_checks(PAGE)
        except FedPromptError as error:
            explain(error)
    asked: tuple[Variant | None, ...] = ()
    with st.expander("Settings sweep", icon=":material/grid_on:"):
        try:
            asked = ask_sweep(variants)
        except FedPromptError as error:
            explain(error)
    draw_judge_cost(PAGE, checks or (), cases, [one for one in asked if one is not None])
    wrong = [letter(place) for place, one in enumerate(variants) if one is None]
    lacking = cases.lacking
    if wrong:
        which = "the prompt" if len(variants) == 1 else f"variant {wrong[0]}"
        lacking = f"Correct {which} first."
    elif checks is None:
        lacking = "Complete the scorers first."
    elif not asked:
        lacking = "Complete the sweep first."
    bench = Bench(variants if wrong else asked, given, cases, checks)
    start(bench, lacking)
    return bench


def start(bench: Bench, lacking: str | None) -> None:
    """Draw the button that runs everything, and what goes with it."""
    variants = tuple(one for one in bench.variants if one is not None)
    st.session_state.setdefault("playground_keep_run", True)
    with st.container(horizontal=True):
        explained = st.toggle(
            "Show word influence",
            key="playground_explain",
            persist_state="session",
            help="Runs the first row again without each word, which takes a few times longer. Only for a single row "
            "on models of this machine.",
        )
        kept = st.toggle("Save the run", key="playground_keep_run", persist_state="session")
    pressed = ask_run(PAGE, "Run" if len(variants) < 2 else f"Run {len(variants)} variants", lacking)
    sent = st.session_state.pop(SEND, False)  # the next message of a conversation
    if not pressed and (lacking is not None or not sent):
        return
    require("try")
    if any(not one.labels and not one.generate for one in variants):
        raise PromptError("there is nothing to run; give labels, or turn on text generation")
    cases = bench.cases
    request = TrialRequest(
        name=(next(iter(cases.rows[0].values()), "") or variants[0].name)[:60] or "run",
        keep=kept,
        variants=variants,
        rows=list(cases.rows),
        expected=cases.expected,
        checks=bench.checks or (),
        explain=explained and len(cases.rows) == 1,
    )
    show(start_trial(workspace(), trial_folder(), request))
    st.rerun()


def shown_run() -> str | None:
    """Return the run to show: the one in the address, else the last that this person saw, while it is kept."""
    state, asked = st.session_state, st.query_params.get("run")
    if asked is not None:
        state["playground_run_shown"] = asked
    elif (last := state.get("playground_run_shown")) is not None:
        if last in trial_folder().runs():
            st.query_params["run"] = asked = last
        else:
            del state["playground_run_shown"]
    return asked


def show(run: str) -> None:
    """Show a run: its id, and nothing that was typed, stands in the address, so that it outlives a reload."""
    st.query_params["run"] = st.session_state["playground_run_shown"] = run


def draw_results(run: str | None, bench: Bench) -> None:
    """Draw what came of a run, or say that it is gone."""
    if run is None:
        bring_into_view("playground_results", "")
        return
    with st.container(key="playground_results"):
        st.header("Answers")
        try:
            draw_run(PAGE, trial_folder(), run, partial(draw_answers, bench))
        except FedPromptError as error:
            named("playground_run_gone").info(plain(sentence(str(error))), icon=":material/history_toggle_off:")
    bring_into_view("playground_results", run)


def draw_answers(bench: Bench, trial: Trial, active: bool) -> None:
    """Draw one row as cards, and many, or the points of a sweep, as a table."""
    changed = outdated(trial, bench.variants, bench.cases, bench.checks)
    draw_outdated(trial, changed)
    if len(trial.request.rows) == 1 and len(trial.request.variants) <= MOST_CARDS and swept_of(trial) is None:
        draw_cards(trial, 0)
        if not active:
            ask_next(trial, changed)
    else:
        draw_matrix(PAGE, trial, active=active)
    if trial.cells and not active:
        draw_csv(PAGE, trial)


draw()
