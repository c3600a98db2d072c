"""What a model answered to one text: label probabilities as bars."""

from collections.abc import Mapping

import altair as alt
import pandas as pd
import streamlit as st

from app.display.palette import PER_CENT, finished, palette

__all__ = ["draw_bars"]


def draw_bars(probabilities: Mapping[str, Mapping[str, float]]) -> None:
    """Draw label probabilities, given by prompt name, then by label. One prompt needs no legend."""
    colours = palette()
    rows = [
        {"who": who, "label": label, "probability": value, "said": f"{100 * value:.1f} %"}
        for who, shares in probabilities.items()
        for label, value in shares.items()
    ]
    if not rows:
        return
    names = list(probabilities)
    labels = list(dict.fromkeys(str(row["label"]) for row in rows))
    base = alt.Chart(pd.DataFrame(rows)).encode(
        y=alt.Y("label:N", sort=labels, title=None, axis=alt.Axis(grid=False, labelFontSize=13, labelLimit=240)),
        x=alt.X(
            "probability:Q",
            scale=alt.Scale(domain=[0, 1.12]),
            title=None,
            axis=alt.Axis(labelExpr=PER_CENT, values=[0, 0.25, 0.5, 0.75, 1], grid=False),
        ),
        tooltip=[
            alt.Tooltip("who:N", title="prompt"),
            alt.Tooltip("label:N"),
            alt.Tooltip("probability:Q", format=".1%"),
        ],
    )
    if len(names) > 1:
        base = base.encode(yOffset=alt.YOffset("who:N", sort=names, scale=alt.Scale(paddingOuter=0.2)))
        colour = alt.Color("who:N", sort=names, title=None, scale=colours.scale(names), legend=alt.Legend(orient="top"))
        bars = base.mark_bar(cornerRadiusEnd=4).encode(color=colour)
    else:
        bars = base.mark_bar(cornerRadiusEnd=4, color=colours.together)
    text = base.mark_text(align="left", dx=6, fontSize=13, color=colours.ink).encode(text="said:N")
    height = len(labels) * (22 * len(names) + 16) + (40 if len(names) > 1 else 20)
    st.altair_chart(finished(alt.layer(bars, text).properties(height=height)), alt="Probability of each label")
