"""Data: drop a file of labelled cases, say how it is read, see whether it can be used."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from app.display.named import named
from app.panels.studies.data_report import draw_counts, draw_read_as, draw_refused, draw_verdict
from app.panels.studies.dropping import choose_set, draw_removal, drop_file
from app.panels.studies.file_reading import ask_file
from app.panels.studies.steps import draw_steps
from app.session import explain, guarded, role, workspace
from app.visitor import barred, require, why_not
from fedprompt.errors import FedPromptError
from fedprompt.workspace.cases.data_view import without_refused
from fedprompt.workspace.cases.evaluation_sets import EvaluationSet, Reading, evaluation_sets, keep_reading


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Data")
    if role() == "hub":
        named("data_of_a_hub").info("A hub holds no cases, so it needs no file.", icon=":material/hub:")
        return
    steps = st.container()  # what is dropped below moves them on
    drop_file(barred("tune"))
    sets = evaluation_sets(workspace().home)
    with steps:
        draw_steps(2 if sets else 1)
    chosen = choose_set(sets, "data")
    if chosen is None:
        with st.container(border=True):
            named("data_none").markdown("**No file yet.** Upload a file with a text column and an answer column.")
            st.caption(
                "A few dozen lines are enough for a first ranking. More lines make it more certain. A "
                "federation needs about 100 distinct texts."
            )
        return
    grid = st.grid(2, min_column_width=340, gap="large")
    with grid.cell():
        reading, view = ask(chosen)
    with grid.cell():
        if view is not None:
            draw_report(chosen, reading, view)


def ask(chosen: EvaluationSet) -> tuple[Reading | None, Mapping[str, Any] | None]:
    """Draw the choices; return what is chosen and what is then in the file, None while a choice is missing."""
    try:
        reading, view = ask_file(chosen, "data")
    except FedPromptError as error:  # the file cannot be read at all, and may go
        explain(error)
        draw_removal(chosen)
        return None, None
    if view is not None and view["ask_header"]:
        draw_removal(chosen)
        return None, view
    with st.container(horizontal=True, vertical_alignment="center"):
        kept = reading is not None and reading == chosen.reading
        usable = view is not None and view["problem"] is None
        if kept and usable:
            if st.button("Next: prompts", key="data_next", type="primary", icon=":material/arrow_forward:"):
                st.session_state["new_study_chosen"] = chosen.id
                go_on()
        else:
            st.button(
                "Use these columns",
                key="data_confirm",
                type="primary",
                icon=":material/check:",
                disabled=not usable or why_not("tune") is not None,
                on_click=keep,
                args=(chosen, reading),
            )
        draw_removal(chosen)
    return reading, view


@guarded
def keep(chosen: EvaluationSet, reading: Reading) -> None:
    """Keep how a file is read."""
    require("tune")
    keep_reading(chosen, reading)


def go_on() -> None:
    """Open the page of the next step; where this page runs alone there is none."""
    from streamlit.errors import StreamlitAPIException

    try:
        st.switch_page("../pages/new_study.py")
    except StreamlitAPIException:
        st.caption("Open the New study page to continue.")


def draw_report(chosen: EvaluationSet, reading: Reading | None, view: Mapping[str, Any]) -> None:
    """Draw what is in the file, and what to do about lines that would be refused."""
    draw_verdict(view)
    draw_read_as(view)
    draw_refused(view)
    if reading is not None and (view.get("refused") or {}).get("count"):
        st.button(
            "Remove these lines",
            key="data_clean",
            icon=":material/filter_alt:",
            disabled=why_not("tune") is not None,
            help="Writes the other lines to a new file. The original stays unchanged.",
            on_click=clean,
            args=(chosen, reading),
        )
    if view["problem"] is None:
        draw_counts(view)


@guarded
def clean(chosen: EvaluationSet, reading: Reading) -> None:
    """Write the usable lines to a file of their own and choose it."""
    require("tune")
    path: Path = without_refused(chosen.path, reading)
    st.session_state["data_chosen"] = f"{chosen.site} / {path.name}"


draw()
