"""The button that runs everything a page holds: with Ctrl+Enter too, and where it is disabled with the reason."""

import streamlit as st

from app.panels.runs.live import run_at_ctrl_enter
from app.visitor import barred

__all__ = ["ask_run"]


def ask_run(page: str, label: str, lacking: str | None) -> bool:
    """Draw the button and return whether it was pressed.

    Args:
        page: begins its key.
        label: what it says.
        lacking: what has to be given before it can be pressed, in a sentence.
    """
    closed = barred("try")
    pressed = st.button(
        label,
        key=f"{page}_run",
        type="primary",
        icon=":material/play_arrow:",
        disabled=closed or lacking is not None,
        width="stretch",
    )
    if lacking is None:
        st.caption(":material/keyboard: Ctrl+Enter runs it too.", text_alignment="center")
    elif not closed:
        st.caption(f":material/info: {lacking}", text_alignment="center")
    run_at_ctrl_enter(f"{page}_run")
    return pressed
