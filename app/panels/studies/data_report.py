"""What is in a file of cases: verdict, balance and splits, lengths, repeats, and the lines that would be refused."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.palette import finished, palette
from app.display.plain import plain, sentence

__all__ = ["draw_counts", "draw_read_as", "draw_refused", "draw_verdict"]

SPLITS = {"tune": "tuning", "validation": "validation", "test": "test"}
SHOWN_LINES = 12
MOST_LABELS = 12


def draw_verdict(view: Mapping[str, Any]) -> None:
    """Say in one sentence whether the file can be used."""
    if view["problem"]:
        named("data_unfit").error(plain(sentence(str(view["problem"]))), icon=":material/block:")
    elif view["missing"]:
        split, missing = next(iter(view["missing"].items()))
        named("data_few").warning(
            f"Enough for a first ranking here. A federation needs {view['min_cases']} independent cases in "
            f"each split, and the {SPLITS[split]} split lacks {missing}. That takes about {view['more']:,} "
            "more cases.",
            icon=":material/warning:",
        )
    else:
        named("data_fit").success(
            f"Ready to use: {view['cases']:,} cases, with at least {view['min_cases']} in every split.",
            icon=":material/check_circle:",
        )


def draw_read_as(view: Mapping[str, Any]) -> None:
    """Say what the file was taken for, and what looks odd in it."""
    if not view["read_as"]:
        return
    st.caption(f":material/description: Read as {plain(str(view['read_as']['sentence']))}.")
    for note in view.get("warnings") or view["read_as"]["notes"]:
        st.caption(f":material/info: {plain(sentence(str(note)))}")


def draw_refused(view: Mapping[str, Any]) -> None:
    """List the lines that would be refused, and why."""
    refused = view.get("refused")
    if not refused or not refused["count"]:
        return
    unit = str(view["unit"])
    st.dataframe(
        pd.DataFrame(refused["lines"], columns=["line", "field", "reason"]).rename(
            columns={"line": unit, "reason": "reason"}
        ),
        hide_index=True,
        height=min(320, 38 + 35 * len(refused["lines"])),
        alt="Lines that would be refused",
    )
    if refused["count"] > len(refused["lines"]):
        st.caption(f"The first {len(refused['lines'])} of {refused['count']:,} are shown.")


def draw_counts(view: Mapping[str, Any]) -> None:
    """Draw the numbers, the balance in each part, the lengths, and what repeats."""
    with st.grid(4, min_column_width=180) as grid:
        for label, value, about in (
            ("Cases", view["cases"], "Lines that are used, without exact duplicates."),
            ("Distinct inputs", view["inputs"], "Different texts, ignoring case and whitespace."),
            ("Repeats", view["duplicates"]["count"], "The same text with the same answer. It counts once."),
            (
                "Contradictions",
                view["contradictions"]["count"],
                "The same text with different answers. All of them are kept, in one split.",
            ),
        ):
            grid.metric(label, f"{value:,}", help=about)
    if view["groups"] is not None:
        st.caption(f":material/groups: {view['groups']:,} groups. Cases of one group are always in one split.")
    grid = st.grid(2, min_column_width=300, gap="large")
    with grid.cell():
        st.markdown(
            "**Splits**", help="The site's own key decides the split. Adding cases never reassigns existing ones."
        )
        _draw_splits(view)
    with grid.cell():
        st.markdown("**Text length**", help="In characters, over all fields of a case.")
        _draw_lengths(view["lengths"])
    unit = str(view["unit"])
    for key, what in (("duplicates", "Repeats"), ("contradictions", "Contradictions")):
        found = view[key]
        if found["count"]:
            named(f"data_{key}").caption(
                f"{what}: {_lines(found['lines'], unit)}{' …' if found['count'] > SHOWN_LINES else ''}"
            )


def _lines(lines: Sequence[int | Sequence[int]], unit: str) -> str:
    shown = [" and ".join(map(str, one)) if isinstance(one, Sequence) else str(one) for one in lines[:SHOWN_LINES]]
    return f"{unit}{'s' if len(lines) > 1 else ''} " + ("; " if isinstance(lines[0], Sequence) else ", ").join(shown)


def _draw_splits(view: Mapping[str, Any]) -> None:
    colours = palette()
    labels = list(view["by_answer"])[:MOST_LABELS]
    rows = [
        {"part": SPLITS[split], "label": label, "cases": counts.get(label, 0), "order": place}
        for split, counts in view["answers_by_split"].items()
        for place, label in enumerate(labels)
    ] or [{"part": SPLITS[split], "label": "cases", "cases": n, "order": 0} for split, n in view["splits"].items()]
    names = labels or ["cases"]
    data = pd.DataFrame(rows)
    bars = (
        alt.Chart(data)
        .mark_bar(height=24)
        .encode(
            y=alt.Y("part:N", title=None, sort=list(SPLITS.values()), axis=alt.Axis(grid=False, labelFontSize=13)),
            x=alt.X("sum(cases):Q", title="cases", axis=alt.Axis(tickCount=5, format="d")),
            color=alt.Color(
                "label:N",
                title=None,
                scale=colours.scale(names),
                legend=alt.Legend(orient="bottom", columns=3) if labels else None,
            ),
            order="order:O",
            tooltip=["part:N", "label:N", "cases:Q"],
        )
    )
    parts = ", ".join(f"{n} {SPLITS[split]}" for split, n in view["splits"].items())
    st.altair_chart(finished(alt.layer(bars).properties(height=210)), alt=f"Cases by split and label: {parts}")


def _draw_lengths(lengths: Mapping[str, Any]) -> None:
    colours = palette()
    edges = lengths["edges"]
    data = pd.DataFrame(
        [{"from": a, "to": b, "cases": n} for a, b, n in zip(edges, edges[1:], lengths["counts"], strict=False)]
    )
    bars = (
        alt.Chart(data)
        .mark_bar(color=colours.together, opacity=0.85)
        .encode(
            x=alt.X("from:Q", title="characters", axis=alt.Axis(grid=False, tickCount=6, format="d")),
            x2="to:Q",
            y=alt.Y("cases:Q", title="cases", axis=alt.Axis(tickCount=4, format="d")),
            y2=alt.datum(0),  # with an x2 a bar does not begin at zero by itself
            tooltip=[alt.Tooltip("from:Q", format=".0f"), alt.Tooltip("to:Q", format=".0f"), "cases:Q"],
        )
    )
    st.altair_chart(finished(alt.layer(bars).properties(height=150)), alt=f"Text lengths, median {lengths['median']}")
    st.caption(f"The median is {lengths['median']:,} characters; the longest text has {lengths['longest']:,}.")
