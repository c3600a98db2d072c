"""The best prompt of each study in sentences: its mean, its gain over the best template and over each site alone."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import streamlit as st

from app.display.named import named
from app.display.plain import percent, plain, points
from fedprompt.workspace.ranking.study_best import StudyBest

__all__ = ["best_sentences", "draw_study_bests", "sure_of"]


def draw_study_bests(
    bests: Sequence[StudyBest], titles: Mapping[str, str], shown: Mapping[str, Any] | None = None
) -> None:
    """Draw a study's best prompt in a few sentences, the numbers by site behind them.

    Args:
        bests: of each study.
        titles: by prompt id.
        shown: the result of the run whose numbers stand on the same page.
    """
    if not bests:
        return
    st.header(
        "Best prompt of each study" if len(bests) > 1 else "Best prompt",
        help="The top-ranked prompt on validation cases, without the pooled reference. Gains are measured on test "
        "cases, paired, with 95 % intervals.",
    )
    for one in bests:
        with st.container(gap="xsmall"):
            first, *more = best_sentences(one, titles)
            named(f"best_of_{one.study}").markdown(f":green[:material/trophy:] {plain(first)}")
            for place, told in enumerate(more, 1):
                named(f"best_of_{one.study}_{place}").markdown(plain(told))
            if one.run and shown and shown.get("study") == one.study and shown.get("run") != one.run:
                named(f"best_of_{one.study}_other_run").caption(
                    "This prompt comes from an earlier run than the numbers above, so its gains can differ from them."
                )
            if one.over_alone:
                with st.expander("By site"):
                    st.table(_by_site(one.over_alone), border="horizontal", hide_index=True)


def best_sentences(found: StudyBest, titles: Mapping[str, str]) -> list[str]:
    """Return what is said of a study's best prompt; a difference whose interval holds zero is called no gain."""
    best = found.best
    name = titles.get(best.id, best.name)
    many = "at one site" if best.sites == 1 else f"on average over {best.sites} sites"
    said = [
        f"“{name}” ranks first in the study “{found.title}”: its accuracy on validation cases is "
        f"{percent(best.mean)} {many}."
    ]
    if best.kind == "template":
        return [*said, "No tuned prompt is more accurate."]
    if found.over_template is None:
        if found.template is None:
            return said
        gap = points(100 * (best.mean - found.template.mean))
        other = titles.get(found.template.id, found.template.name)
        return [
            *said,
            f"That is {gap} points compared with the best template, “{other}”. The difference was not tested for "
            "significance.",
        ]
    said.append(f"On test cases it is {_against(found.over_template)} the best template.")
    if found.over_alone:
        said.append(_alone(found.over_alone))
    return said


def sure_of(gain: Mapping[str, Any]) -> Literal["better", "worse", "neither"]:
    """Return which way a difference goes, ``neither`` where its interval holds zero."""
    if not gain.get("distinguishable"):
        return "neither"
    return "better" if gain["difference"] > 0 else "worse"


def _against(gain: Mapping[str, Any]) -> str:
    """Return how much better or worse, or that it cannot be told."""
    low, high = 100 * gain["low"], 100 * gain["high"]
    change, sure = 100 * gain["difference"], sure_of(gain)
    if sure == "neither":
        return f"not significantly different ({points(change)} points, {points(low)} to {points(high)}) from"
    if sure == "worse":
        return f"{-change:.1f} points worse ({-high:.1f} to {-low:.1f}) than"
    return f"{change:.1f} points better ({low:.1f} to {high:.1f}) than"


def _alone(gains: Mapping[str, Mapping[str, Any]]) -> str:
    """Return where it beats what a site tuned alone, where it loses, and where that cannot be told."""
    words = {"better": "better at", "worse": "worse at", "neither": "not significantly different at"}
    told: dict[str, list[str]] = {sure: [] for sure in words}
    for site, gain in sorted(gains.items()):
        told[sure_of(gain)].append(site)
    parts = [f"{words[sure]} {_named(sites)}" for sure, sites in told.items() if sites]
    return f"Compared with the prompt that each site tuned alone, it is {', '.join(parts)}."


def _named(sites: Sequence[str]) -> str:
    return sites[0] if len(sites) == 1 else f"{', '.join(sites[:-1])} and {sites[-1]}"


def _by_site(gains: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    return [
        {
            "Site": plain(site),
            "Gain over its own prompt, points": points(100 * gain["difference"]),
            "95 % interval": f"{points(100 * gain['low'])} to {points(100 * gain['high'])}",
            "": "" if gain.get("distinguishable") else "not significant",
        }
        for site, gain in sorted(gains.items())
    ]
