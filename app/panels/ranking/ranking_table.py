"""A page of the ranking as a table, and what can be done with the rows that are ticked."""

from collections.abc import Sequence

import streamlit as st

from app.display.travel import go
from app.panels.ranking.ranking import column_order, column_settings, heated, ranking_frame, table_key
from app.panels.ranking.ranking_file import draw_file
from fedprompt.workspace.ranking.filters import RankingFilters
from fedprompt.workspace.ranking.ranking_csv import RankingFile
from fedprompt.workspace.ranking.ranking_page import RankingPage

__all__ = ["LEAST_COMPARED", "MOST_COMPARED", "draw_table"]

LEAST_COMPARED, MOST_COMPARED = 2, 6


def draw_table(
    study: str, asked: RankingFilters, view: RankingPage, before: int, *, test: bool, more: Sequence[str], total: int
) -> None:
    """Draw the page of a ranking.

    Args:
        study: its study, a digest.
        asked: its filters.
        view: the page.
        before: how many rows the pages before it have.
        test: with the test scores of nominated prompts.
        more: which further columns to show.
        total: how many prompts pass the filters, those that are not ranked, too.
    """
    ids = [row.id for row in view.rows]
    frame = ranking_frame(view, before, test=test)
    event = st.dataframe(
        heated(frame, view.sites),
        hide_index=True,
        key=table_key("leaderboard", ids),
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="\N{EM DASH}",
        height=min(38 + 35 * len(frame), 740),
        column_config=column_settings(view.sites),
        column_order=column_order(frame, view.sites, more),
        alt="Prompts, ranked by their mean over the sites",
    )
    chosen = [ids[place] for place in event.selection.rows if place < len(ids)]
    with st.container(horizontal=True, vertical_alignment="center"):
        enough = LEAST_COMPARED <= len(chosen) <= MOST_COMPARED
        if st.button(
            f"Compare {len(chosen)} prompts" if enough else "Compare",
            key="leaderboard_compare",
            icon=":material/compare_arrows:",
            type="primary",
            disabled=not enough,
        ):
            go("compare", chosen)
        if st.button("Open in the bank", key="leaderboard_bank", icon=":material/inventory_2:", disabled=not chosen):
            go("bank", chosen[:MOST_COMPARED])
        draw_file(RankingFile(asked.filter(study), asked.order, test), total)
        if not enough:
            st.caption("Tick two to six rows to compare them.")
    st.caption(
        "**\N{ALMOST EQUAL TO} best**: not distinguishable from the best on these cases. **reference**: tuned on "
        "pooled cases, which no real federation could have, so it is never called best. A click on a column's title "
        "sorts this page."
    )
