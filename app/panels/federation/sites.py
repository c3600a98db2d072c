"""The sites of a federation as cards: where the text comes from, how many cases, how balanced the labels."""

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from app.display.palette import palette
from app.display.plain import plain
from fedprompt.workspace.results.views import SiteView

__all__ = ["draw_sites"]


def draw_sites(sites: Sequence[SiteView]) -> None:
    """Draw one card a site."""
    colours = palette()
    with st.grid(min(4, max(1, len(sites))), min_column_width=175) as grid:
        for index, site in enumerate(sites):
            with grid.container(border=True, height="stretch", gap="xsmall"):
                st.markdown(f':color[●]{{foreground="{colours.site(index)}"}} **{plain(site.name)}**')
                st.caption(plain(site.source))
                for count, what in ((site.tune, "tune on"), (site.validation, "choose by"), (site.test, "test on")):
                    st.markdown(f":small[**{count:,}** cases to {what}]")
                if site.labels:
                    _draw_balance(site, colours.site(index))


def _draw_balance(site: SiteView, colour: str) -> None:
    colours = palette()
    shares = list(site.labels.items())
    data = pd.DataFrame([{"label": label, "share": share, "order": i} for i, (label, share) in enumerate(shares)])
    tones = [colour, colours.line, colours.muted]
    bar = (
        alt.Chart(data)
        .mark_bar(height=10)
        .encode(
            x=alt.X("share:Q", stack="normalize", axis=None, title=None),
            color=alt.Color(
                "label:N",
                scale=alt.Scale(
                    domain=[label for label, _ in shares], range=[tones[i % 3] for i in range(len(shares))]
                ),
                legend=None,
            ),
            order="order:O",
            tooltip=[alt.Tooltip("label:N"), alt.Tooltip("share:Q", format=".0%")],
        )
        .properties(height=14, padding=0)
        .configure_view(stroke=None)
    )
    st.altair_chart(bar, alt=f"Label balance of {site.name}")
    st.caption(", ".join(f"{share:.0%} {plain(label)}".replace("%", " %") for label, share in shares[:4]))
