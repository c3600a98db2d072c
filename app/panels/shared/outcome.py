"""What shared prompts are worth here, in plain words: on one's own cases, at the sites that were measured, and why.

Invariant: what was counted here and what was measured elsewhere stand side by side and are never mixed; a difference
that chance explains is called none.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.display.plain import plain, points, sentence
from app.panels.scores.curve import cases, draw_curve
from app.panels.shared.weights import draw_weights
from fedprompt.workspace.local.adapt_result import AdaptResult
from fedprompt.workspace.local.out_of_fold import WAY_WORDS

__all__ = ["draw_outcome"]


def draw_outcome(found: AdaptResult) -> None:
    """Draw what came of it."""
    helps = found.difference is not None and found.difference.distinguishable and found.difference.value > 0
    told = " ".join(map(sentence, found.sentences))
    (st.success if helps else st.info)(plain(told), icon=":material/join_inner:")
    _draw_numbers(found)
    for note in found.notes:
        st.caption(f":material/info: {plain(sentence(note))}")
    grid = st.grid(2, min_column_width=360, gap="large")
    with grid.cell():
        st.subheader(
            "Prompt weights",
            help="The answer to a text is a weighted mean of these prompts' log-probabilities.",
        )
        draw_weights(found.members)
        with st.expander("Classes", icon=":material/category:"):
            st.table(_classes(found), border="horizontal", hide_index=True)
    with grid.cell():
        st.subheader("Value at other sites")
        # Cases that teach nothing, as one alone, are as none.
        draw_curve(found.curve, here=0 if found.at is not None and found.at.n == 0 else found.n)


def _draw_numbers(found: AdaptResult) -> None:
    with st.grid(3, min_column_width=190) as grid:
        if found.alone is not None:
            with grid.container(gap="xsmall"):
                st.metric(
                    "Alone",
                    f"{found.alone} of {found.n}",
                    help="Correct answers of the strongest method without other sites' prompts, by leave-one-out. "
                    f"All methods: {_ways(found)}. The strongest was selected on these cases, so its number is "
                    "slightly too high.",
                )
                st.caption(f"with {WAY_WORDS[found.alone_by]}" if found.alone_by is not None else "by itself")
        if found.shared is not None:
            with grid.container(gap="xsmall"):
                st.metric(
                    "With shared prompts",
                    f"{found.shared} of {found.n}",
                    help="Correct answers on the same cases, by leave-one-out.",
                )
                st.caption(_told_apart(found))
        if found.at is not None:
            with grid.container(gap="xsmall"):
                st.metric(
                    f"Gain at other sites with {cases(found.at.n)}",
                    f"{points(100 * found.at.gain)} points",
                    help="Mean gain over the strongest method without other sites' prompts, at sites that had not "
                    "tuned these prompts.",
                )
                st.caption(_interval(found))


def _ways(found: AdaptResult) -> str:
    return ", ".join(f"{WAY_WORDS[way]} {right}" for way, right in found.ways.items())


def _told_apart(found: AdaptResult) -> str:
    if found.difference is None:
        return f"{cases(found.n)} of your own"
    if found.difference.distinguishable:
        return "statistically significant"
    return "not significant with so few cases" if found.alone != found.shared else "no difference"


def _interval(found: AdaptResult) -> str:
    assert found.at is not None
    sites = f"{found.at.sites} site{'' if found.at.sites == 1 else 's'}"
    if found.at.low is None or found.at.high is None:
        return sites
    return f"{points(100 * found.at.low)} to {points(100 * found.at.high)} \N{MIDDLE DOT} {sites}"


def _classes(found: AdaptResult) -> pd.DataFrame:
    """Return class by class how many cases there were, what the file calls it, and which way it is nudged."""
    called: dict[str, list[str]] = {}
    for mine, theirs in found.words.items():
        if mine != theirs:
            called.setdefault(theirs, []).append(mine)
    rows: list[Mapping[str, Any]] = [
        {
            "Class": label,
            "In your file": ", ".join(called.get(label, [label])) if found.n else "no file",
            "Your cases": f"{found.counts.get(label, 0):,}",
            "Bias": f"{bias:+.2f}".replace("-", "\N{MINUS SIGN}"),
        }
        for label, bias in found.bias.items()
    ]
    return pd.DataFrame(rows)
