"""The sentence of a budget of privacy, with epsilon and delta a click away."""

import streamlit as st

from app.display.named import named
from app.display.plain import plain
from fedprompt.privacy.promise import Promise

__all__ = ["draw_promise"]


def draw_promise(promise: Promise | None, key: str) -> None:
    """Draw what a study's noise hides; nothing where it has none. ``key`` names the part of the page."""
    if promise is None:
        return
    with named(f"{key}_promise"):
        st.markdown(f":material/shield: {plain(promise.sentence)}")
        with st.expander("Epsilon, delta and cost"):
            st.markdown(plain(promise.details))
            st.caption(plain(promise.cost))
