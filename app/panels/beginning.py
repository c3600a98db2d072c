"""What a first visitor sees: what to do, and what will happen then."""

from collections.abc import Callable

import streamlit as st

from app.visitor import barred

__all__ = ["draw_empty", "draw_plan"]

PLAN = (
    ("rule", "Score", "Each of four sites scores a dozen prompt templates on its own cases."),
    ("hub", "Tune together", "In rounds, sites tune a soft prompt and the hub joins what they send."),
    ("home", "Tune alone", "To compare, each site also tunes one by itself."),
    ("science", "Test", "At the end the nominated prompts meet the test cases, once."),
)


def draw_plan() -> None:
    """Say what will happen, for a visitor who waits for the first scores."""
    st.header("What happens then")
    with st.grid(4, min_column_width=175) as grid:
        for icon, title, about in PLAN:
            with grid.container(border=True, height="stretch", gap="xsmall"):
                st.markdown(f":green[:material/{icon}:] **{title}**")
                st.caption(about)


def draw_empty(start: Callable[[], None], *, assets_ready: bool) -> None:
    """Say what to do on a machine where nothing was run yet; ``start`` starts the demo."""
    with st.container(border=True, key="overview_empty"):
        st.header("Nothing has been run here yet")
        first = "" if assets_ready else "It first fetches a small language model and the texts (about 100 MB, once). "
        st.markdown(
            "The demo sets up a federation of four sites on this machine, each with its own kind of text: "
            f"tweets, movie reviews, product reviews and editorials. {first}It then takes some minutes, and you can "
            "watch it here."
        )
        st.button(
            "Start the demo",
            key="overview_start",
            type="primary",
            icon=":material/play_arrow:",
            disabled=barred("tune"),
            on_click=start,
        )
        st.caption("For your own data, open New study, or fedprompt study new \\-\\-data mine.csv on the command line.")
