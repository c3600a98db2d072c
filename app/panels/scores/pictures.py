"""One picture of a comparison's scores, the one that is chosen; the others are not computed."""

from collections.abc import Mapping

import streamlit as st

from app.display.plain import plain
from app.panels.scores.duel import draw_duel
from app.panels.scores.forest import draw_forest
from app.panels.scores.pareto import draw_pareto
from app.panels.scores.reliability import draw_reliability
from app.panels.scores.scores import draw_scores
from fedprompt.workspace.playground.trial_totals import Totals
from fedprompt.workspace.results.views import CompareView

__all__ = ["draw_pictures"]

PICTURES = {
    "sites": "By site",
    "forest": "Differences",
    "duel": "Head to head",
    "calibration": "Calibration",
    "pareto": "Accuracy and cost",
}


def draw_pictures(view: CompareView, names: Mapping[str, str], measured: Mapping[str, Totals]) -> None:
    """Draw one picture of the scores, the one that is chosen; ``measured`` is of the visitor's own cases."""
    which = st.segmented_control(
        "Picture",
        list(PICTURES),
        default="sites",
        format_func=lambda key: PICTURES[key],
        key="compare_picture",
        required=True,
        bind="query-params",
        label_visibility="collapsed",
    )
    if which == "sites":
        st.caption(
            "Validation cases. Bars are 95 % intervals of each score. The sentences above say which differences "
            "are significant."
        )
        draw_scores(names, view.sites, view.scores)
    elif which == "forest":
        pairs = {pair.second: pair for pair in view.pairs}
        second = view.pairs[0].second
        if len(pairs) > 1:
            second = st.selectbox(
                f"“{plain(names[view.pairs[0].first])}” against",
                list(pairs),
                format_func=lambda key: names.get(key, key),
                key="compare_against",
            )
        draw_forest(pairs[second], names[pairs[second].first], names[second])
    elif which == "duel":
        draw_duel(view, names)
    elif which == "calibration":
        draw_reliability(view, names)
    else:
        draw_pareto(view, names, measured)
