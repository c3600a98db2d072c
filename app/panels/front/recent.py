"""What changed in the last seven days, in a line for each kind of thing."""

import streamlit as st

from app.display.plain import plain
from fedprompt.workspace.shelf.recent import Recent

__all__ = ["draw_recent", "recent_lines"]

RUNS = {"demo": "the demo", "federate": "a federation", "score": "a scoring", "tune": "a tuning"}
EVENTS = {
    "tag": ("tag was given", "tags were given"),
    "untag": ("tag was taken back", "tags were taken back"),
    "ask": ("tag was asked for", "tags were asked for"),
    "decline": ("tag was declined", "tags were declined"),
    "approve": ("prompt was approved", "approvals were given"),
    "retire": ("prompt was retired", "prompts were retired"),
    "revive": ("prompt was brought back", "prompts were brought back"),
}
SHOWN = 5


def draw_recent(found: Recent) -> None:
    """Draw the lines, or say that nothing changed."""
    st.header("What changed in the last 7 days")
    lines = recent_lines(found)
    if not lines:
        st.caption("Nothing.")
    for line in lines:
        st.markdown(f"- {plain(line)}")


def recent_lines(found: Recent) -> list[str]:
    """Return what changed, a line each."""
    lines = []
    templates, tuned = found.prompts.get("template", 0), found.prompts.get("soft", 0)
    if templates or tuned:
        lines.append(f"{_many(templates, 'template')} and {_many(tuned, 'tuned prompt')} came into the bank")
    if found.studies:
        more = len(found.studies) - SHOWN
        named = ", ".join(found.studies[:SHOWN]) + (f" and {more} more" if more > 0 else "")
        lines.append(f"{_many(len(found.studies), 'study', 'studies')} began: {named}")
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
