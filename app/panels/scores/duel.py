"""Head to head: each site, or each of the visitor's own cases, a point; the first prompt across, another upwards."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.palette import PER_CENT, finished, palette, shapes
from fedprompt.workspace.playground.trials import Trial, TrialCell
from fedprompt.workspace.results.views import CompareView

__all__ = ["draw_duel", "draw_own_duel", "own_points"]

LONGEST = 80  # of a case's text in a point's tip


def draw_duel(view: CompareView, names: Mapping[str, str]) -> None:
    """Draw the sites that scored the first prompt and another; points above the line favour the other."""
    base = view.prompts[0].id
    rows: list[dict[str, Any]] = []
    for prompt in view.prompts[1:]:
        for site in view.sites:
            ours, theirs = view.scores[base].get(site), view.scores[prompt.id].get(site)
            if ours is not None and theirs is not None:
                rows.append({"site": site, "prompt": names[prompt.id], "first": ours.value, "other": theirs.value})
    if not rows:
        st.caption("No site scored both the first prompt and another one.")
        return
    ends = [float(row[key]) for row in rows for key in ("first", "other")]
    shape = alt.Shape("site:N", title=None, sort=list(view.sites), legend=alt.Legend(orient="right"))
    _draw(
        rows,
        [names[prompt.id] for prompt in view.prompts],
        "site",
        (max(0.0, min(ends) - 0.03), min(1.0, max(ends) + 0.03)),
        130,
        shape,
    )
    st.caption("At sites above the dashed line, the other prompt is more accurate than the first.")


def draw_own_duel(trial: Trial, names: Sequence[str]) -> None:
    """Draw the visitor's own cases that the first prompt and another answered."""
    rows = own_points(trial, names)
    if not rows:
        st.caption(
            "There is nothing to plot. A case becomes a point once two prompts have label probabilities or "
            "scores for it."
        )
        return
    _draw(rows, names, "case", (0.0, 1.0), 70, alt.Shape("prompt:N", title=None, scale=shapes(names[1:])))
    known = any(trial.request.expected)
    what = "the probability of the correct answer" if known else "the probability of the first prompt's answer"
    named("duel_by_right_answer" if known else "duel_by_first_answer").caption(
        f"Each point is a case, placed by {what} (or by the first scorer's value). Above the dashed line, the "
        "other prompt is better than the first. Darker points overlap."
    )


def own_points(trial: Trial, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for each case and each prompt but the first that both answered, with what each gave the case."""
    rows = []
    for row, fields in enumerate(trial.request.rows):
        first = trial.cells.get((0, row))
        right = trial.request.expected[row] if row < len(trial.request.expected) else ""
        wanted = right or (None if first is None else first.answer)
        ours = None if first is None else _value(first, wanted)
        for number, name in enumerate(names[1:], 1):
            cell = trial.cells.get((number, row))
            theirs = None if cell is None else _value(cell, wanted)
            if ours is not None and theirs is not None:
                text = " \N{MIDDLE DOT} ".join(fields.values())[:LONGEST]
                rows.append({"case": f"{row + 1}: {text}", "prompt": name, "first": ours, "other": theirs})
    return rows


def _value(cell: TrialCell, wanted: str | None) -> float | None:
    if cell.error is not None:
        return None
    if cell.probabilities and wanted in cell.probabilities:
        return cell.probabilities[wanted]
    return next((one.value for one in cell.judged if one.value is not None), None)


def _draw(
    rows: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    point: str,
    ends: tuple[float, float],
    size: int,
    shape: alt.Shape,
) -> None:
    """Draw points, told apart by ``shape``, with the line on which both are alike; ``point`` is what one is called."""
    colours, others = palette(), list(names[1:])
    scale = alt.Scale(domain=list(ends), zero=False)
    axis = alt.Axis(labelExpr=PER_CENT, tickCount=6)
    line = (
        alt.Chart(pd.DataFrame([{"first": end, "other": end} for end in ends]))
        .mark_line(color=colours.muted, strokeDash=[5, 4], strokeWidth=1.2)
        .encode(x=alt.X("first:Q", scale=scale), y=alt.Y("other:Q", scale=scale))
    )
    dots = (
        alt.Chart(pd.DataFrame(list(rows)))
        .mark_point(filled=True, size=size, opacity=0.8)
        .encode(
            x=alt.X("first:Q", scale=scale, axis=axis, title=f"{names[0]} (first)"),
            y=alt.Y("other:Q", scale=scale, axis=axis, title="another"),
            color=alt.Color(
                "prompt:N",
                title=None,
                sort=others,
                scale=alt.Scale(domain=others, range=[colours.site(place + 1) for place in range(len(others))]),
                legend=alt.Legend(orient="top", columns=2, labelLimit=260),
            ),
            tooltip=[
                alt.Tooltip(f"{point}:N"),
                alt.Tooltip("prompt:N"),
                alt.Tooltip("first:Q", format=".1%"),
                alt.Tooltip("other:Q", format=".1%"),
            ],
        )
    )
    dots = dots.encode(shape=shape)
    st.altair_chart(
        finished(alt.layer(line, dots).properties(height=380)),
        alt=f"Each {point}: first prompt against another",
    )
