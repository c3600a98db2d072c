"""The transfer matrix: prompts tuned at each site and the one tuned together, on every site's test cases."""

import json
from collections.abc import Mapping, Sequence
from statistics import fmean

import altair as alt
import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.palette import finished, shaded
from app.display.plain import percent

__all__ = ["draw_transfer", "transfer_sentence"]

TOGETHER = "tuned together"
HOME = "\N{HOUSE} "
TALL, APART = 0.9, 0.35  # of a row: a box, and what parts the last one from the others


def transfer_sentence(transfer: Mapping[str, Mapping[str, float]], federated: Mapping[str, float]) -> str:
    """Return what the matrix shows, in numbers and without a verdict."""
    home = [row[site] for site, row in transfer.items() if site in row]
    away = [value for site, row in transfer.items() for other, value in row.items() if other != site]
    if not home or not away or not federated:
        return ""
    return (
        f"A prompt tuned at one site reaches {percent(fmean(home))} at that site and {percent(fmean(away))} on "
        f"average at the others ({percent(min(away))} at the worst site). The federated prompt reaches "
        f"{percent(fmean(federated.values()))} ({percent(min(federated.values()))} at the worst site)."
    )


def draw_transfer(
    transfer: Mapping[str, Mapping[str, float]], federated: Mapping[str, float], sites: Sequence[str]
) -> None:
    """Draw the matrix; values are accuracies in [0, 1]. Numbers at home are marked, the prompt of all stands apart."""
    columns = [site for site in sites if any(site in row for row in (*transfer.values(), federated))]
    rows = {f"tuned at {site}": (site, transfer[site]) for site in sites if site in transfer}
    places = {name: float(place) for place, name in enumerate(rows)}
    if federated:
        rows[TOGETHER] = ("", federated)
        places[TOGETHER] = len(places) + (APART if places else 0.0)
    cells = [
        {
            "prompt": name,
            "site": site,
            "accuracy": values[site],
            "label": f"{HOME if home == site else ''}{100 * values[site]:.1f} %",
            "top": places[name],
            "middle": places[name] + TALL / 2,
            "end": places[name] + TALL,
        }
        for name, (home, values) in rows.items()
        for site in columns
        if site in values
    ]
    if not cells:
        return
    data = shaded(pd.DataFrame(cells), "accuracy", 0.02)
    total = max(places.values()) + TALL
    x = alt.X(
        "site:N",
        title=None,
        sort=columns,
        scale=alt.Scale(paddingInner=0.05),
        axis=alt.Axis(orient="top", labelAngle=0, labelFontSize=13),
    )
    scale = alt.Scale(domain=[0, total], nice=False, zero=False, reverse=True)
    rows_at = {f"{place + TALL / 2:.2f}": name for name, place in places.items()}
    axis = alt.Axis(
        values=[float(middle) for middle in rows_at],
        labelExpr=f"{json.dumps(rows_at)}[format(datum.value, '.2f')]",
        labelFontSize=13,
        labelLimit=220,
        grid=False,
    )
    tips = [
        alt.Tooltip("prompt:N"),
        alt.Tooltip("site:N", title="tested at"),
        alt.Tooltip("accuracy:Q", format=".1%"),
    ]
    grid = alt.Chart(data).encode(x=x, tooltip=tips)
    boxes = grid.mark_rect(cornerRadius=5).encode(
        y=alt.Y("top:Q", title=None, scale=scale, axis=axis),
        y2="end:Q",
        color=alt.Color("colour:N", scale=None, legend=None),
    )
    text = grid.mark_text(fontSize=14).encode(
        y=alt.Y("middle:Q", scale=scale),
        text="label:N",
        color=alt.Color("ink:N", scale=None, legend=None),
    )
    st.altair_chart(
        finished(alt.layer(boxes, text).properties(height=round(44 * total) + 30)),
        alt="Accuracy of each site's own prompt and of the federated prompt, at every site",
    )
    low, high = percent(data["accuracy"].min()), percent(data["accuracy"].max())
    named("transfer_scale").caption(
        f"{HOME}own site. Darker green means higher accuracy, from {low} to {high}. Measured once on the test "
        "cases, after all choices were made."
    )
