"""What a first visitor sees: what to do, and what will happen then."""

from collections.abc import Callable

import streamlit as st

from app.display.address import go
from app.display.named import named
from app.visitor import barred

__all__ = ["draw_empty", "draw_empty_hub", "draw_empty_site", "draw_plan"]

PLAN = (
    ("rule", "Score", "Each of six help desks scores a few prompt templates on its own questions."),
    ("hub", "Tune together", "Over several rounds, the desks tune a soft prompt. The hub combines their updates."),
    ("home", "Tune alone", "For comparison, each desk also tunes a soft prompt alone."),
    (
        "group_add",
        "A newcomer",
        "A seventh desk with 16 labelled questions takes part in no round and uses the shared prompts.",
    ),
)


def draw_plan() -> None:
    """Say what will happen, for a visitor who waits for the first scores."""
    named("overview_plan").header("What the demo does")
    with st.grid(4, min_column_width=175) as grid:
        for icon, title, about in PLAN:
            with grid.container(border=True, height="stretch", gap="xsmall"):
                st.markdown(f":green[:material/{icon}:] **{title}**")
                st.caption(about)


def draw_empty(start: Callable[[], None], *, assets_ready: bool) -> None:
    """Say what to do on a machine where nothing was run yet; ``start`` starts the demo."""
    grid = st.grid(2, min_column_width=340, gap="medium")
    with grid.container(border=True, height="stretch", key="overview_empty"):
        st.header("See it run")
        first = "" if assets_ready else "First it downloads a small language model and the texts (about 210 MB, once). "
        st.markdown(
            "The demo sets up six help desks on this machine. Each desk answers a different mix of questions. "
            "A newcomer has 16 labelled questions, and the demo measures how much the desks' prompts help it. "
            f"{first}The demo takes a few minutes, and this page shows its progress."
        )
        st.button(
            "Start the demo",
            key="overview_start",
            type="primary",
            icon=":material/play_arrow:",
            disabled=barred("tune"),
            on_click=start,
        )
    with grid.container(border=True, height="stretch", key="overview_own"):
        st.header("Use your own cases")
        st.markdown(
            "You need a file with a text column and a column with the correct answer. Upload it, check it, and "
            "rank a first set of prompts on it. The file stays on this machine."
        )
        if st.button("Upload a file", key="overview_data", icon=":material/table_view:"):
            go("data")


def draw_empty_site() -> None:
    """Say what a site's operator does first."""
    with st.container(border=True, key="overview_empty"):
        st.header("Nothing has been run here yet")
        st.markdown(
            "Upload your file of labelled cases and check it. The Trust page can then show exactly what would "
            "leave this site, before anything does."
        )
        if st.button("Upload a file", key="overview_data", type="primary", icon=":material/table_view:"):
            go("data")


def draw_empty_hub() -> None:
    """Say what a hub's operator does first."""
    with st.container(border=True, key="overview_empty"):
        st.header("No federation has been run here yet")
        st.markdown("Write a study and send it to the sites. Once their operators have accepted it, start the rounds.")
        with st.container(horizontal=True):
            if st.button("Write a study", key="overview_study", type="primary", icon=":material/edit_note:"):
                go("new_study")
            if st.button("Open Federation", key="overview_federation", icon=":material/lan:"):
                go("federation")
