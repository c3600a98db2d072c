"""Two prompts' difference at each site as a forest plot, with their mean and what a further site may expect."""

from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.palette import finished, palette
from app.display.plain import plain, points
from fedprompt.workspace.results.views import PairView

__all__ = ["draw_forest"]

MEAN, FURTHER = "these sites together", "a new site like these"


def draw_forest(pair: PairView, first: str, second: str) -> None:
    """Draw the difference first minus second in points; what no site compared is said."""
    if pair.found is None or not pair.by_site or pair.points is None or pair.interval is None:
        st.caption("No site compared these two prompts case by case, so there is no difference to plot.")
        return
    colours = palette()
    rows: list[dict[str, Any]] = [
        {"site": site, "points": value, "low": interval.low, "high": interval.high, "of": "site"}
        for site, (value, interval) in pair.by_site.items()
    ]
    rows.append(
        {"site": MEAN, "points": pair.points, "low": pair.interval.low, "high": pair.interval.high, "of": "pooled"}
    )
    effects = pair.found.effects
    if effects is not None:
        low, high = 100 * effects.low, 100 * effects.high
        rows.append({"site": FURTHER, "points": 100 * effects.value, "low": low, "high": high, "of": "pooled"})
    data = pd.DataFrame(rows)
    reach = min(100.0, 1.08 * max(1.0, *(abs(float(row[end])) for row in rows for end in ("low", "high"))))
    scale = alt.Scale(domain=[-reach, reach])
    order = [row["site"] for row in rows]
    y = alt.Y("site:N", title=None, sort=order, axis=alt.Axis(grid=False, labelFontSize=13, labelLimit=220))
    colour = alt.Color(
        "of:N", legend=None, scale=alt.Scale(domain=["site", "pooled"], range=[colours.muted, colours.together])
    )
    tips = [alt.Tooltip("site:N"), *(alt.Tooltip(f"{name}:Q", format="+.1f") for name in ("points", "low", "high"))]
    zero = alt.Chart(pd.DataFrame([{"points": 0.0}])).mark_rule(color=colours.ink, strokeWidth=1).encode(x="points:Q")
    base = alt.Chart(data).encode(y=y, color=colour, tooltip=tips)
    bars = base.mark_rule(strokeWidth=4, opacity=0.45, strokeCap="round", clip=True).encode(
        x=alt.X(
            "low:Q",
            scale=scale,
            title="points, with 95 % intervals",
            axis=alt.Axis(labelExpr="(datum.value > 0 ? '+' : '') + datum.label", tickCount=6),
        ),
        x2="high:Q",
    )
    dots = base.mark_point(filled=True, size=140, opacity=1).encode(
        x=alt.X("points:Q", scale=scale),
        shape=alt.Shape("of:N", legend=None, scale=alt.Scale(domain=["site", "pooled"], range=["circle", "diamond"])),
    )
    told = ", ".join(f"{row['site']} {points(row['points'])}" for row in rows)
    st.altair_chart(
        finished(alt.layer(zero, bars, dots).properties(height=40 * len(rows) + 40)),
        alt=f"Difference in points at each site: {told}",
    )
    said = f"Right of zero, “{plain(first)}” is better; left of zero, “{plain(second)}” is better."
    if pair.found.i2 is not None and effects is not None:
        said += (
            f" I² is {100 * pair.found.i2:.0f} %: the share of the spread between sites that is more than "
            f"chance. At a new site like these, the expected difference is {points(100 * effects.value)} "
            "points."
        )
    named("forest_said").caption(said)
