"""A run of the playground or of Compare as it goes and when it has ended: progress, stop, go on, the answers."""

from collections.abc import Callable

import streamlit as st

from app.display.named import named
from app.display.plain import plain, seconds, sentence
from app.session import guarded, workspace
from app.visitor import require, why_not
from fedprompt.bank.rows import JobRow
from fedprompt.errors import FedPromptError
from fedprompt.workspace.jobs.jobs import ENDED
from fedprompt.workspace.jobs.trial_control import go_on, stop_trial
from fedprompt.workspace.liveness import is_alive
from fedprompt.workspace.playground.trial_files import TrialFolder
from fedprompt.workspace.playground.trials import Trial, read_trial

__all__ = ["draw_run"]

Answers = Callable[[Trial, bool], None]


def draw_run(page: str, folder: TrialFolder, run: str, draw_answers: Answers) -> None:
    """Draw a run; while it goes on, anew a few times a second.

    Args:
        page: begins the keys of what is drawn.
        folder: the visitor's runs.
        run: its id.
        draw_answers: draws what there is of the answers; told whether more are to come.

    Raises:
        JobError: the run is no longer kept.
    """
    trial = read_trial(folder, run)
    job = _job(trial)
    active = job is not None and job.state not in ENDED
    st.fragment(_follow, run_every="0.4s" if active else None)(page, folder, run, draw_answers, active)


@guarded
def _follow(page: str, folder: TrialFolder, run: str, draw_answers: Answers, followed: bool) -> None:
    trial = read_trial(folder, run)
    job = _job(trial)
    active = job is not None and job.state not in ENDED
    ended = (run, trial.job)
    if not active and st.session_state.get(f"{page}_ended") != ended:
        st.session_state[f"{page}_ended"] = ended
        st.rerun()
    if active and not followed:  # "Go on" was pressed: only the whole page can make this part draw itself again
        st.rerun()
    if active and job is not None:
        _draw_progress(page, trial, job)
    elif trial.missing or trial.failures:
        _draw_unfinished(page, folder, trial, job)
    draw_answers(trial, active)


def _job(trial: Trial) -> JobRow | None:
    try:
        return workspace().bank.job(trial.job)
    except FedPromptError:  # another bank than the run was made with
        return None


def _draw_progress(page: str, trial: Trial, job: JobRow) -> None:
    ws = workspace()
    told = job.progress or {}
    done, total = len(trial.cells), trial.total
    text = f"{done:,} of {total:,} answers"
    if told.get("message") and not done:
        text += f" \N{MIDDLE DOT} {plain(str(told['message']))}"
    if isinstance(told.get("seconds_left"), int | float) and done:
        text += f" \N{MIDDLE DOT} {seconds(float(told['seconds_left']))}"
    if job.state == "queued" and not is_alive(ws.home, "quick"):
        named(f"{page}_no_process").error(
            "No model process is running; start the app with 'fedprompt ui'.", icon=":material/error:"
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        named(f"{page}_run_progress").progress(min(1.0, done / max(1, total)), text=text)
        st.button(
            "Stop",
            key=f"{page}_stop_run",
            icon=":material/stop_circle:",
            disabled=why_not("try") is not None,
            on_click=_stop,
            args=(trial,),
        )


def _draw_unfinished(page: str, folder: TrialFolder, trial: Trial, job: JobRow | None) -> None:
    if job is not None and job.state == "failed":
        named(f"{page}_run_failed").error(
            plain(sentence(job.error or "the run failed; the logs give the reason")), icon=":material/error:"
        )
    parts = []
    if trial.failures:
        parts.append(f"{trial.failures:,} of {trial.total:,} have no answer because of an error")
    if trial.missing:
        parts.append(f"{trial.missing:,} of {trial.total:,} were not run")
    label = "Retry the failed ones" if not trial.missing else "Continue"
    with st.container(horizontal=True, vertical_alignment="center"):
        if parts:
            named(f"{page}_unfinished", narrow=True).markdown(
                f":material/info: {', '.join(parts)}. All other answers are kept.", width="content"
            )
        st.button(
            label,
            key=f"{page}_go_on",
            icon=":material/refresh:",
            disabled=why_not("try") is not None,
            on_click=_go_on,
            args=(folder, trial.run),
        )


@guarded
def _stop(trial: Trial) -> None:
    require("try")
    stop_trial(workspace(), trial)


@guarded
def _go_on(folder: TrialFolder, run: str) -> None:
    require("try")
    go_on(workspace(), folder, run)
