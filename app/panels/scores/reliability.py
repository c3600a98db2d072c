"""Calibration: how often a prompt is right where it says it is so sure, and the error over all answers."""

from collections.abc import Mapping

import altair as alt
import pandas as pd
import streamlit as st

from app.display.palette import PER_CENT, dashes, finished, palette, shapes
from fedprompt.evaluation.statistics.classification import calibration_error
from fedprompt.workspace.results.views import CompareView

__all__ = ["draw_reliability"]

FEW = 5


def draw_reliability(view: CompareView, names: Mapping[str, str]) -> None:
    """Draw ten bins over all sites for the prompts whose sites sent them."""
    colours = palette()
    order = [names[prompt.id] for prompt in view.prompts if prompt.id in view.calibration]
    if not order:
        st.caption(
            "The sites sent no calibration data for these prompts. Only prompts with label probabilities have it."
        )
        return
    rows, errors = [], {}
    for id, bins in view.calibration.items():
        errors[names[id]] = calibration_error(bins)
        rows += [
            {"prompt": names[id], "sure": bin.confidence / bin.n, "right": bin.right / bin.n, "answers": bin.n}
            for bin in bins
            if bin.n >= FEW
        ]
    tips = [
        alt.Tooltip("prompt:N"),
        alt.Tooltip("sure:Q", format=".1%"),
        alt.Tooltip("right:Q", format=".1%"),
        alt.Tooltip("answers:Q"),
    ]
    scale = alt.Scale(domain=[0, 1])
    ideal = (
        alt.Chart(pd.DataFrame([{"sure": 0.0, "right": 0.0}, {"sure": 1.0, "right": 1.0}]))
        .mark_line(color=colours.muted, strokeDash=[5, 4], strokeWidth=1.2)
        .encode(x=alt.X("sure:Q", scale=scale), y=alt.Y("right:Q", scale=scale))
    )
    axis = alt.Axis(labelExpr=PER_CENT, tickCount=6)
    legend = alt.Legend(orient="top", columns=2, labelLimit=260, symbolStrokeWidth=2, symbolSize=90)
    base = alt.Chart(pd.DataFrame(rows, columns=["prompt", "sure", "right", "answers"])).encode(
        x=alt.X("sure:Q", scale=scale, axis=axis, title="predicted probability"),
        y=alt.Y("right:Q", scale=scale, axis=axis, title="accuracy"),
        color=alt.Color("prompt:N", title=None, sort=order, scale=colours.scale(order), legend=legend),
        tooltip=tips,
    )
    lines = base.mark_line(strokeWidth=2).encode(
        strokeDash=alt.StrokeDash("prompt:N", title=None, sort=order, scale=dashes(order), legend=legend)
    )
    dots = base.mark_point(size=70, filled=True, opacity=1).encode(
        shape=alt.Shape("prompt:N", title=None, sort=order, scale=shapes(order), legend=legend)
    )
    st.altair_chart(finished(alt.layer(ideal, lines, dots).properties(height=360)), alt="Calibration of each prompt")
    frame = pd.DataFrame([{"prompt": name, "error": value} for name, value in errors.items()])
    frame["error"] = 100 * frame["error"].astype(float)
    st.dataframe(
        frame,
        hide_index=True,
        column_config={
            "prompt": st.column_config.TextColumn("Prompt"),
            "error": st.column_config.NumberColumn(
                "Calibration error",
                format="%.1f points",
                help="Expected calibration error: the mean gap between predicted probability and accuracy, over ten "
                "bins of all sites. Lower is better.",
            ),
        },
        alt="Calibration error of each prompt",
    )
    st.caption(
        "Above the dashed line a prompt is underconfident; below it, overconfident. Bins with fewer than "
        f"{FEW} answers are left out."
    )
