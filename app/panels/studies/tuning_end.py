"""What a tuning came to, and how long it took beside how long it was said to take."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.display.plain import between, percent
from app.panels.runs.work import duration
from fedprompt.workspace.jobs.tuning_job import TuningView

__all__ = ["draw_end", "draw_estimate"]

SMALL, NEAR = 3.0, 5.0  # seconds, and per cent, that nobody need be told of


def draw_estimate(found: Mapping[str, Any]) -> None:
    """Say how long the tuning will take, and what that is made of."""
    st.info(
        f"Tuning will take about **{duration(found['seconds'])}** here: {found['steps']} steps of "
        f"{duration(found['step'])}, {found['parts']} looks at validation cases of {duration(found['look'])}, and "
        f"{duration(found['load'] + found['prepare'])} to get ready. Measured over {found['timed']} steps on this "
        "machine just now; other work on it makes it longer.",
        icon=":material/timer:",
    )


def draw_end(view: TuningView) -> None:
    """Draw the result of a tuning that is done."""
    if view.job is None or view.job.state != "done" or not view.job.result:
        return
    result = view.job.result
    with st.grid(4, min_column_width=150) as grid:
        for label, key, about in (
            ("On validation cases", "validation", "The cases that the step to keep was chosen by."),
            ("On test cases", "test", "Looked at once, after the choice was made."),
        ):
            entry = result.get(key) or {}
            with grid.container(gap="xsmall"):
                value = entry.get("value")
                st.metric(label, percent(value), help=about)
                if value is not None:
                    st.caption(f"{between(entry['low'], entry['high'])} · {entry['n']} cases")
        with grid.container(gap="xsmall"):
            st.metric("Time it took", duration(result["seconds"]), help="Of the last go, where it was paused between.")
            st.caption(_against(view, float(result["seconds"])))
        with grid.container(gap="xsmall"):
            st.metric("Kept", f"step {result['kept_after']}", help="The step that did best on validation cases.")
            st.caption(f"of {result['steps']} steps")


def _against(view: TuningView, took: float) -> str:
    if view.estimate is None:
        return "not timed beforehand"
    said = float(view.estimate["seconds"])
    apart = 100 * (took - said) / said if said else 0.0
    if abs(took - said) < SMALL or abs(apart) < NEAR:
        return f"{duration(said)} was said beforehand"
    if apart > 100:
        return f"{duration(said)} was said; {took / said:.1f} times as long"
    return f"{duration(said)} was said; {abs(apart):.0f} % {'longer' if apart > 0 else 'shorter'}"
