"""Tune: a soft prompt on this machine's own cases, timed first, watched while it runs."""

from typing import Any

import streamlit as st

from app.display.address import go
from app.display.named import named
from app.display.plain import plain, sentence
from app.panels.runs.next_steps import draw_next_steps
from app.panels.runs.work import active, draw_work, follow, newest_of
from app.panels.studies.dropping import choose_set
from app.panels.studies.tuning_progress import draw_curves, draw_end, draw_estimate
from app.session import guarded, role, workspace
from app.visitor import barred, cancel, submit
from fedprompt.bank.rows import JobRow
from fedprompt.workspace.cases.evaluation_sets import evaluation_sets
from fedprompt.workspace.cases.study_draft import kept_studies, used_by
from fedprompt.workspace.jobs.tuning_job import estimate_for, same_work, tuning_view

ABOUT = (
    "A soft prompt is a few vectors placed in the prompt like words. Tuning changes the vectors so that the "
    "model answers the tuning cases correctly. Validation cases select the step that is kept."
)
HERE = (
    ":material/lock: Everything runs on this machine. The tuned prompt is saved in its bank; no case is. A "
    "prompt tuned without noise can carry traces of its tuning cases."
)

FIRST = (
    "The first click times ten steps, which takes a few seconds and saves nothing. You then see the estimated "
    "time and can start."
)


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Tune")
    if role() == "hub":
        named("tune_of_a_hub").info("A hub holds no cases, so it cannot tune.", icon=":material/hub:")
        return
    st.markdown(ABOUT, width=860)
    follow("tune", work, live)
    job = newest_of("tune")
    if job is None or job.state in ("done", "cancelled", "failed"):
        draw_start()


def work() -> tuple[JobRow | None, ...]:
    """Return the jobs that this page follows."""
    return newest_of("tune"), newest_of("tune-time")


@guarded
def live() -> None:
    """Draw the tuning that runs or ran last, and the timing that runs."""
    timing = newest_of("tune-time")
    if timing is not None and timing.state in ("queued", "running", "failed"):
        draw_work(timing, "tune_time")
    if newest_of("tune") is None:
        return
    view = tuning_view(workspace())
    draw_work(view.job, "tune", stop=True)
    # While it runs, the time that is left stands under its bar.
    if view.active and view.estimate is not None and not (view.job and view.job.state == "running"):
        draw_estimate(view.estimate)
    draw_end(view)
    if view.job is not None and view.job.state == "done" and view.job.result:
        template = view.job.result.get("template") or {}
        draw_next_steps("tune", str(view.job.result["prompt"]), template.get("prompt"))
    if view.run is not None:
        draw_curves(view)


def draw_start() -> None:
    """Draw what is to be tuned on what, and the button that times it and starts it."""
    studies = {one.name: one for one in kept_studies(workspace().home) if one.study and one.study.soft}
    sets = [one for one in evaluation_sets(workspace().home) if one.reading is not None]
    st.header("Tune one" if newest_of("tune") is None else "Tune another")
    if not studies or not sets:
        missing = "a file of labelled cases" if not sets else "a study with a soft prompt"
        with st.container(border=True):
            named("tune_needs_file" if not sets else "tune_needs_study").markdown(
                f"**Tuning needs {missing} first.** Upload the file on the Data page; write the study on the "
                "New study page."
            )
            if st.button("Open Data" if not sets else "Open New study", key="tune_first", type="primary"):
                go("data" if not sets else "new_study", [])
        return
    grid = st.grid(3, min_column_width=200, vertical_alignment="bottom")
    with grid.cell():
        chosen = studies[str(st.selectbox("Study", list(studies), key="tune_study", persist_state="session"))]
    with grid.cell():
        data = choose_set(sets, "tune_data")
    with grid.cell():
        seed = st.number_input("Seed", 0, 2**31, 0, key="tune_seed", help="The same seed gives the same prompt.")
    if data is None or chosen.study is None or data.reading is None:
        return
    if problem := used_by(chosen.study, data.reading):
        named("tune_unfit").warning(plain(sentence(problem)), icon=":material/warning:")
        return
    draw_buttons({"study": str(chosen.path), **data.arguments}, int(seed))
    st.caption(HERE)


def draw_buttons(arguments: dict[str, Any], seed: int) -> None:
    """Draw the button that times it at the first click and starts it at the next, and beside it how long it will take.

    While it is timed nobody has to wait: the same button then starts it untimed.
    """
    ws = workspace()
    found, timing = estimate_for(ws, arguments), newest_of("tune-time")
    times = active(timing)
    untimed = found is None and not times and not tried(timing, arguments)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Start without an estimate" if times else "Start tuning",
            key="tune_start",
            icon=":material/play_arrow:",
            type="secondary" if times else "primary",
            disabled=barred("tune") or active(newest_of("tune")),
            on_click=ask if untimed else begin,
            args=("tune-time", arguments) if untimed else ({**arguments, "seed": seed},),
        )
        if found is not None:
            st.button(
                "Estimate again",
                key="tune_measure",
                icon=":material/timer:",
                type="tertiary",
                disabled=barred("tune") or times,
                on_click=ask,
                args=("tune-time", arguments),
            )
    if untimed:
        named("tune_untimed").caption(f":material/timer: {FIRST}")
    elif found is not None:
        draw_estimate(found)


def tried(timing: JobRow | None, arguments: dict[str, Any]) -> bool:
    """Return whether timing this very work broke off, so that it may be started without."""
    return timing is not None and timing.state in ("failed", "cancelled") and same_work(timing.arguments, arguments)


@guarded
def begin(arguments: dict[str, Any]) -> None:
    """Queue the tuning; what times it, if anything does, makes room for it."""
    timing = newest_of("tune-time")
    if timing is not None and active(timing):
        cancel(workspace(), timing.id)
    submit(workspace(), "tune", arguments)


@guarded
def ask(kind: str, arguments: dict[str, Any]) -> None:
    """Queue a job."""
    submit(workspace(), kind, arguments)


draw()
