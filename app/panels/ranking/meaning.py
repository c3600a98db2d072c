"""Searching prompts by what they mean: a box where the encoder is on this machine, a sentence where it is not."""

import streamlit as st

from app.display.named import named
from app.display.plain import plain
from app.panels.runs.running import run_quick
from app.session import explain, workspace
from fedprompt.errors import FedPromptError
from fedprompt.workspace.search.finding import LONGEST_QUERY, can_search

__all__ = ["ask_meaning"]

MOST = 20


def ask_meaning(page: str = "bank") -> dict[str, float] | None:
    """Draw a page's box; return id -> likeness of what was found, nearest first, or None where nothing is searched."""
    ws = workspace()
    if not can_search(ws.home):
        named(f"{page}_no_encoder").caption(
            "Search by meaning needs the sentence encoder, which is not installed. The demo on the Overview "
            "page downloads it. So does this command: fedprompt assets pull"
        )
        return None
    text = (
        st.text_input(
            "Search by meaning",
            key=f"{page}_meaning",
            icon=":material/manage_search:",
            placeholder="Is the writer content?",
            max_chars=LONGEST_QUERY,
            width=420,
            help=f"Finds the {MOST} prompts closest in meaning. The search runs on this machine. Your query is kept "
            "only in this browser session.",
        )
        or ""
    ).strip()
    if not text:
        st.session_state.pop(f"{page}_found", None)
        return None
    kept: tuple[str, dict[str, float]] | None = st.session_state.get(f"{page}_found")
    if kept is None or kept[0] != text:
        try:
            result = run_quick(ws, "search", {"text": text, "limit": MOST}, "Searching by meaning")
        except FedPromptError as error:
            explain(error)
            return None
        kept = (text, {str(one["id"]): float(one["similarity"]) for one in result["found"]})
        st.session_state[f"{page}_found"] = kept
    if not kept[1]:
        st.caption(f"No prompt matches {plain(text)}.")
    return kept[1]
