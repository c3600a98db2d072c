"""The numbers behind the sentences of a comparison: differences in points, overall and by site, p-values, power."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app.display.plain import plain, points, sentence
from fedprompt.workspace.results.views import CompareView

__all__ = ["draw_pairs"]

NOT = "not measured"


def draw_pairs(view: CompareView, names: Mapping[str, str]) -> None:
    """Draw a line for each pair; what was not measured is said."""
    lines, power = {}, []
    for pair in view.pairs:
        title = f"{names.get(pair.first, pair.first)} minus {names.get(pair.second, pair.second)}"
        found, whole = pair.found, pair.interval
        line = {"all sites": NOT if whole is None else _interval(pair.points, whole.low, whole.high)}
        line["cases"] = NOT if found is None else f"{found.whole.n:,}"
        line["p"] = _p(pair.p_value)
        if len(view.pairs) > 1:
            line["p, corrected"] = _p(pair.p_adjusted)
        line["I\N{SUPERSCRIPT TWO}"] = NOT if found is None or found.i2 is None else f"{100 * found.i2:.0f} %"
        for site in view.sites:
            at = pair.by_site.get(site)
            line[plain(site)] = NOT if at is None else _interval(at[0], at[1].low, at[1].high)
        lines[plain(title)] = line
        if found is not None:
            power.append(f"{plain(title)}: {plain(sentence(found.power))}")
    st.table(pd.DataFrame.from_dict(lines, orient="index"))
    several = " Corrected (Holm) for the number of pairs on this page." if len(view.pairs) > 1 else ""
    st.caption(
        "Differences in points, with 95 % intervals in brackets. Each is the first prompt minus the second on the "
        f"same cases. The p-value is two\\-sided.{several} I² is the share of the spread between sites that is more "
        "than chance."
    )
    for said in power:
        st.caption(said)


def _interval(value: float | None, low: float, high: float) -> str:
    return NOT if value is None else f"{points(value)} ({points(low)} to {points(high)})"


def _p(value: float | None) -> str:
    return NOT if value is None else "under 0.001" if value < 0.001 else f"{value:.3f}"
