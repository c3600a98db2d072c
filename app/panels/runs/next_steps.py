"""What to do with a prompt that a run has just found: compare it, try it, see it in the bank, export it."""

import streamlit as st

from app.display.address import go

__all__ = ["draw_next_steps"]


def draw_next_steps(page: str, prompt: str, against: str | None = None) -> None:
    """Draw the buttons.

    Args:
        page: begins their keys.
        prompt: its id.
        against: the id of the prompt to compare it with, where there is one.
    """
    with st.container(horizontal=True, key=f"{page}_next_steps"):
        other = against if against != prompt else None
        if other and st.button("Compare with the best template", key=f"{page}_compare", icon=":material/balance:"):
            go("compare", [prompt, other])
        if st.button("Open in Playground", key=f"{page}_try", icon=":material/experiment:"):
            go("playground", [prompt])
        if st.button("Open in Bank", key=f"{page}_bank", icon=":material/inventory_2:"):
            go("bank", [prompt])
        if st.button("Export", key=f"{page}_export", icon=":material/download:"):
            go("bank", [prompt])
