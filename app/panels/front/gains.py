"""What joining gained each site: a forest plot in percentage points, and the one sentence of each site."""

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.palette import finished, palette
from app.display.plain import plain, points, sentence
from fedprompt.workspace.results.views import GainView

__all__ = ["draw_gains"]

SAME = "keeps its own prompt"


def draw_gains(gains: Sequence[GainView]) -> None:
    """Draw each site's gain with its 95 % interval; an interval that includes zero is drawn grey."""
    colours = palette()
    rows = [
        {
            "site": gain.site,
            "points": gain.points,
            "low": gain.interval.low,
            "high": gain.interval.high,
            "said": _said(gain),
        }
        for gain in gains
        if not _same(gain)
    ]
    columns = ["site", "points", "low", "high", "said"]
    data = pd.DataFrame(rows, columns=columns)
    same = pd.DataFrame([{"site": gain.site, "points": 0.0, "told": SAME} for gain in gains if _same(gain)])
    reach = 1.08 * max(1.0, *(abs(end) for gain in gains for end in (gain.interval.low, gain.interval.high)))
    colour = alt.Color(
        "said:N",
        title=None,
        scale=alt.Scale(
            domain=["gained", "not significant", "lost"],
            range=[colours.better, colours.muted, colours.worse],
        ),
        legend=None,
    )
    y = alt.Y("site:N", title=None, sort=[gain.site for gain in gains], axis=alt.Axis(grid=False, labelFontSize=13))
    x = alt.X(
        "points:Q",
        title="gain from joining in percentage points, with 95 % intervals",
        scale=alt.Scale(domain=[-reach, reach]),
        axis=alt.Axis(labelExpr="(datum.value > 0 ? '+' : '') + datum.label", tickCount=6),
    )
    tips = [
        alt.Tooltip("site:N"),
        alt.Tooltip("points:Q", format="+.1f"),
        alt.Tooltip("low:Q", format="+.1f"),
        alt.Tooltip("high:Q", format="+.1f"),
    ]
    zero = alt.Chart(pd.DataFrame([{"points": 0.0}])).mark_rule(color=colours.ink, strokeWidth=1).encode(x="points:Q")
    bars = (
        alt.Chart(data)
        .mark_rule(strokeWidth=4, opacity=0.45, strokeCap="round")
        .encode(
            y=y,
            x=alt.X("low:Q", scale=alt.Scale(domain=[-reach, reach])),
            x2="high:Q",
            color=colour,
            tooltip=tips,
        )
    )
    dots = alt.Chart(data).mark_circle(size=150, opacity=1).encode(y=y, x=x, color=colour, tooltip=tips)
    layers: list[alt.Chart] = [zero, bars, dots]
    if not same.empty:  # a dot without an interval would look as if it were exactly known
        told = alt.Chart(same).mark_text(align="left", dx=8, fontSize=12, color=colours.muted)
        layers.append(told.encode(y=y, x=x, text="told:N"))
    st.altair_chart(
        finished(alt.layer(*layers).properties(height=44 * len(gains) + 30)),
        alt="Gain from joining at each site, in points: " + ", ".join(f"{g.site} {points(g.points)}" for g in gains),
    )
    icons = {
        "gained": ":green[:material/trending_up:]",
        "lost": ":red[:material/trending_down:]",
        "not significant": ":gray[:material/drag_handle:]",
    }
    with st.container(gap="xsmall"):
        for number, gain in enumerate(gains):
            named(f"gain_{number}").markdown(f"{icons[_said(gain)]} {plain(sentence(gain.sentence))}")


def _same(gain: GainView) -> bool:
    """Return whether a site is left with the prompt that it had alone, so that there is no difference to estimate."""
    return gain.points == gain.interval.low == gain.interval.high == 0


def _said(gain: GainView) -> str:
    """Return a direction only where the interval excludes zero."""
    if gain.interval.low > 0:
        return "gained"
    return "lost" if gain.interval.high < 0 else "not significant"
