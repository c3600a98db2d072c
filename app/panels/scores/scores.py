"""Prompts at each site: a dot for the score and a bar for its 95 % interval."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd
import streamlit as st

from app.display.palette import PER_CENT, finished, palette, shapes
from app.display.plain import plain
from fedprompt.workspace.results.views import SiteScore

__all__ = ["draw_scores"]


def draw_scores(
    titles: Mapping[str, str], sites: Sequence[str], scores: Mapping[str, Mapping[str, SiteScore | None]]
) -> None:
    """Draw every prompt at every site; what was not measured is said, not drawn as zero.

    Args:
        titles: prompt id -> what it is called, in the order to draw.
        sites: in the order to draw.
        scores: prompt id -> site -> score.
    """
    colours = palette()
    rows, missing = [], []
    for prompt, title in titles.items():
        for site in sites:
            score = scores.get(prompt, {}).get(site)
            if score is None:
                missing.append(f"{title} at {site}")
                continue
            rows.append(
                {
                    "prompt": title,
                    "site": site,
                    "accuracy": score.value,
                    "low": score.interval.low,
                    "high": score.interval.high,
                    "cases": score.n,
                }
            )
    if not rows:
        st.caption("None of these prompts has been scored at any site yet.")
        return
    data = pd.DataFrame(rows)
    names = list(titles.values())
    low, high = max(0.0, data["low"].min() - 0.02), min(1.0, data["high"].max() + 0.02)
    y = alt.Y("site:N", title=None, sort=list(sites), axis=alt.Axis(grid=False, labelFontSize=13))
    offset = alt.YOffset("prompt:N", sort=names, scale=alt.Scale(paddingOuter=0.35))
    legend = alt.Legend(orient="top", columns=2, labelLimit=240, symbolOpacity=1)
    colour = alt.Color("prompt:N", title=None, sort=names, scale=colours.scale(names), legend=legend)
    scale = alt.Scale(domain=[low, high], zero=False)
    tips = [
        alt.Tooltip("prompt:N"),
        alt.Tooltip("site:N"),
        alt.Tooltip("accuracy:Q", format=".1%"),
        alt.Tooltip("low:Q", format=".1%"),
        alt.Tooltip("high:Q", format=".1%"),
        alt.Tooltip("cases:Q"),
    ]
    base = alt.Chart(data).encode(y=y, yOffset=offset, color=colour, tooltip=tips)
    bars = base.mark_rule(strokeWidth=3.5, opacity=0.4, strokeCap="round").encode(
        x=alt.X("low:Q", scale=scale, title="accuracy on validation cases, with 95 % intervals"), x2="high:Q"
    )
    dots = base.mark_point(size=110, filled=True, opacity=1).encode(
        shape=alt.Shape("prompt:N", title=None, sort=names, scale=shapes(names), legend=legend),
        x=alt.X("accuracy:Q", scale=scale, axis=alt.Axis(labelExpr=PER_CENT, tickCount=6), title=None),
    )
    height = max(160, len(sites) * (18 * len(titles) + 22))
    st.altair_chart(
        finished(alt.layer(bars, dots).properties(height=height)),
        alt="Accuracy of the chosen prompts by site",
    )
    if missing:
        st.caption("Not measured: " + plain(", ".join(missing[:8])) + (" and more." if len(missing) > 8 else "."))
