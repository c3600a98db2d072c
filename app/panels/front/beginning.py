"""What a first visitor sees: what to do, and what will happen then."""

from collections.abc import Callable

import streamlit as st

from app.display.address import go
from app.display.named import named
from app.visitor import barred

__all__ = ["draw_empty", "draw_empty_hub", "draw_empty_site", "draw_plan"]

PLAN = (
    ("rule", "Score", "Each of six help desks scores a few prompt templates on its own questions."),
    ("hub", "Tune together", "In rounds, the desks tune a soft prompt and the hub joins what they send."),
    ("home", "Tune alone", "To compare, each desk also tunes one by itself."),
    ("group_add", "A newcomer", "A desk with 16 labelled questions, in no round, uses the shared prompts."),
)


def draw_plan() -> None:
    """Say what will happen, for a visitor who waits for the first scores."""
    named("overview_plan").header("What happens then")
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
        first = "" if assets_ready else "It first fetches a small language model and the texts (about 210 MB, once). "
        st.markdown(
            "The demo sets up six help desks on this machine. Each sorts its own mix of questions. A newcomer has 16 "
            f"labelled questions: the demo measures what the desks' prompts are worth to it. {first}It then takes some "
            "minutes, and you can watch it here."
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
            "A file with a column of text and a column that says the right answer is enough: drop it, see whether it "
            "can be used, and rank a first few prompts on it. It stays on this machine."
        )
        if st.button("Drop a file", key="overview_data", icon=":material/table_view:"):
            go("data")


def draw_empty_site() -> None:
    """Say what a site's operator does first."""
    with st.container(border=True, key="overview_empty"):
        st.header("Nothing has been run here yet")
        st.markdown(
            "Drop your file of labelled cases and see whether it can be used. Trust then rehearses on it what would "
            "leave this site, to the byte, before anything does."
        )
        if st.button("Drop a file", key="overview_data", type="primary", icon=":material/table_view:"):
            go("data")


def draw_empty_hub() -> None:
    """Say what a hub's operator does first."""
    with st.container(border=True, key="overview_empty"):
        st.header("No federation has been run here yet")
        st.markdown(
            "Write the study that the sites are to work on together and send it to them; once their operators have "
            "accepted it, start the rounds."
        )
        with st.container(horizontal=True):
            if st.button("Write a study", key="overview_study", type="primary", icon=":material/edit_note:"):
                go("new_study")
            if st.button("Open Federation", key="overview_federation", icon=":material/lan:"):
                go("federation")
