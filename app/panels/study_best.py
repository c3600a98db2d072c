"""The best prompt of each study in a sentence: its mean, its gain over the best template and over each site alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.panels.plain import percent, plain, points
from fedprompt.workspace.study_best import StudyBest

__all__ = ["best_sentence", "draw_study_bests"]


def draw_study_bests(bests: Sequence[StudyBest], titles: Mapping[str, str]) -> None:
    """Draw one line a study; ``titles`` is by prompt id."""
    if not bests:
        return
    st.header("The best prompt of each study" if len(bests) > 1 else "The best prompt")
    for one in bests:
        st.markdown(f":green[:material/trophy:] {plain(best_sentence(one, titles))}")


def best_sentence(found: StudyBest, titles: Mapping[str, str]) -> str:
    """Return what is said of a study's best prompt; differences whose interval holds zero are called so."""
    best = found.best
    name = titles.get(best.id, best.name)
    said = f"{found.title}: “{name}” leads with {percent(best.mean)} on validation cases over {best.sites} sites"
    if best.kind == "template":
        return f"{said}; no tuned prompt does better."
    if found.over_template is not None:
        said += f". On test cases that is {_gain(found.over_template)} against the best template"
        if found.over_alone:
            by_site = ", ".join(f"{site} {_gain(gain)}" for site, gain in sorted(found.over_alone.items()))
            said += f"; against what each site tuned alone, at home: {by_site}"
        return said + "."
    if found.template is not None:
        gap = points(100 * (best.mean - found.template.mean))
        said += f", {gap} points against the best template, “{titles.get(found.template.id, found.template.name)}”"
    return said + "; how sure that is was not tested."


def _gain(gain: Mapping[str, Any]) -> str:
    low, high = points(100 * gain["low"]), points(100 * gain["high"])
    unsure = "" if gain.get("distinguishable") else ", not distinguishable"
    return f"{points(100 * gain['difference'])} points ({low} to {high}{unsure})"
