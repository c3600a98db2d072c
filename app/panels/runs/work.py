"""The job of one page: while it runs, its bar and a button; when it broke off, why, and a button that goes on.

What it draws is read out of the bank, so it is the same after a reload of the browser and after a new start of the app.
"""

from collections.abc import Callable
from functools import partial

import streamlit as st

from app.panels.runs.job import draw_ended, draw_running
from app.session import guarded, offer_assets, workspace
from app.visitor import cancel, forget, submit, why_not_job
from fedprompt.bank.rows import JobRow
from fedprompt.workspace.jobs.jobs import newest_job

__all__ = ["active", "draw_work", "duration", "follow", "last_done", "newest_of"]

REFRESH = "2s"


def newest_of(*kinds: str) -> JobRow | None:
    """Return the job of these kinds that was asked for last; one that was given up counts for nothing."""
    return newest_job(workspace(), *kinds)


def last_done(*kinds: str) -> JobRow | None:
    """Return the job of these kinds that ended last with a result, whatever was asked for since."""
    for row in workspace().bank.jobs(limit=500):
        if row.kind in kinds and row.state == "done" and row.result and row.arguments:
            return row
    return None


def active(job: JobRow | None) -> bool:
    """Return whether a job runs or waits."""
    return job is not None and job.state in ("queued", "running")


def follow(
    page: str, jobs: Callable[[], tuple[JobRow | None, ...]], draw: Callable[[], None], *, busy: bool = False
) -> None:
    """Draw a part of a page that follows jobs: anew every two seconds while one runs, the whole page when one ends.

    ``busy``: also while something runs that is no job of the app.
    """

    def live() -> None:
        found = jobs()
        state = tuple((job.id, job.state) for job in found if job is not None)
        before = st.session_state.get(f"{page}_followed")
        st.session_state[f"{page}_followed"] = state
        if before is not None and before != state:
            st.rerun()
        draw()

    busy = busy or any(active(job) for job in jobs())
    st.session_state.pop(f"{page}_followed", None)
    st.fragment(live, run_every=REFRESH if busy else None)()


def draw_work(
    job: JobRow | None,
    page: str,
    *,
    again: Callable[[], None] | None = None,
    stop: bool = False,
) -> None:
    """Draw a job; nothing where it is done.

    Args:
        page: begins the keys.
        again: called when it is to go on; by default the same work is asked for once more.
        stop: whether there is a button that ends it for good, beside the one that breaks it off.
    """
    if job is None or job.state == "done":
        return
    if active(job):
        draw_running(job, page=page, end=partial(_end, page) if stop else None)
        return
    if st.session_state.get(f"{page}_ending") == job.id:  # it was to end for good, and has come to its end
        del st.session_state[f"{page}_ending"]
        _give_up(job.id)
        st.rerun()
    why, (label, icon) = why_not_job(job.kind), draw_ended(job, page)
    if job.state == "failed" and (job.code or "").startswith("asset"):
        offer_assets(f"{page}_assets")
    with st.container(horizontal=True):
        st.button(
            label,
            key=f"{page}_again",
            icon=f":material/{icon}:",
            type="primary",
            disabled=why is not None,
            help=why,
            on_click=again or _again,
            args=() if again else (job,),
        )
        st.button(
            "Stop" if stop and job.state != "failed" else "Start a different job",
            key=f"{page}_give_up",
            type="tertiary",
            disabled=why is not None,
            on_click=_give_up,
            args=(job.id,),
        )


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 0.95:
        return f"{1000 * seconds:.0f} ms" if seconds >= 0.001 else "under 1 ms"
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@guarded
def _end(page: str, job: str) -> None:
    st.session_state[f"{page}_ending"] = job
    cancel(workspace(), job)


@guarded
def _again(job: JobRow) -> None:
    submit(workspace(), job.kind, job.arguments)


@guarded
def _give_up(job: str) -> None:
    forget(workspace(), job)
