"""A finished run in four numbers, with all of them a click away. Test cases, read once at the end."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.panels.plain import between, percent, points

__all__ = ["draw_numbers"]

CARDS = (
    (
        "manual",
        "Best template, untuned",
        "The best hand-written template on pooled validation cases, at every site.",
    ),
    (
        "local_only",
        "Tuned alone, everywhere",
        "Each site's own prompt, on the test cases of every site; at worst: that of the least lucky site.",
    ),
    ("local_own", "Tuned alone, at home", "Each site's own prompt, on its own test cases."),
    ("federated", "Tuned together", "One prompt that all sites tuned together, at every site."),
)
ROWS = (
    *CARDS,
    ("kept", "What each site keeps", "The best of the three on the site's own validation cases."),
    ("centralised", "Tuned on all cases in one place", "Only the demo may do that; sites could not."),
)


def draw_numbers(result: Mapping[str, Any]) -> None:
    """Draw the numbers of a run's ``test`` part; an entry that is not there is left out."""
    test = result.get("test") or {}
    cards = [(name, title, about) for name, title, about in CARDS if name in test]
    if not cards:
        return
    manual = test.get("manual", {}).get("mean")
    with st.grid(len(cards), min_column_width=190):
        for name, title, about in cards:
            entry = test[name]
            change = None if name == "manual" or manual is None else f"{points(100 * (entry['mean'] - manual))} points"
            st.metric(
                title,
                percent(entry["mean"]),
                delta=(change or f"at worst {percent(entry['worst'])}").replace("\N{MINUS SIGN}", "-"),
                delta_color="normal" if change else "off",
                delta_arrow="auto" if change else "off",
                delta_description=f"at worst {percent(entry['worst'])}" if change else None,
                help=about,
                border=True,
            )
    with st.expander("All numbers of the test, with 95 % intervals"):
        st.table(_table(test))
        st.caption("Cases were resampled within sites. Test cases were read once, after everything was chosen.")


def _table(test: Mapping[str, Any]) -> pd.DataFrame:
    lines = {}
    for name, title, _ in ROWS:
        if name not in test:
            continue
        entry = test[name]
        lines[title] = {
            "mean": percent(entry["mean"]),
            "95 % interval": between(entry["low"], entry["high"]),
            "worst site": percent(entry["worst"]),
            **({} if name == "local_only" else {site: percent(v) for site, v in entry.get("by_site", {}).items()}),
        }
    return pd.DataFrame.from_dict(lines, orient="index")
