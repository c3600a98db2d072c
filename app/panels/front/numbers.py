"""A finished run in four numbers, with all of them a click away. Test cases, read once at the end."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.plain import between, percent, plain, points
from fedprompt.workspace.results.labels import TESTED

__all__ = ["draw_numbers"]

CARDS = ("manual", "local_only", "local_own", "federated")
GREY = (
    "The signed number is the difference from the best template, in points. It is grey where the difference is not "
    "significant."
)


def draw_numbers(result: Mapping[str, Any]) -> None:
    """Draw the numbers of a run's ``test`` part; an entry that is not there is left out."""
    test = result.get("test") or {}
    cards = [(name, *_told(name)) for name in CARDS if name in test]
    if not cards:
        return
    named("numbers_test").header(
        "Accuracy at the participating sites", help="Mean accuracy on test cases over the sites."
    )
    manual = test.get("manual", {}).get("mean")
    with st.grid(len(cards), min_column_width=170):
        for name, title, about in cards:
            entry = test[name]
            worst = f"{_worst(name)} {percent(entry['worst'])}"
            against = (result.get("differences") or {}).get(f"{name}_vs_manual", {})
            compared = name != "manual" and manual is not None
            gap = entry["mean"] - manual if compared else 0.0
            st.metric(
                title,
                percent(entry["mean"]),
                delta=points(100 * gap) if compared else worst,
                # A colour would say "better", which is said only where the paired interval excludes zero.
                delta_color=("green" if gap > 0 else "red") if compared and against.get("distinguishable") else "off",
                delta_arrow="up" if gap > 0 else "down" if gap < 0 else "off",
                delta_description=worst if compared else None,
                help=f"{about} {GREY}" if compared else about,
                border=True,
            )
    with st.expander("All test results, with 95 % intervals"):
        st.table(_table(test))
        st.caption(
            "The intervals come from a bootstrap within each site. The test cases were used once, after all "
            "choices were made."
        )
        for name in TESTED:
            if name in test and name not in CARDS:
                st.caption("{}: {}".format(*_told(name)))


def _worst(name: str) -> str:
    """Return of what the lowest number is: of the sites, or of the prompts where each site has its own."""
    return "worst prompt" if name == "local_only" else "worst site"


def _told(name: str) -> tuple[str, str]:
    label = TESTED[name]
    return label.words[:1].upper() + label.words[1:], label.about


def _table(test: Mapping[str, Any]) -> pd.DataFrame:
    lines = {}
    for name in TESTED:
        if name not in test:
            continue
        title, _ = _told(name)
        entry = test[name]
        lines[title] = {
            "mean": percent(entry["mean"]),
            "95 % interval": between(entry["low"], entry["high"]),
        }
        if name == "local_only":
            lines[title] |= {"worst site": f"{percent(entry['worst'])} (worst prompt)"}
        else:
            lines[title] |= {"worst site": percent(entry["worst"])}
            lines[title] |= {plain(site): percent(value) for site, value in entry.get("by_site", {}).items()}
    return pd.DataFrame.from_dict(lines, orient="index")
