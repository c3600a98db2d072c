"""The whole ranking as a CSV file: made at the click where that takes no time, else by a job that is followed."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import streamlit as st

from app.panels.exchange.exporting import make_room
from app.panels.runs.running import run_quick
from app.session import bank_stamp, explain, workspace
from fedprompt.errors import FedPromptError
from fedprompt.workspace.ranking.ranking_csv import RankingFile, ranking_csv

__all__ = ["draw_file"]

AT_ONCE = 1_000
HELP = (
    "Every prompt that passes the filters, in this order: what the page shows of it, each site's score, intervals and "
    "tags. Test scores are in it where they are shown here."
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
    elif st.button("Write as CSV", key="leaderboard_write", icon=":material/table:", help=HELP):
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
