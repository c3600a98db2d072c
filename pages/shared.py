"""Use shared prompts: what other sites tuned, put to work on one's own texts with twenty labelled cases or none."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from app.panels.runs.work import active, draw_work, follow, newest_of
from app.panels.shared.going_on import draw_going_on
from app.panels.shared.outcome import draw_outcome
from app.panels.shared.own_cases import OwnCases, ask_own_cases
from app.panels.shared.pack_choice import ask_pack, drop_pack
from app.session import guarded, packs_view, role, workspace
from app.visitor import barred, submit
from fedprompt.workspace.as_json import from_json
from fedprompt.workspace.exchange.packs_here import PackHere, is_missing
from fedprompt.workspace.local.adapt_result import AdaptResult

ABOUT = (
    "Other sites tuned prompts on their own cases. They share the prompts, but never a case. Use the prompts "
    "on your texts with twenty labelled cases, with three, or with none. A few cases show which prompts suit "
    "you, and how accurate they are here."
)
HERE = (
    ":material/lock: Everything runs on this machine with a local model. None of your cases leaves it or is "
    "saved to the bank."
)


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Use shared prompts")
    if role() == "hub":
        st.info("A hub holds no cases, so shared prompts cannot be used here.", icon=":material/hub:")
        return
    st.markdown(ABOUT, width=860)
    follow("shared", lambda: (newest_of("assets"), newest_of("adapt")), live)
    job = newest_of("adapt")
    if active(job):
        return
    if job is not None and job.state == "done" and job.result:
        found = from_json(AdaptResult, job.result)
        st.header("Value of the prompts here")
        draw_outcome(found)
        draw_going_on(found)
        st.header("Change prompts or cases")
        draw_start(st.subheader)
    else:
        draw_start(st.header)


@guarded
def live() -> None:
    """Draw the work that runs, or why the last one broke off; before it the model, where that is fetched first."""
    fetching = newest_of("assets")
    if active(fetching):
        draw_work(fetching, "shared_assets")
    draw_work(newest_of("adapt"), "shared")


def draw_start(heading: Callable[[str], object]) -> None:
    """Draw the choice of prompts and cases, and the button that starts, under headings of a level."""
    heading("1. Which prompts?")
    packs = packs_view()
    chosen = ask_pack(packs)
    if not packs:
        st.info(
            "Get prompts from your federation with 'fedprompt site pull', or upload a file that you received below.",
            title="No shared prompts yet",
            icon=":material/inbox:",
        )
    drop_pack(open_=not packs)
    if chosen is None or chosen.pack is None:
        return
    heading("2. Which cases?")
    draw_button(chosen, ask_own_cases(chosen.pack))


def draw_button(chosen: PackHere, own: OwnCases) -> None:
    """Draw the button, and beside it what is lacking."""
    closed = barred("tune")
    st.button(
        "Use the prompts",
        key="shared_start",
        type="primary",
        icon=":material/play_arrow:",
        disabled=closed or own.lacking is not None or active(newest_of("adapt")),
        on_click=begin,
        args=(chosen.model, {"pack": chosen.reference, **own.arguments}),
    )
    if is_missing(workspace().home, chosen.model):
        st.caption(":material/download: This first downloads the model and the texts (about 210 MB, once).")
    if own.lacking and not closed:
        st.caption(f":material/info: {own.lacking}")
    st.caption(HERE)


@guarded
def begin(model: str, arguments: Mapping[str, Any]) -> None:
    """Queue the work, and before it the model where that is not here yet."""
    ws = workspace()
    if is_missing(ws.home, model):
        submit(ws, "assets", {})
    submit(ws, "adapt", arguments)


draw()
