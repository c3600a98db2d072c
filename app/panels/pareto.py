"""What a prompt costs against what it gives: its own tokens, which every case pays for, and its mean over the sites."""

from collections.abc import Mapping
from statistics import fmean

import altair as alt
import pandas as pd
import streamlit as st

from app.panels.palette import PER_CENT, finished, palette
from app.session import workspace
from fedprompt.workspace.prompt_length import prompt_tokens
from fedprompt.workspace.views import CompareView

__all__ = ["draw_pareto", "unbeaten"]


def unbeaten(places: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    """Return who no other beats, by (cost, gain): none is as cheap and as good, and better in one."""
    return tuple(
        name
        for name, (cost, gain) in places.items()
        if not any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in places.values())
    )


def draw_pareto(view: CompareView, names: Mapping[str, str]) -> None:
    """Draw the chosen prompts that were scored at every site here and whose model's tokenizer is here."""
    ws, places = workspace(), {}
    for prompt in view.prompts:
        scores = [view.scores[prompt.id].get(site) for site in view.sites]
        values = [score.value for score in scores if score is not None]
        tokens = prompt_tokens(ws, ws.bank.prompt(prompt.id))
        if tokens is not None and values and len(values) == len(scores):
            places[names[prompt.id]] = (float(tokens), fmean(values))
    if not places:
        st.caption("No chosen prompt was scored at every site with a model whose tokenizer is on this machine.")
        return
    colours, front, order = palette(), unbeaten(places), list(places)
    data = pd.DataFrame(
        [{"prompt": name, "tokens": t, "mean": m, "front": name in front} for name, (t, m) in places.items()]
    )
    means = [mean for _, mean in places.values()]
    y = alt.Y(
        "mean:Q",
        title="mean over sites",
        scale=alt.Scale(domain=[max(0.0, min(means) - 0.03), min(1.0, max(means) + 0.03)]),
        axis=alt.Axis(labelExpr=PER_CENT, tickCount=5),
    )
    x = alt.X("tokens:Q", title="tokens of the prompt, beside the case", scale=alt.Scale(zero=False, padding=24))
    steps = (
        alt.Chart(data[data["front"]])
        .mark_line(interpolate="step-after", color=colours.muted, strokeDash=[5, 4], strokeWidth=1.2)
        .encode(x=x, y=y)
    )
    dots = (
        alt.Chart(data)
        .mark_circle(size=170, opacity=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "prompt:N",
                title=None,
                sort=order,
                scale=colours.scale(order),
                legend=alt.Legend(orient="top", columns=2, labelLimit=260),
            ),
            tooltip=[alt.Tooltip("prompt:N"), alt.Tooltip("tokens:Q"), alt.Tooltip("mean:Q", format=".1%")],
        )
    )
    st.altair_chart(finished(alt.layer(steps, dots).properties(height=320)), alt="Accuracy against tokens")
    st.caption(
        "The dashed steps join the prompts that no other beats by being shorter and at least as good. A tuned prompt's "
        "vectors count as tokens; a site's own demonstrations are not known here and not counted."
    )
