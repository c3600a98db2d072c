"""The choice of a page of something that the store pages."""

from collections.abc import Hashable

import streamlit as st

__all__ = ["ask_page"]


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
        st.caption(f"of {pages:,} \N{MIDDLE DOT} {total:,} prompts pass, {size} on a page")
    return int(chosen) - 1
