"""Tuning as it goes: the loss by step, and accuracy on validation cases after each part."""

import altair as alt
import pandas as pd
import streamlit as st

from app.display.palette import PER_CENT, finished, palette
from app.display.plain import percent
from fedprompt.workspace.jobs.tuning_job import TuningView

__all__ = ["draw_curves"]

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
