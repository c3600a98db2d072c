"""A choice among ids that the address keeps (``?run=r1:...``); choices of fixed words are bound by Streamlit itself."""

from collections.abc import Sequence

import streamlit as st

__all__ = ["follow_address", "keep_address"]


def follow_address(name: str, key: str, ids: Sequence[str]) -> None:
    """Have the choice that the session keeps under ``key`` be what a new address names, if that is one of ``ids``."""
    state, asked = st.session_state, st.query_params.get(name)
    if asked != state.get(f"{key}_linked"):
        state[f"{key}_linked"] = asked
        if asked in ids:
            state[key] = asked


def keep_address(name: str, key: str, chosen: str) -> None:
    """Put what is chosen into the address; what else stands there stays."""
    if st.query_params.get(name) != chosen:
        st.query_params[name] = st.session_state[f"{key}_linked"] = chosen
