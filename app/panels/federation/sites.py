"""The sites of a federation as cards: where the text comes from, how many cases, how balanced the labels."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.palette import palette
from app.display.plain import plain
from fedprompt.workspace.results.views import SiteView

__all__ = ["draw_sites", "said_balance"]

MOST = 5  # labels that are named


def draw_sites(sites: Sequence[SiteView]) -> None:
    """Draw one card a site."""
    colours = palette()
    with st.grid(min(4, max(1, len(sites))), min_column_width=175) as grid:
        for index, site in enumerate(sites):
            with grid.container(border=True, height="stretch", gap="xsmall"):
                st.markdown(f':color[●]{{foreground="{colours.site(index)}"}} **{plain(site.name)}**')
                st.caption(plain(site.source))
                for count, what in ((site.tune, "tuning"), (site.validation, "validation"), (site.test, "test")):
                    st.markdown(f":small[**{count:,}** {what} cases]")
                if site.labels:
                    _draw_balance(site, colours.site(index))


def _draw_balance(site: SiteView, colour: str) -> None:
    shares = sorted(site.labels.items(), key=lambda one: -one[1])
    data = pd.DataFrame([{"label": label, "share": share, "order": i} for i, (label, share) in enumerate(shares)])
    bar = (
        alt.Chart(data)
        .mark_bar(height=10, color=colour)
        .encode(
            x=alt.X("share:Q", stack="normalize", axis=None, title=None),
            opacity=alt.Opacity(
                "order:Q", scale=alt.Scale(domain=[0, max(1, len(shares) - 1)], range=[1, 0.15]), legend=None
            ),
            order="order:O",
            tooltip=[alt.Tooltip("label:N"), alt.Tooltip("share:Q", format=".0%")],
        )
        .properties(height=14, padding=0)
        .configure_view(stroke=None)
    )
    st.altair_chart(bar, alt=f"Label balance of {site.name}")
    named(f"site_balance_{site.name}").caption(said_balance(site.labels))


def said_balance(labels: Mapping[str, float]) -> str:
    """Return the share of each label that is there, the largest first; all beyond ``MOST`` labels are one share."""
    there = sorted(((share, label) for label, share in labels.items() if share), key=lambda one: -one[0])
    parts = [(share, plain(label)) for share, label in there[:MOST]]
    if rest := there[MOST:]:
        parts.append((sum(share for share, _ in rest), f"{len(rest)} others"))
    return ", ".join(f"{100 * share:.0f}\N{NO-BREAK SPACE}% {what}" for share, what in parts)
