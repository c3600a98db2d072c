"""The first ranking of a study's prompts on one site's own cases: bars with intervals, the sentence first."""

from collections.abc import Mapping, Sequence
from math import isclose
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.palette import PER_CENT, finished, palette
from app.display.plain import between, percent, plain
from fedprompt.workspace.ranking.ranking_page import RankingPage

__all__ = ["agreed", "draw_first_ranking"]


TICKS = [0, 0.2, 0.4, 0.6, 0.8, 1]
ROOM = 1.08  # of the chart's width, so that what stands behind a bar near 100 % is not cut off


def draw_first_ranking(result: Mapping[str, Any], ranking: RankingPage) -> None:
    """Draw what a ``score`` job found, best first; ``ranking`` is what the Leaderboard shows of its study."""
    found = agreed(result, ranking)
    if not found:
        named("first_ranking_none").info(
            "No prompt could be scored. The log of the long job process gives the reason.", icon=":material/info:"
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
                "best": one["level"],
            }
            for one in found
        ]
    )
    y = alt.Y("prompt:N", title=None, sort=[one["name"] for one in found], axis=alt.Axis(grid=False, labelFontSize=13))
    scale = alt.Scale(domain=[0, ROOM], nice=False)
    x = alt.X("value:Q", title=None, scale=scale, axis=alt.Axis(labelExpr=PER_CENT, values=TICKS))
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
        f"{_metric(str(best['metric']))} on {best['n']:,} validation cases of this machine, with 95 % "
        f"intervals. It took {result['tokens']:,} tokens and {result['seconds']:.1f} s. The test cases were "
        "not used."
    )
    failed = {str(one["name"]): int(one["unscored"]) for one in result["results"] if one.get("unscored")}
    if failed:
        st.caption("Cases not scored: " + plain(", ".join(f"{name} {count}" for name, count in failed.items())))


def agreed(result: Mapping[str, Any], ranking: RankingPage) -> list[dict[str, Any]]:
    """Return what was scored, best first, with the Leaderboard's intervals and whether it is ``level`` with the best.

    It is level where the paired interval holds zero. A result that the Leaderboard has not, or has a newer score of,
    keeps its own interval; without a paired one, intervals that overlap are level.
    """
    scored = (one for one in result["results"] if one["value"] is not None)
    found = sorted(({**one} for one in scored), key=lambda one: -float(one["value"]))
    rows = {row.id: row for row in ranking.rows}
    pairs = {pair["prompt"]: pair for pair in result.get("against_best") or ()}
    for one in found:
        row = rows.get(one["prompt"])
        if row is not None and row.mean is not None and row.interval is not None and isclose(row.mean, one["value"]):
            one |= {"low": row.interval.low, "high": row.interval.high}
    for one in found:
        pair = pairs.get(one["prompt"])
        one["level"] = one["high"] >= found[0]["low"] if pair is None else pair["low"] <= 0 <= pair["high"]
    return found


def _sentence(found: Sequence[Mapping[str, Any]]) -> str:
    best = found[0]
    interval = between(float(best["low"]), float(best["high"]))
    level = [plain(str(one["name"])) for one in found if one["value"] == best["value"]]
    reached = f"{percent(float(best['value']))} ({interval})"
    if len(level) > 1:
        names = ", ".join(f"**{name}**" for name in level[:-1])
        return f"{names} and **{level[-1]}** have the same accuracy, {reached}. With more cases they may differ."
    said = f"**{level[0]}** has the highest accuracy, {reached}"
    close = [one for one in found[1:] if one["level"]]
    if len(found) == 1:
        return said + "."
    if close:
        names = "the others" if len(close) == len(found) - 1 else plain(", ".join(str(one["name"]) for one in close))
        return said + f", but the lead over {names} is not significant: with {best['n']:,} cases it could be chance."
    return said + ". It is significantly better than the others on the same cases."


def _metric(name: str) -> str:
    return name.capitalize()
