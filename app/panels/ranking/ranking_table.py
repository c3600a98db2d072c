"""A page of the ranking as a table, what can be done with the ticked rows, and the whole ranking as a CSV file."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import streamlit as st

from app.display.address import go
from app.panels.exchange.exporting import make_room
from app.panels.ranking.ranking import column_order, column_settings, heated, ranking_frame, table_key
from app.panels.runs.running import run_quick
from app.session import bank_stamp, explain, workspace
from fedprompt.errors import FedPromptError
from fedprompt.workspace.ranking.ranking_csv import RankingFile, ranking_csv
from fedprompt.workspace.ranking.ranking_page import RankingFilters, RankingPage

__all__ = ["LEAST_COMPARED", "MOST_COMPARED", "draw_file", "draw_table"]

AT_ONCE = 1_000
HELP = (
    "All matching prompts in this order, with each site's score, intervals and tags. Test scores are included "
    "where they are shown here."
)


def draw_file(asked: RankingFile, total: int) -> None:
    """Draw the button that takes the file of ``total`` prompts away, or the one that has it made."""
    ws = workspace()
    if total <= AT_ONCE:
        _draw_download("Download as CSV", lambda: ranking_csv(ws, asked))
        return
    made: tuple[object, str] | None = st.session_state.get("leaderboard_file")
    if made is not None and made[0] == (asked, bank_stamp()) and Path(made[1]).is_file():
        _draw_download(f"Download {total:,} rows", Path(made[1]).read_bytes)
    elif st.button("Prepare CSV", key="leaderboard_write", icon=":material/table:", help=HELP):
        make_room(ws.home.exports)
        arguments = {"wanted": asdict(asked.wanted), "order": asked.order, "show_test": asked.show_test}
        try:
            found = run_quick(ws, "ranking-csv", arguments, "Writing the file")
        except FedPromptError as error:
            explain(error)
            return
        st.session_state["leaderboard_file"] = ((asked, bank_stamp()), str(found["path"]))
        st.rerun()


def _draw_download(label: str, data: Callable[[], bytes]) -> None:
    st.download_button(
        label,
        data,
        file_name="leaderboard.csv",
        mime="text/csv",
        key="leaderboard_csv",
        icon=":material/download:",
        on_click="ignore",
        help=HELP,
    )


LEAST_COMPARED, MOST_COMPARED = 2, 6


def draw_table(
    study: str,
    asked: RankingFilters,
    view: RankingPage,
    before: int,
    *,
    test: bool,
    more: Sequence[str],
    total: int,
    fold: bool = False,
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
        fold: whether the parts of a run are folded under the best of them.
    """
    frame = ranking_frame(view, before, test=test, fold=fold)
    ids = [str(one) for one in frame["id"]]
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
        alt="Prompts ranked by mean accuracy over the sites",
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
        if st.button("Open in Bank", key="leaderboard_bank", icon=":material/inventory_2:", disabled=not chosen):
            go("bank", chosen[:MOST_COMPARED])
        draw_file(RankingFile(asked.filter(study), asked.order, test), total)
        if not enough:
            st.caption("Select two to six rows to compare them.")
    st.caption(
        "**\N{ALMOST EQUAL TO} best**: not significantly different from the best. **reference**: tuned on "
        "pooled cases, which a real federation cannot do, so it is never called best. Click a column title to "
        "sort this page."
    )
