"""The first ranking of a study's prompts on one site's own cases: bars with intervals, the sentence first."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.palette import PER_CENT, finished, palette
from app.display.plain import between, percent, plain

__all__ = ["draw_first_ranking"]


def draw_first_ranking(result: Mapping[str, Any]) -> None:
    """Draw what a ``score`` job found, best first."""
    found: Sequence[Mapping[str, Any]] = sorted(
        (one for one in result["results"] if one["value"] is not None), key=lambda one: -float(one["value"])
    )
    if not found:
        named("first_ranking_none").info(
            "No prompt could be scored; the log of the long job process says why.", icon=":material/info:"
        )
        return
    best = found[0]
    named("first_ranking").success(_sentence(found), icon=":material/emoji_events:")
    colours = palette()
    data = pd.DataFrame(
        [
            {
                "prompt": one["name"],
                "value": one["value"],
                "low": one["low"],
                "high": one["high"],
                "said": percent(float(one["value"])),
                "best": one is best or float(one["high"]) >= float(best["low"]),
            }
            for one in found
        ]
    )
    y = alt.Y("prompt:N", title=None, sort=[one["name"] for one in found], axis=alt.Axis(grid=False, labelFontSize=13))
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("value:Q", title=None, scale=scale, axis=alt.Axis(labelExpr=PER_CENT, tickCount=6))
    colour = alt.condition("datum.best", alt.value(colours.together), alt.value(colours.muted))
    tips = ["prompt:N", alt.Tooltip("value:Q", format=".1%"), alt.Tooltip("low:Q", format=".1%")]
    tips.append(alt.Tooltip("high:Q", format=".1%"))
    base = alt.Chart(data)
    bars = base.mark_bar(height=20, opacity=0.35).encode(y=y, x=x, color=colour, tooltip=tips)
    rules = base.mark_rule(strokeWidth=2.5).encode(y=y, x=alt.X("low:Q", scale=scale), x2="high:Q", color=colour)
    dots = base.mark_circle(size=90, opacity=1).encode(y=y, x=x, color=colour, tooltip=tips)
    text = base.mark_text(align="left", dx=8, fontSize=13, color=colours.ink).encode(
        y=y, x=alt.X("high:Q", scale=scale), text="said:N"
    )
    st.altair_chart(
        finished(alt.layer(bars, rules, dots, text).properties(height=44 * len(found) + 40)),
        alt="First ranking: " + ", ".join(f"{one['name']} {percent(float(one['value']))}" for one in found),
    )
    named("first_ranking_cases").caption(
        f"{_metric(str(best['metric']))} on {best['n']:,} validation cases of this machine, with 95 % intervals; "
        f"{result['tokens']:,} tokens in {result['seconds']:.1f} s. The test cases were not touched."
    )
    failed = {str(one["name"]): int(one["unscored"]) for one in result["results"] if one.get("unscored")}
    if failed:
        st.caption("Cases not scored: " + plain(", ".join(f"{name} {count}" for name, count in failed.items())))


def _sentence(found: Sequence[Mapping[str, Any]]) -> str:
    best = found[0]
    interval = between(float(best["low"]), float(best["high"]))
    level = [plain(str(one["name"])) for one in found if one["value"] == best["value"]]
    reached = f"{percent(float(best['value']))} ({interval})"
    if len(level) > 1:
        names = ", ".join(f"**{name}**" for name in level[:-1])
        return f"{names} and **{level[-1]}** are level at {reached}. More cases may tell them apart."
    said = f"**{level[0]}** is ahead with {reached}"
    close = [one for one in found[1:] if float(one["high"]) >= float(best["low"])]
    if len(found) == 1:
        return said + "."
    if close:
        names = "the others" if len(close) == len(found) - 1 else plain(", ".join(str(one["name"]) for one in close))
        return said + f". So few cases do not yet tell it apart from {names}."
    return said + ", clearly before the others."


def _metric(name: str) -> str:
    return {"accuracy": "Share of right answers"}.get(name, name.capitalize())
