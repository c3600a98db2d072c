"""What a model answered to one text: label probabilities as bars, and words coloured by how much each spoke for it."""

from collections.abc import Mapping, Sequence
from html import escape

import altair as alt
import pandas as pd
import streamlit as st

from app.display.palette import PER_CENT, finished, palette
from fedprompt.workspace.answers.contributions import Contribution

__all__ = ["contributed_html", "draw_bars", "draw_contributed"]

FOR, AGAINST = "58, 128, 200", "222, 143, 5"
LEAST = 0.06  # of the strongest word; less is not coloured
_BOX = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:2;font-size:.95rem"
_WORD = "border-radius:3px;padding:1px 2px;color:inherit"


def contributed_html(pieces: Sequence[Contribution]) -> str:
    """Return safe HTML of the pieces; the strongest word has the strongest colour."""
    most = max((abs(value) for _, value in pieces if value is not None), default=0.0)
    parts = []
    for text, value in pieces:
        share = 0.0 if value is None or not most else value / most
        if abs(share) < LEAST:
            parts.append(escape(text))
            continue
        colour, line = (FOR, "solid") if share > 0 else (AGAINST, "dotted")
        style = (
            f"{_WORD};background:rgba({colour}, {0.08 + 0.5 * abs(share):.2f});border-bottom:2px {line} rgb({colour})"
        )
        parts.append(f'<mark style="{style}" title="{value:+.2f}">{escape(text)}</mark>')
    return f'<div style="{_BOX}">{"".join(parts)}</div>'


def draw_contributed(pieces: Sequence[Contribution], *, label: bool) -> None:
    """Draw the words with their legend; ``label``: whether the answer was a label, not a text."""
    legend = (
        f'<span style="font-size:.85rem"><mark style="{_WORD};background:rgba({FOR}, .35);'
        f'border-bottom:2px solid rgb({FOR})">speaks for</mark> &nbsp;'
        f'<mark style="{_WORD};background:rgba({AGAINST}, .35);border-bottom:2px dotted rgb({AGAINST})">'
        "speaks against</mark></span>"
    )
    st.html(legend + contributed_html(pieces))
    st.caption(
        ("Influence of each word on this answer" if label else "Influence of each word on this text")
        + ": the colour shows how much the log-odds change without that word. Hover over a word to see the number."
    )


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
