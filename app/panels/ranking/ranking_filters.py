"""What is asked of the ranking: which prompts, in which order, which page. The store answers, never the page."""

from collections.abc import Hashable, Mapping, Sequence

import streamlit as st

from app.display.named import named
from fedprompt.prompts.origins import origin_choices
from fedprompt.workspace.ranking.ranking_page import Order, RankingFilters

__all__ = ["KINDS", "ask_columns", "ask_filters", "ask_page", "ask_test", "where_from"]

ORDERS: dict[Order, str] = {"mean": "mean over sites", "worst": "worst site", "pooled": "mean over cases"}
KINDS = {"": "any kind", "template": "templates", "soft": "tuned"}
ANY = "any site"


def ask_page(page: str, asked: Hashable, total: int, size: int) -> int:
    """Draw the choice where there is more than one page, and return it, from 0; asked for other things, the first.

    Args:
        page: whose choice it is.
        asked: what else was asked, such as filters.
        total: how many rows there are.
        size: how many a page has.
    """
    pages, key = -(-total // size), f"{page}_page"
    if pages < 2:
        return 0
    if st.session_state.setdefault(f"{page}_paged", asked) != asked:
        st.session_state[f"{page}_paged"], st.session_state[key] = asked, 1
    if st.session_state.get(key, 1) > pages:
        st.session_state[key] = pages
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.number_input("Page", 1, pages, key=key, width=150, bind="query-params", persist_state="session")
        named(f"{page}_pages", narrow=True).caption(
            f"of {pages:,} \N{MIDDLE DOT} {total:,} matching prompts, {size} per page"
        )
    return int(chosen) - 1


def where_from(sites: Sequence[str] = ()) -> dict[str, str]:
    """Return the origins that a list can be filtered by, with their words."""
    return {"": "anywhere", **origin_choices(sites)}


def ask_filters(sites: tuple[str, ...]) -> RankingFilters:
    """Draw the filters in one row and return what they say."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="leaderboard_filters"):
        words = st.text_input(
            "Search",
            key="leaderboard_text",
            help="Matches the start of words in the prompt's name or text.",
            icon=":material/search:",
            width=150,
            persist_state="session",
        )
        kind = st.selectbox(
            "Kind",
            list(KINDS),
            format_func=lambda one: KINDS[one],
            key="leaderboard_kind",
            width=110,
            bind="query-params",
            persist_state="session",
        )
        origins = where_from(sites)
        origin = st.selectbox(
            "Origin",
            list(origins),
            format_func=lambda one: origins[one],
            key="leaderboard_origin",
            width=150,
            bind="query-params",
            persist_state="session",
        )
        tag = st.text_input(
            "Tag",
            key="leaderboard_tag",
            placeholder="staging",
            width=95,
            help="A tag, or name@tag, as set on the Bank page.",
            persist_state="session",
        )
        site = st.selectbox(
            "Site", [ANY, *sites], key="leaderboard_site", width=110, bind="query-params", persist_state="session"
        )
        least = st.number_input(
            "Minimum (%)",
            0,
            100,
            0,
            step=5,
            key="leaderboard_least",
            width=110,
            disabled=site == ANY,
            bind="query-params",
            persist_state="session",
        )
        order = st.selectbox(
            "Sort by",
            list(ORDERS),
            format_func=lambda one: ORDERS[one],
            key="leaderboard_order",
            width=150,
            bind="query-params",
            persist_state="session",
        )
    return RankingFilters(
        (words or "").strip()[:200],
        kind or None,
        origin or None,
        (tag or "").strip()[:100],
        None if site == ANY else site,
        float(least or 0),
        order,
    )


def ask_columns(more: Mapping[str, str]) -> list[str]:
    """Draw the choice of further columns (name -> title) and return the names of those chosen."""
    chosen = st.pills(
        "More columns",
        list(more),
        format_func=lambda one: more[one],
        selection_mode="multi",
        key="leaderboard_columns",
        label_visibility="collapsed",
        bind="query-params",
        persist_state="session",
    )
    return [str(one) for one in chosen]


def ask_test(looks: int) -> bool:
    """Draw the switch for test cases, which tells how often they were looked at."""
    looked = {0: "not used yet", 1: "used once"}.get(looks, f"used {looks} times")
    return st.toggle(
        f"Test scores ({looked})",
        key="leaderboard_test",
        help="Shows the test scores of nominated prompts. Choose prompts by validation cases: each look at the test "
        "cases makes them less reliable.",
    )
