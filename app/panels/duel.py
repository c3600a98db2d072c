"""Head to head: each site a point, the first prompt's score across, another's upwards."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app.panels.palette import PER_CENT, finished, palette
from fedprompt.workspace.views import CompareView

__all__ = ["draw_duel"]


def draw_duel(view: CompareView, names: Mapping[str, str]) -> None:
    """Draw the sites that scored the first prompt and another; points above the line favour the other."""
    colours, base = palette(), view.prompts[0].id
    rows: list[dict[str, Any]] = []
    for prompt in view.prompts[1:]:
        for site in view.sites:
            ours, theirs = view.scores[base].get(site), view.scores[prompt.id].get(site)
            if ours is not None and theirs is not None:
                rows.append({"site": site, "prompt": names[prompt.id], "first": ours.value, "other": theirs.value})
    if not rows:
        st.caption("No site scored the first prompt and another.")
        return
    data, others = pd.DataFrame(rows), [names[prompt.id] for prompt in view.prompts[1:]]
    ends = [float(row[key]) for row in rows for key in ("first", "other")]
    low, high = max(0.0, min(ends) - 0.03), min(1.0, max(ends) + 0.03)
    scale = alt.Scale(domain=[low, high], zero=False)
    axis = alt.Axis(labelExpr=PER_CENT, tickCount=6)
    line = (
        alt.Chart(pd.DataFrame([{"first": low, "other": low}, {"first": high, "other": high}]))
        .mark_line(color=colours.muted, strokeDash=[5, 4], strokeWidth=1.2)
        .encode(x=alt.X("first:Q", scale=scale), y=alt.Y("other:Q", scale=scale))
    )
    dots = (
        alt.Chart(data)
        .mark_point(filled=True, size=130, opacity=1)
        .encode(
            x=alt.X("first:Q", scale=scale, axis=axis, title=f"{names[base]} (the first)"),
            y=alt.Y("other:Q", scale=scale, axis=axis, title="another"),
            color=alt.Color(
                "prompt:N",
                title=None,
                sort=others,
                scale=alt.Scale(domain=others, range=[colours.site(place + 1) for place in range(len(others))]),
                legend=alt.Legend(orient="top", columns=2, labelLimit=260),
            ),
            shape=alt.Shape("site:N", title=None, sort=list(view.sites), legend=alt.Legend(orient="right")),
            tooltip=[
                alt.Tooltip("site:N"),
                alt.Tooltip("prompt:N"),
                alt.Tooltip("first:Q", format=".1%"),
                alt.Tooltip("other:Q", format=".1%"),
            ],
        )
    )
    st.altair_chart(
        finished(alt.layer(line, dots).properties(height=380)),
        alt="Each site's score of the first prompt and of another",
    )
    st.caption("Above the dashed line the other prompt scores more at that site than the first, below it less.")
