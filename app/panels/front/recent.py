"""What happens now beside the jobs of the app, and what changed in the last seven days."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from app.display.address import go
from app.display.named import named
from app.display.plain import plain
from app.panels.federation.round_controls import said_step
from fedprompt.workspace.front.working import Working
from fedprompt.workspace.shelf.history import Recent

__all__ = ["draw_recent", "draw_working", "recent_lines", "said_working"]

RUNS = {"demo": "the demo", "federate": "a federation", "score": "a scoring", "tune": "a tuning"}
EVENTS = {
    "tag": ("tag was added", "tags were added"),
    "untag": ("tag was removed", "tags were removed"),
    "ask": ("tag was requested", "tags were requested"),
    "decline": ("tag request was declined", "tag requests were declined"),
    "approve": ("prompt was approved", "prompts were approved"),
    "retire": ("prompt was retired", "prompts were retired"),
    "revive": ("prompt was restored", "prompts were restored"),
}
SHOWN = 5


def draw_recent(found: Recent) -> None:
    """Draw the lines, or say that nothing changed."""
    st.header("Changes in the last 7 days")
    lines = recent_lines(found)
    if not lines:
        st.caption("No changes.")
    with named("overview_recent"):
        for line in lines:
            st.markdown(f"- {plain(line)}")


def recent_lines(found: Recent) -> list[str]:
    """Return what changed, a line each."""
    lines = []
    templates, tuned = found.prompts.get("template", 0), found.prompts.get("soft", 0)
    if templates or tuned:
        lines.append(f"{_many(templates, 'template')} and {_many(tuned, 'tuned prompt')} were added to the bank")
    if found.studies:
        more = len(found.studies) - SHOWN
        some = ", ".join(found.studies[:SHOWN]) + (f" and {more} more" if more > 0 else "")
        lines.append(f"{_many(len(found.studies), 'study was', 'studies were')} added: {some}")
    for run in found.runs[:SHOWN]:
        at = run.finished or run.created
        did = "ended" if run.finished else "began"
        lines.append(f"{at:%d %b %H:%M} UTC: {RUNS.get(run.kind, run.kind)} {did}")
    if len(found.runs) > SHOWN:
        lines.append(f"and {len(found.runs) - SHOWN} more runs")
    for kind, count in sorted(found.counts.items()):
        one, many = EVENTS.get(kind, (kind, kind))
        lines.append(f"{count} {one if count == 1 else many}")
    return lines


def _many(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def draw_working(found: Sequence[Working], *, watch: bool) -> None:
    """Draw one card a federation; ``watch`` says whether Federation shows more of it on this machine."""
    for number, one in enumerate(found):
        with st.container(border=True, key=f"overview_working_{number}"):
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                name = plain(one.study)
                st.markdown(f"**Federation on “{name}”** :green-badge[:material/sync: running]", width="content")
                if watch and st.button("Watch", key=f"overview_watch_{number}", icon=":material/lan:", type="tertiary"):
                    go("federation")
            if one.count:
                named(f"overview_working_{number}_done").progress(
                    min(1.0, one.finished / one.count), text=plain(said_working(one))
                )
            else:
                st.caption(plain(said_working(one)))
            named(f"overview_working_{number}_since").caption(
                f"Started from the command line at {datetime.fromisoformat(one.since):%d %b %H:%M} UTC."
            )


def said_working(one: Working) -> str:
    """Return what it does now."""
    if one.step is not None:
        step = one.step
        return f"{said_step(step, one.count)}. {step.answered} of {step.taking_part} sites have answered"
    if one.finished == 0:
        return "The sites are scoring the study's prompts"
    return f"{one.finished} of {one.count} rounds are finished"
