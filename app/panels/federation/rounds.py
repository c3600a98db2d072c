"""The chart by round: each site's accuracy on validation cases, their mean, the best template as a rule."""

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.palette import PER_CENT, dashes, finished, palette, shapes
from app.display.plain import percent
from fedprompt.bank.rows import RoundRow

__all__ = ["draw_rounds"]

MEAN = "mean of all sites"


def draw_rounds(rounds: Sequence[RoundRow], manual: float | None, sites: Sequence[str]) -> None:
    """Draw the rounds so far; ``manual`` is the mean of the best template without tuning."""
    if not rounds:
        st.caption("No round has finished yet.")
        return
    colours = palette()
    order = list(sites) or sorted({site for row in rounds for site in row.body.get("by_site", {})})
    rows = [
        {"round": row.number, "who": site, "accuracy": value}
        for row in rounds
        for site, value in row.body.get("by_site", {}).items()
    ]
    means = [{"round": row.number, "who": MEAN, "accuracy": row.body["mean"]} for row in rounds if "mean" in row.body]
    values = [row["accuracy"] for row in rows + means] + ([manual] if manual is not None else [])
    low, high = max(0.0, min(values) - 0.03), min(1.0, max(values) + 0.03)
    x = alt.X("round:O", title="round", axis=alt.Axis(labelAngle=0, grid=False))
    y = alt.Y(
        "accuracy:Q",
        title="accuracy on validation cases",
        scale=alt.Scale(domain=[low, high]),
        axis=alt.Axis(labelExpr=PER_CENT, tickCount=5),
    )
    legend = alt.Legend(orient="top", columns=3, symbolStrokeWidth=2, symbolSize=90)
    lines = [*order, MEAN]
    tones = alt.Scale(domain=lines, range=[*colours.scale(order).range, colours.together])
    marks = alt.Scale(domain=lines, range=[*shapes(order).range, "circle"])
    who = alt.Color("who:N", title=None, scale=tones, legend=legend)
    shape = alt.Shape("who:N", title=None, scale=marks, legend=legend)
    tips = [
        alt.Tooltip("who:N", title=" "),
        alt.Tooltip("round:O", title="round"),
        alt.Tooltip("accuracy:Q", title="accuracy", format=".1%"),
    ]
    each = alt.Chart(pd.DataFrame(rows)).encode(x=x, y=y, color=who, tooltip=tips)
    mean = alt.Chart(pd.DataFrame(means)).encode(x=x, y=y, color=who, tooltip=tips)
    layers: list[alt.Chart] = [
        each.mark_line(strokeWidth=1.6).encode(strokeDash=alt.StrokeDash("who:N", scale=dashes(order), legend=None)),
        each.mark_point(size=60, filled=True, opacity=1).encode(shape=shape),
        mean.mark_line(strokeWidth=3.5),
        mean.mark_point(size=80, filled=True, opacity=1).encode(shape=shape),
    ]
    if manual is not None:
        rule = alt.Chart(pd.DataFrame([{"accuracy": manual}])).encode(y=y)
        layers.append(rule.mark_rule(strokeDash=[5, 4], strokeWidth=1.5, color=colours.ink))
    last = f", {means[-1]['accuracy']:.1%} after round {means[-1]['round']}" if means else ""
    st.altair_chart(
        finished(alt.layer(*layers).properties(height=300)),
        alt=f"Accuracy of the shared prompt by round{last}",
    )
    if manual is not None:
        # Beside the chart, since within it there is always a round that it would cover.
        named("rounds_level").caption(
            f"The dashed line is the best template without tuning: {percent(manual)} on the same validation cases."
        )
