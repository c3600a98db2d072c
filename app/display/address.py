"""What an address keeps, and ways from one page to another.

In an address stand ids of prompts, studies and runs, and nothing else.
"""

from collections.abc import Sequence

import streamlit as st
from streamlit.errors import StreamlitAPIException

from app.display.named import named

__all__ = ["MAX_IDS", "asked_for", "follow_address", "go", "keep_address", "query_ids", "set_query_ids"]

MAX_IDS = 8


def follow_address(name: str, key: str, ids: Sequence[str]) -> None:
    """Have the choice that the session keeps under ``key`` be what a new address names, if that is one of ``ids``."""
    state, asked = st.session_state, st.query_params.get(name)
    if asked != state.get(f"{key}_linked"):
        state[f"{key}_linked"] = asked
        if asked in ids:
            state[key] = asked


def keep_address(name: str, key: str, chosen: str) -> None:
    """Put into the address what the visitor chose, or what is shown in place of what it names; the rest of it stays.

    What is shown unasked is not written: each writing is a step of the browser's history, and Back would need two
    presses to leave the page.
    """
    named, asked = st.query_params.get(name), st.session_state.pop(f"{key}_asked", False)
    if named != chosen and (asked or named is not None):
        st.query_params[name] = st.session_state[f"{key}_linked"] = chosen


def asked_for(key: str) -> None:
    """Note that the visitor chose what the session keeps under ``key``; a control calls it when it changes."""
    st.session_state[f"{key}_asked"] = True


def query_ids() -> tuple[str, ...]:
    """Return the prompt ids in the address (``?p=...&p=...``), each once, at most ``MAX_IDS``."""
    return tuple(dict.fromkeys(value[:80] for value in st.query_params.get_all("p")))[:MAX_IDS]


def set_query_ids(prompts: Sequence[str]) -> None:
    """Put prompt ids into the address; what else stands there stays."""
    if tuple(prompts) == tuple(st.query_params.get_all("p")):
        return
    if prompts:
        st.query_params["p"] = list(prompts)
    else:
        del st.query_params["p"]


def go(page: str, prompts: Sequence[str] = (), study: str | None = None) -> None:
    """Open a page on some prompts, or on a study by its digest.

    Where a page runs alone there is nowhere to go, and it stays.
    """
    try:
        st.switch_page(f"../pages/{page}.py", query_params={"p": list(prompts)} | ({"study": study} if study else {}))
    except StreamlitAPIException:
        named(f"open_{page}").caption(f"Open the page '{page}' to continue.")
