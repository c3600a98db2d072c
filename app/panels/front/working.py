"""A federation at work that no job of the app runs: what it does now, and the way to the page that watches it."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from app.display.plain import plain
from app.display.travel import go
from app.panels.federation.round_controls import STEPS
from fedprompt.workspace.front.working import Working

__all__ = ["draw_working", "said_working"]


def draw_working(found: Sequence[Working], *, watch: bool) -> None:
    """Draw one card a federation; ``watch`` says whether Federation shows more of it on this machine."""
    for number, one in enumerate(found):
        with st.container(border=True, key=f"overview_working_{number}"):
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                name = plain(one.study)
                st.markdown(f"**A federation on “{name}”** :green-badge[:material/sync: running]", width="content")
                if watch and st.button(
                    "Watch it", key=f"overview_watch_{number}", icon=":material/lan:", type="tertiary"
                ):
                    go("federation")
            if one.count:
                st.progress(min(1.0, one.finished / one.count), text=plain(said_working(one)))
            else:
                st.caption(plain(said_working(one)))
            st.caption(f"Begun by a command at {datetime.fromisoformat(one.since):%d %b %H:%M} UTC.")


def said_working(one: Working) -> str:
    """Return what it does now."""
    if one.step is not None:
        step, of = one.step, f" of {one.count}" if one.step.round <= one.count else ""
        return f"Round {step.round}{of}: {STEPS[step.step]}, {step.answered} of {step.taking_part} have answered"
    if one.finished == 0:
        return "The sites score the study's prompts"
    return f"{one.finished} of {one.count} rounds are finished"
