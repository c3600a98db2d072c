"""The transfer matrix: prompts tuned at each site and the one tuned together, on every site's test cases."""

from collections.abc import Mapping, Sequence
from statistics import fmean

import altair as alt
import pandas as pd
import streamlit as st

from app.panels.palette import finished, palette, shaded
from app.panels.plain import percent

__all__ = ["draw_transfer", "transfer_sentence"]

TOGETHER = "tuned together"


def transfer_sentence(transfer: Mapping[str, Mapping[str, float]], federated: Mapping[str, float]) -> str:
    """Return what the matrix shows, in numbers and without a verdict."""
    home = [row[site] for site, row in transfer.items() if site in row]
    away = [value for site, row in transfer.items() for other, value in row.items() if other != site]
    if not home or not away or not federated:
        return ""
    return (
        f"A prompt tuned at one site reaches {percent(fmean(home))} at home and {percent(fmean(away))} "
        f"elsewhere on average ({percent(min(away))} at worst); the one tuned together reaches "
        f"{percent(fmean(federated.values()))} ({percent(min(federated.values()))} at worst)."
    )


def draw_transfer(
    transfer: Mapping[str, Mapping[str, float]], federated: Mapping[str, float], sites: Sequence[str]
) -> None:
    """Draw the matrix; values are accuracies in [0, 1]. A frame marks where a prompt is at home."""
    colours = palette()
    columns = [site for site in sites if any(site in row for row in (*transfer.values(), federated))]
    rows = {f"tuned at {site}": (site, transfer[site]) for site in sites if site in transfer}
    if federated:
        rows[TOGETHER] = ("", federated)
    cells = [
        {
            "prompt": name,
            "site": site,
            "accuracy": values[site],
            "label": f"{100 * values[site]:.1f} %",
            "home": home == site,
        }
        for name, (home, values) in rows.items()
        for site in columns
        if site in values
    ]
    if not cells:
        return
    data = shaded(pd.DataFrame(cells), "accuracy", 0.02)
    x = alt.X(
        "site:N",
        title=None,
        sort=columns,
        scale=alt.Scale(paddingInner=0.05),
        axis=alt.Axis(orient="top", labelAngle=0, labelFontSize=13),
    )
    y = alt.Y(
        "prompt:N",
        title=None,
        sort=list(rows),
        scale=alt.Scale(paddingInner=0.1),
        axis=alt.Axis(labelFontSize=13, labelLimit=220),
    )
    tips = [
        alt.Tooltip("prompt:N"),
        alt.Tooltip("site:N", title="tested at"),
        alt.Tooltip("accuracy:Q", format=".1%"),
    ]
    grid = alt.Chart(data).encode(x=x, y=y, tooltip=tips)
    boxes = grid.mark_rect(cornerRadius=5).encode(color=alt.Color("colour:N", scale=None, legend=None))
    frames = (
        alt.Chart(data[data["home"]])
        .mark_rect(cornerRadius=5, filled=False, stroke=colours.ink, strokeWidth=1.6)
        .encode(x=x, y=y, tooltip=tips)
    )
    text = grid.mark_text(fontSize=14).encode(text="label:N", color=alt.Color("ink:N", scale=None, legend=None))
    st.altair_chart(
        finished(alt.layer(boxes, frames, text).properties(height=46 * len(rows) + 30)),
        alt="Accuracy of prompts tuned at each site and together, at every site",
    )
