"""Several prompts on texts that the visitor gives: what each answers, where they differ, and a blind rating.

Invariant: only what is typed or uploaded here is run, never a site's case; and while answers are rated blind, nothing
says whose they are.
"""

from collections.abc import Sequence

import streamlit as st

from app.display.plain import plain
from app.drafts import drafted
from app.panels.models.session_models import goes_to
from app.panels.runs.run_button import ask_run
from app.panels.scores.duel import draw_own_duel
from app.panels.scores.pareto import draw_own_pareto
from app.panels.trials.cases import ask_cases, draw_strange
from app.panels.trials.cells import draw_cards
from app.panels.trials.checks import ask_checks
from app.panels.trials.examples import ask_examples
from app.panels.trials.following import draw_run
from app.panels.trials.history import draw_sets
from app.panels.trials.judge import draw_judge_cost
from app.panels.trials.kept_boxes import COMPARE
from app.panels.trials.matrix import draw_csv, draw_matrix
from app.panels.trials.pinning import draw_pin
from app.panels.trials.rating import draw_rating
from app.panels.trials.wins import draw_wins
from app.session import explain, trial_folder, workspace
from app.visitor import require
from fedprompt.errors import FedPromptError, JobError
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.jobs.trial_control import start_trial
from fedprompt.workspace.playground.trial_totals import Totals, totals_of
from fedprompt.workspace.playground.trials import Check, Trial, TrialRequest, read_trial

__all__ = ["draw_trial", "measured_of", "shown_trial", "told_openly"]

PAGE = "compare"
KEPT = "for about an hour (30 days once you rate them), or until you delete them"
PICTURES = {"answers": "Answers", "duel": "Head to head", "pareto": "Accuracy and cost"}


def shown_trial(variants: Sequence[Variant]) -> Trial | None:
    """Return the run in the address, None where there is none of these prompts any more."""
    run = st.query_params.get("run")
    try:
        found = None if run is None else read_trial(trial_folder(), run)
    except JobError:
        return None
    if found is None or len(found.request.variants) != len(variants):
        return None
    return found if all(map(_same, found.request.variants, variants)) else None


def _same(ran: Variant, shown: Variant) -> bool:
    """Return whether what ran is the prompt that is shown; examples were written out in it, where it shows any."""
    if ran == shown:
        return True
    if shown.template.get("demonstrations") is None:
        return False
    return ran.model_copy(update={"template": shown.template}) == shown


def measured_of(trial: Trial | None, prompts: Sequence[str]) -> dict[str, Totals]:
    """Return prompt -> what it came to in a run of these prompts, nothing without a run."""
    return {} if trial is None else {prompt: totals_of(trial, number) for number, prompt in enumerate(prompts)}


def draw_trial(variants: Sequence[Variant], trial: Trial | None) -> None:
    """Draw the inputs, the button that runs all prompts on them, and what came of it.

    Args:
        variants: the prompts, under the titles that the page gives them.
        trial: the run to draw.
    """
    with drafted(COMPARE):
        _draw_trial(variants, trial)


def _draw_trial(variants: Sequence[Variant], trial: Trial | None) -> None:
    ws, folder = workspace(), trial_folder()
    for told in dict.fromkeys(goes_to(ws, one.model) for one in variants):
        st.caption(f":material/lock: {plain(told)} No site's private case is used here.")
    fields = tuple(dict.fromkeys(name for one in variants for name in one.made().variables))
    cases = ask_cases(PAGE, fields, folder, kept=KEPT)
    draw_strange(cases, variants)
    variants, unshown = ask_examples(PAGE, variants, cases, folder)
    checks: tuple[Check, ...] | None = None
    with st.expander("Score the answers", icon=":material/rule:"):
        try:
            checks = ask_checks(PAGE)
        except FedPromptError as error:
            explain(error)
    draw_judge_cost(PAGE, checks or (), cases, variants)
    with st.expander("Test sets", icon=":material/bookmark:"):
        draw_sets(PAGE, folder, cases)
    st.toggle(
        "Blind rating first",
        key="compare_blind",
        persist_state="session",
        help="Shows two answers at a time without the prompts' names. The other results appear after all pairs are "
        "rated.",
    )
    pressed = ask_run(PAGE, "Run", unshown or cases.lacking if checks is not None else "Complete the scorers first.")
    if pressed and checks is not None and unshown is None:
        require("try")
        request = TrialRequest(
            name=f"Compare: {', '.join(one.name for one in variants)}"[:120],
            keep=False,
            variants=tuple(variants),
            rows=list(cases.rows),
            expected=cases.expected,
            checks=checks,
        )
        st.query_params["run"] = start_trial(ws, folder, request)
        st.rerun()
    if trial is not None:
        draw_run(PAGE, folder, trial.run, _draw_answers)
        st.button(
            "Delete these answers",
            key="compare_forget",
            icon=":material/delete:",
            type="tertiary",
            on_click=_forget,
            args=(trial.run,),
        )


def told_openly(trial: Trial | None) -> Trial | None:
    """Return the run unless its answers are still to be rated blind."""
    state = st.session_state
    if trial is None or not state.get("compare_blind"):
        return trial
    return trial if trial.run in (state.get("compare_unblinded"), state.get("compare_all_rated")) else None


def _draw_answers(trial: Trial, active: bool) -> None:
    state = st.session_state
    if not state.get("compare_blind") or state.get("compare_unblinded") == trial.run:
        _draw_open(trial, active)
    elif active:
        st.caption("Rating starts once all answers are there.")
    elif _rate(trial):
        state["compare_all_rated"] = trial.run
        _draw_open(trial, active)
    else:
        st.button(
            "Skip the rating",
            key="compare_unblind",
            icon=":material/visibility:",
            on_click=_unblind,
            args=(trial.run,),
        )


def _unblind(run: str) -> None:
    st.session_state["compare_unblinded"] = run


def _forget(run: str) -> None:
    trial_folder().forget(run)
    st.query_params.pop("run", None)


def _rate(trial: Trial) -> bool:
    answers = {
        name: [_output(trial, number, row) for row in range(len(trial.request.rows))]
        for number, name in enumerate(_names(trial))
    }
    return draw_rating(trial_folder(), trial.run, trial.request.rows, answers)


def _output(trial: Trial, variant: int, row: int) -> str | None:
    cell = trial.cells.get((variant, row))
    return None if cell is None or cell.error is not None else cell.output


def _draw_open(trial: Trial, active: bool) -> None:
    which = "answers"
    if trial.cells and not active:
        which = str(
            st.segmented_control(
                "View",
                list(PICTURES),
                format_func=PICTURES.__getitem__,
                default="answers",
                key="compare_own_picture",
                required=True,
                label_visibility="collapsed",
            )
        )
    if which == "duel":
        draw_own_duel(trial, _names(trial))
    elif which == "pareto":
        draw_own_pareto(_names(trial), [totals_of(trial, number) for number in range(len(trial.request.variants))])
    else:
        if len(trial.request.rows) == 1:
            draw_cards(trial, 0)
        else:
            picked = draw_matrix(PAGE, trial, active=active, against_first=True)
            if picked is not None:
                draw_pin(PAGE, trial_folder(), trial, picked)
            draw_wins(trial)
        if trial.cells and not active:
            draw_csv(PAGE, trial)


def _names(trial: Trial) -> list[str]:
    return [one.name for one in trial.request.variants]
