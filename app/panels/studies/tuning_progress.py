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
            help="Cross-entropy of the correct answer, in nats. 0 means certain. Each dot is a step over a few cases, "
            "and the line is the running mean.",
        )
        _draw_loss(view)
    with grid.cell():
        st.markdown(
            "**Validation accuracy**", help="Accuracy after each part of the steps. Tuning never uses these cases."
        )
        _draw_validation(view)


def _draw_loss(view: TuningView) -> None:
    if not view.losses:
        st.caption("Preparing: loading the model and the cases.")
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
        st.caption("The first measurement follows the first part of the steps.")
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
        alt=f"Validation accuracy by step, best {percent(best)} after step {at}",
    )
    st.caption(f"Best so far: {percent(best)}, after step {at}. The prompt of this step is kept.")


SMALL, NEAR = 3.0, 5.0  # seconds, and per cent, that nobody need be told of


def draw_estimate(found: Mapping[str, Any]) -> None:
    """Say how long the tuning will take, and what that is made of."""
    named("tune_estimate").info(
        f"Tuning will take about **{duration(found['seconds'])}** on this machine: {found['steps']} steps of "
        f"{duration(found['step'])}, {found['parts']} validation runs of {duration(found['look'])}, and "
        f"{duration(found['load'] + found['prepare'])} to prepare. The estimate comes from {found['timed']} "
        "steps just now. Other work on this machine makes it longer.",
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
            ("Validation accuracy", "validation", "These cases selected the step to keep."),
            ("Test accuracy", "test", "Measured once, after the step was selected."),
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
            st.metric("Duration", duration(result["seconds"]), help="Time since the last resume.")
            named("tune_against").caption(_against(view, float(result["seconds"])))
        with grid.container(gap="xsmall"):
            st.metric("Kept", f"step {result['kept_after']}", help="The step with the highest validation accuracy.")
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
        return "no estimate"
    return f"estimated {duration(float(view.estimate['seconds']))}"
