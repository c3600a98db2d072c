"""A long job as a visitor follows it: what it does, how far it is, how long it takes, what if it failed."""

from collections.abc import Callable, Sequence

import streamlit as st

from app.display.named import named
from app.display.plain import capital, plain, seconds, sentence
from app.session import guarded, role, workspace
from app.visitor import cancel, why_not_job
from fedprompt.bank.rows import JobRow

__all__ = ["LONG", "active_jobs", "controlled", "draw_ended", "draw_jobs", "draw_running", "newest"]

LONG = {
    "adapt": "Adapting the shared prompts",
    "assets": "Downloading the model and the texts",
    "compare-pairs": "Comparing prompts at the sites",
    "demo": "Demo federation",
    "federate": "Federation",
    "federate-flare": "Federation of sites on other machines",
    "score": "Scoring prompts",
    "tune": "Tuning a soft prompt",
    "tune-time": "Timing ten steps of tuning",
    "rehearse": "Rehearsing: what would leave this site",
    "export": "Writing an export",
    "harden": "Converting a soft prompt to words",
    "audit": "Auditing a prompt",
}
STAGES = {
    "prepare": "preparing",
    "score": "1 of 5: the sites score templates",
    "federate": "2 of 5: the sites tune together",
    "alone": "3 of 5: each site tunes alone, for comparison",
    "centralised": "4 of 5: tuning on pooled cases, for comparison",
    "test": "5 of 5: the test",
}
# The demo with a newcomer has no tuning on all cases, and goes on after the test.
WITH_NEWCOMER = STAGES | {
    "test": "4 of 5: the test",
    "newcomer": "5 of 5: a newcomer uses the shared prompts",
    "donors": "5 of 5: the sites use the shared prompts",
}
FEDERATIONS = ("demo", "federate", "federate-flare")
# Work that goes on where it was broken off is paused and resumed; any other is stopped and started again.
RESUMED = (*FEDERATIONS, "adapt", "assets", "score", "tune")
WATCHED = tuple(kind for kind in LONG if kind not in ("compare-pairs", "export"))


def active_jobs(jobs: Sequence[JobRow]) -> tuple[JobRow, ...]:
    """Return the long jobs that run or wait, the running one first, then in the order they will run."""
    waiting = [job for job in reversed(jobs) if job.kind in WATCHED and job.state in ("queued", "running")]
    return tuple(sorted(waiting, key=lambda job: job.state != "running"))


def newest(jobs: Sequence[JobRow]) -> JobRow | None:
    """Return the long job that was asked for last."""
    return next((job for job in jobs if job.kind in WATCHED), None)


def controlled(kind: str) -> bool:
    """Return whether this machine's app has controls of such a job: a site's has none of a federation."""
    return role() != "site" or kind not in FEDERATIONS


def draw_jobs(jobs: Sequence[JobRow], again: Callable[[], None]) -> None:
    """Draw the job that runs and those that wait; if there is none, what became of the last one.

    Args:
        jobs: newest first.
        again: called when the visitor wants a failed or stopped job to be tried again.
    """
    active = active_jobs(jobs)
    if active:
        draw_running(active[0])
        if len(active) > 1:
            named("overview_next").caption(
                "Next: " + ", then ".join(LONG[job.kind].lower() for job in active[1:]) + "."
            )
        return
    last = newest(jobs)
    if last is None or last.state == "done":
        return
    why, (label, icon) = why_not_job(last.kind), draw_ended(last, "overview")
    if not controlled(last.kind):
        return
    st.button(
        label,
        key="overview_again",
        icon=f":material/{icon}:",
        type="primary",
        disabled=why is not None,
        help=why,
        on_click=again,
    )


def draw_ended(job: JobRow, page: str) -> tuple[str, str]:
    """Draw what became of a job that failed or was broken off; return what takes it up again is called, and its icon.

    ``page`` begins the names of the messages. Every page that shows the job uses the same words for the same state.
    """
    what = LONG.get(job.kind, job.kind)
    if job.state == "failed":
        reason = sentence(job.error or "see the logs folder under the home folder")
        named(f"{page}_failed").error(plain(reason), title=f"{what}: failed", icon=":material/error:")
        return "Try again", "refresh"
    message = plain(str((job.progress or {}).get("message") or "It had not started yet."))
    if job.kind in RESUMED:
        told = f"Last step: {message}. The results so far are kept."
        named(f"{page}_stopped").info(told, title=f"{what}: paused", icon=":material/pause_circle:")
        return "Resume", "play_arrow"
    named(f"{page}_stopped").info(f"Last step: {message}.", title=f"{what}: stopped", icon=":material/stop_circle:")
    return "Start again", "refresh"


def draw_running(
    job: JobRow,
    *,
    page: str = "overview",
    end: Callable[[str], None] | None = None,
) -> None:
    """Draw one job that runs or waits: what it does, how far it is, and a button that breaks it off.

    Args:
        page: begins the keys of what is drawn.
        end: called with the job's id where it is to end for good; without it there is no button for that.
    """
    told, why, pauses = job.progress or {}, why_not_job(job.kind), job.kind in RESUMED
    with st.container(border=True, key=f"{page}_job"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            state = "waiting" if job.state == "queued" else "running"
            badge = ":gray-badge[waiting]" if state == "waiting" else ":green-badge[:material/sync: running]"
            st.markdown(f"**{LONG[job.kind]}** {badge}", width="content")
            if controlled(job.kind):
                with st.container(horizontal=True, width="content"):
                    st.button(
                        "Pause" if pauses else "Stop",
                        key=f"{page}_stop",
                        type="tertiary",
                        icon=":material/pause_circle:" if pauses else ":material/stop_circle:",
                        disabled=why is not None,
                        help=why,
                        on_click=_stop,
                        args=(job.id,),
                    )
                    if end is not None:
                        st.button(
                            "Stop",
                            key=f"{page}_end",
                            type="tertiary",
                            icon=":material/stop_circle:",
                            disabled=why is not None,
                            help=why or "Stops the job for good. Its results so far stay in the bank.",
                            on_click=end,
                            args=(job.id,),
                        )
        total = float(told.get("total") or 0.0)
        share = min(1.0, max(0.0, float(told.get("done") or 0.0) / total)) if total > 0 else 0.0
        left = told.get("seconds_left")
        first = "starting" if job.state == "running" else "waiting for the job process"
        message = plain(str(told.get("message") or first))
        named(f"{page}_progress_{job.id}").progress(share, text=capital(message))
        stages = STAGES if job.arguments.get("task") == "sentiment" else WITH_NEWCOMER
        stage = stages.get(str(told.get("stage"))) if job.kind == "demo" else None
        parts = [f"Step {stage}" if stage[0].isdigit() else stage.capitalize()] if stage else []
        if isinstance(left, int | float):
            parts.append(seconds(float(left)))
        if told.get("resumed"):
            parts.append("resumed")
        if parts:
            named(f"{page}_stage_{job.id}").caption(" · ".join(parts))


@guarded
def _stop(job: str) -> None:
    cancel(workspace(), job)
