"""Leaderboard: every prompt, ranked on validation cases."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.panels.plain import plain
from app.panels.ranking import KINDS, column_settings, heated, ranking_frame, table_key
from app.panels.travel import go
from app.session import guarded, leaderboard_view, prompt_titles
from fedprompt.workspace.views import LeaderboardView, LeaderRow

MOST_COMPARED = 4


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Leaderboard")
    view = leaderboard_view(None, bool(st.session_state.get("leaderboard_test", False)))
    if not view.ranked and not view.partial:
        st.info(
            "Prompts appear here as soon as sites have scored them. Start the demo on the Overview page, or "
            "score your own with fedprompt score on the command line.",
            title="No prompt has been scored yet",
            icon=":material/hourglass_empty:",
        )
        return
    st.caption(
        f"{plain(view.title)} · {len(view.ranked)} prompts at {len(view.sites)} sites · ranked on validation "
        "cases by the mean over sites, each counted once"
    )
    kept = ask_filters(view)
    test = ask_test(view)
    ranked = [row for row in view.ranked if row.id in kept]
    if not view.ranked:
        st.info("No prompt has been scored at every site yet.", icon=":material/hourglass_empty:")
    elif not ranked:
        st.info("No prompt passes these filters; loosen one of them.", icon=":material/filter_alt_off:")
    else:
        frame = ranking_frame(view.ranked, view.sites, prompt_titles(), test=test)
        frame = frame[frame["id"].isin(kept)].reset_index(drop=True)
        draw_table(frame, view, [row.id for row in ranked])
    partial = [row for row in view.partial if row.id in kept]
    if partial:
        st.subheader("Not measured at every site")
        st.caption("These are not ranked, since a mean over fewer sites would not compare.")
        rest = ranking_frame(partial, view.sites, prompt_titles()).drop(
            columns=["place", "mean", "interval", "worst site", "standing", "best with"]
        )
        st.dataframe(
            heated(rest, view.sites),
            hide_index=True,
            placeholder="not measured",
            column_config=column_settings(view.sites, narrow=False),
            alt="Prompts that were not measured at every site",
        )


def ask_filters(view: LeaderboardView) -> frozenset[str]:
    """Draw the filters and return the ids of the prompts that pass."""
    rows = (*view.ranked, *view.partial)
    with st.container(horizontal=True, vertical_alignment="bottom", key="leaderboard_filters"):
        text = st.text_input(
            "Name contains",
            key="leaderboard_text",
            icon=":material/search:",
            width=240,
            live=True,
            persist_state="session",
        )
        kinds = st.pills(
            "Kind",
            list(KINDS),
            selection_mode="multi",
            format_func=lambda kind: KINDS[kind],
            key="leaderboard_kind",
            persist_state="session",
        )
        site = st.selectbox(
            "At least", ["any site", *view.sites], key="leaderboard_site", width=170, persist_state="session"
        )
        least = st.number_input(
            "reaches (%)",
            0,
            100,
            0,
            step=5,
            key="leaderboard_least",
            width=140,
            disabled=site == "any site",
            persist_state="session",
        )
    names = prompt_titles()
    return frozenset(
        row.id for row in rows if passes(row, names.get(row.id, row.name), text or "", kinds or (), site, least)
    )


def passes(row: LeaderRow, name: str, text: str, kinds: Sequence[str], site: str, least: float) -> bool:
    """Return whether a prompt passes all filters; one that was not measured at the site does not."""
    if text.lower() not in name.lower() or (kinds and row.kind not in kinds):
        return False
    if site not in row.sites:
        return True
    score = row.sites[site]
    return score is not None and 100 * score.value >= least


def ask_test(view: LeaderboardView) -> bool:
    """Draw the switch for test cases, which tells how often they were looked at."""
    looked = {0: "nobody has looked at them yet", 1: "they were looked at once"}.get(
        view.looks, f"they were looked at {view.looks} times"
    )
    return st.toggle(
        f"Show test cases, for nominated prompts only ({looked})",
        key="leaderboard_test",
        help="Prompts are chosen on validation cases. The more often one looks at test cases while choosing, "
        "the less they say; so only prompts that were nominated before are shown.",
    )


def draw_table(frame: pd.DataFrame, view: LeaderboardView, ids: Sequence[str]) -> None:
    """Draw the ranking, and what can be done with the rows that are chosen."""
    event = st.dataframe(
        heated(frame, view.sites),
        hide_index=True,
        key=table_key("leaderboard", ids),
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="not measured",
        height=min(38 + 35 * len(frame), 740),
        column_config=column_settings(view.sites),
        alt="All prompts, ranked by their mean over the sites",
    )
    chosen = [ids[place] for place in event.selection.rows if place < len(ids)]
    with st.container(horizontal=True, vertical_alignment="center"):
        enough = 2 <= len(chosen) <= MOST_COMPARED
        if st.button(
            f"Compare {len(chosen)} prompts" if enough else "Compare",
            key="leaderboard_compare",
            icon=":material/compare_arrows:",
            type="primary",
            disabled=not enough,
        ):
            go("compare", chosen)
        if st.button("Open in the bank", key="leaderboard_bank", icon=":material/inventory_2:", disabled=not chosen):
            go("bank", chosen)
        st.download_button(
            "Download as CSV",
            frame.to_csv(index=False),
            file_name="leaderboard.csv",
            mime="text/csv",
            key="leaderboard_csv",
            icon=":material/download:",
            on_click="ignore",
        )
        if not enough:
            st.caption("Tick two to four rows to compare them.")
    st.caption(
        "**\N{ALMOST EQUAL TO} best**: not distinguishable from the best on these cases. "
        "Click a column's title to sort by it."
    )


draw()
