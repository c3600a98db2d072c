"""Tuning as it goes and as it ended: loss by step, accuracy on validation cases, and the time beside the forecast."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.palette import PER_CENT, finished, palette
from app.display.plain import between, percent, plain, points
from app.panels.runs.work import duration
from fedprompt.workspace.jobs.tuning_job import TuningView

__all__ = ["draw_curves", "draw_end", "draw_estimate"]

SMOOTH = 8


def draw_curves(view: TuningView) -> None:
    """Draw both curves over the steps that the tuning will take."""
    grid = st.grid(2, min_column_width=320, gap="large")
    with grid.cell():
        st.markdown(
            "**Loss**",
            help="How surprised the model is by the right answer, in nats: 0 is certain. Dots are steps, each over a "
            "few cases; the line is their running mean.",
        )
        _draw_loss(view)
    with grid.cell():
        st.markdown("**On validation cases**", help="Share of right answers after each part; tuning never sees these.")
        _draw_validation(view)


def _draw_loss(view: TuningView) -> None:
    if not view.losses:
        st.caption("The first step has not been taken yet: the model is loaded and the cases are prepared.")
        return
    colours = palette()
    data = pd.DataFrame(view.losses, columns=["step", "loss"])
    data["mean"] = data["loss"].rolling(SMOOTH, min_periods=1).mean()
    x = alt.X("step:Q", title="step", scale=alt.Scale(domain=[0, view.steps]), axis=alt.Axis(grid=False, format="d"))
    y = alt.Y("loss:Q", title=None, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5))
    tips = ["step:Q", alt.Tooltip("loss:Q", format=".3f")]
    dots = alt.Chart(data).mark_circle(size=22, opacity=0.5, color=colours.muted).encode(x=x, y=y, tooltip=tips)
    line = alt.Chart(data).mark_line(strokeWidth=2.5, color=colours.together).encode(x=x, y="mean:Q")
    last = data.iloc[-1]
    st.altair_chart(
        finished(alt.layer(dots, line).properties(height=230)),
        alt=f"Loss by step, {last['mean']:.3f} around step {int(last['step'])} of {view.steps}",
    )


def _draw_validation(view: TuningView) -> None:
    if not view.validation:
        st.caption("The first look comes after the first part of the steps.")
        return
    colours = palette()
    data = pd.DataFrame(view.validation, columns=["step", "value"])
    at, best = max(view.validation, key=lambda one: (one[1], -one[0]))
    x = alt.X("step:Q", title="step", scale=alt.Scale(domain=[0, view.steps]), axis=alt.Axis(grid=False, format="d"))
    low, high = max(0.0, data["value"].min() - 0.05), min(1.0, data["value"].max() + 0.05)
    y = alt.Y(
        "value:Q", title=None, scale=alt.Scale(domain=[low, high]), axis=alt.Axis(labelExpr=PER_CENT, tickCount=5)
    )
    tips = ["step:Q", alt.Tooltip("value:Q", format=".1%")]
    line = (
        alt.Chart(data)
        .mark_line(strokeWidth=2.5, color=colours.together, point=alt.OverlayMarkDef(size=60, color=colours.together))
        .encode(x=x, y=y, tooltip=tips)
    )
    ring = (
        alt.Chart(data[data["step"] == at])
        .mark_point(size=260, strokeWidth=2, color=colours.ink)
        .encode(x=x, y=y, tooltip=tips)
    )
    st.altair_chart(
        finished(alt.layer(line, ring).properties(height=230)),
        alt=f"Accuracy on validation by step, best {percent(best)} after step {at}",
    )
    st.caption(f"Best so far {percent(best)}, after step {at}; that one is kept.")


SMALL, NEAR = 3.0, 5.0  # seconds, and per cent, that nobody need be told of


def draw_estimate(found: Mapping[str, Any]) -> None:
    """Say how long the tuning will take, and what that is made of."""
    named("tune_estimate").info(
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
    template = result.get("template")
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
                if template:
                    st.caption(f"Best template: **{percent(template[key]['value'])}**")
        with grid.container(gap="xsmall"):
            st.metric("Time it took", duration(result["seconds"]), help="Of the last go, where it was paused between.")
            named("tune_against").caption(_against(view, float(result["seconds"])))
        with grid.container(gap="xsmall"):
            st.metric("Kept", f"step {result['kept_after']}", help="The step that did best on validation cases.")
            st.caption(f"of {result['steps']} steps")
    if template:
        st.markdown(f":green[:material/balance:] {_gained(template)}")


def _gained(template: Mapping[str, Any]) -> str:
    """Return what tuning gained over the best template on test cases; a direction only where chance is ruled out."""
    gain, name = template["gain"], plain(str(template["name"]))
    interval = f"{points(100 * gain['low'])} to {points(100 * gain['high'])}"
    change = f"{points(100 * gain['difference'])} points, 95 % interval {interval}"
    if not gain["distinguishable"]:
        return f"On test cases the tuned prompt is not significantly different from the template “{name}” ({change})."
    how = "better" if gain["difference"] > 0 else "worse"
    return f"On test cases the tuned prompt is significantly {how} than the template “{name}” ({change})."


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
