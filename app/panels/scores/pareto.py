"""What a prompt costs against what it gives: tokens or seconds against accuracy, with the prompts none other beats.

Scores hold no time, so seconds are those of the visitor's own cases, on the machine that ran them.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

import altair as alt
import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.palette import PER_CENT, finished, palette
from app.display.plain import plain
from app.session import workspace
from fedprompt.workspace.answers.nearest_words import prompt_tokens
from fedprompt.workspace.playground.trial_totals import Totals
from fedprompt.workspace.results.views import CompareView

__all__ = ["draw_own_pareto", "draw_pareto", "unbeaten"]

COSTS = {"tokens": "Tokens", "seconds": "Seconds"}
Places = Mapping[str, tuple[float, float]]


def unbeaten(places: Places) -> tuple[str, ...]:
    """Return who no other beats, by (cost, gain): none is as cheap and as good, and better in one."""
    return tuple(
        name
        for name, (cost, gain) in places.items()
        if not any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in places.values())
    )


def draw_pareto(view: CompareView, names: Mapping[str, str], measured: Mapping[str, Totals]) -> None:
    """Draw the chosen prompts that were scored at every site here.

    Args:
        view: the comparison.
        names: prompt id -> title.
        measured: prompt id -> what it came to on the visitor's own cases, nothing before they ran.
    """
    means = {}
    for prompt in view.prompts:
        scores = [view.scores[prompt.id].get(site) for site in view.sites]
        values = [score.value for score in scores if score is not None]
        if values and len(values) == len(scores):
            means[prompt.id] = fmean(values)
    gain = "mean accuracy over sites"
    if _ask_cost("compare_cost") == "seconds":
        places = {
            names[id]: (seconds, mean)
            for id, mean in means.items()
            if id in measured and (seconds := measured[id].seconds) is not None
        }
        if not places:
            named("pareto_not_run").caption("Run the prompts on your own cases below to measure their time.")
            return
        _draw(places, "seconds", "seconds per answer on your own cases", gain)
        named("pareto_seconds").caption(
            f"{_front('faster')} Seconds are the mean over your own cases on this machine, without loading the model."
        )
        return
    ws, places = workspace(), {}
    showing = [id for id in means if ws.bank.prompt(id).template.demonstrations is not None]
    for id, mean in means.items():
        if id not in showing and (tokens := prompt_tokens(ws, ws.bank.prompt(id))) is not None:
            places[names[id]] = (float(tokens), mean)
    if not places:
        named("pareto_no_tokens").caption(
            "No chosen prompt was scored at every site with a model whose tokenizer is on this machine."
        )
        return
    if showing:
        told = ", ".join(f"“{plain(names[id])}”" for id in showing)
        named("compare_not_drawn").caption(
            f"Not plotted: {told}. Each site shows its own examples, so the length differs by site."
        )
    _draw(places, "tokens", "tokens of the prompt, without the case", gain)
    st.caption(f"{_front('shorter')} Each tuned vector counts as a token.")


def draw_own_pareto(names: Sequence[str], measured: Sequence[Totals]) -> None:
    """Draw what prompts came to on the visitor's own cases; ``names`` and ``measured`` are in one order."""
    which = _ask_cost("compare_own_cost")
    places = {}
    for name, found in zip(names, measured, strict=True):
        cost = found.seconds if which == "seconds" else found.tokens_each
        if cost is not None and found.passed is not None:
            places[name] = (cost, found.passed)
    if not places:
        st.caption("No answer was scored. Give the correct answers, or use a scorer that does not need them.")
        return
    what = "seconds per answer" if which == "seconds" else "tokens per answer"
    _draw(places, which, what, "pass rate on your cases")
    st.caption(f"{_front('faster' if which == 'seconds' else 'shorter')} Means over your own cases on this machine.")


def _ask_cost(key: str) -> str:
    return str(
        st.segmented_control(
            "Cost", list(COSTS), format_func=COSTS.__getitem__, default="tokens", key=key, required=True
        )
    )


def _front(how: str) -> str:
    return f"The dashed line joins the prompts that no other prompt beats by being {how} and at least as good."


def _draw(places: Places, cost: str, cost_title: str, gain_title: str) -> None:
    colours, front, order = palette(), unbeaten(places), list(places)
    data = pd.DataFrame(
        [{"prompt": name, cost: c, "accuracy": g, "front": name in front} for name, (c, g) in places.items()]
    )
    gains = [gain for _, gain in places.values()]
    y = alt.Y(
        "accuracy:Q",
        title=gain_title,
        scale=alt.Scale(domain=[max(0.0, min(gains) - 0.03), min(1.0, max(gains) + 0.03)], padding=16),
        axis=alt.Axis(labelExpr=PER_CENT, tickCount=5),
    )
    x = alt.X(f"{cost}:Q", title=cost_title, scale=alt.Scale(zero=False, padding=60), axis=alt.Axis(tickCount=6))
    # The front goes on to the dearest prompt, since paying more gives nothing better.
    end = pd.DataFrame([{cost: data[cost].max(), "accuracy": max(gains)}])
    steps = (
        alt.Chart(pd.concat([data[data["front"]], end]))
        .mark_line(interpolate="step-after", color=colours.muted, strokeDash=[5, 4], strokeWidth=1.2)
        .encode(x=x, y=y)
    )
    tips = [
        alt.Tooltip("prompt:N"),
        alt.Tooltip(f"{cost}:Q", format=".3~f"),
        alt.Tooltip("accuracy:Q", format=".1%"),
    ]
    base = alt.Chart(data).encode(x=x, y=y, tooltip=tips)
    dots = base.mark_circle(size=170, opacity=1).encode(
        color=alt.Color("prompt:N", sort=order, scale=colours.scale(order), legend=None)
    )
    text = base.mark_text(dy=-15, color=colours.ink, fontSize=12, limit=220).encode(text="prompt:N")
    told = ", ".join(f"{name} {c:.3g} {cost} and {100 * g:.0f} %" for name, (c, g) in places.items())
    st.altair_chart(
        finished(alt.layer(steps, dots, text).properties(height=340)), alt=f"Accuracy against {cost}: {told}"
    )
