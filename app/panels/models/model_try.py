"""The Test button of a model, and what came of it: latency, tokens, or the reason in a sentence."""

from collections.abc import Mapping
from typing import Any
from zlib import crc32

import streamlit as st

from app.display.plain import plain
from app.panels.runs.running import run_quick
from app.session import explain, workspace
from app.visitor import why_not
from fedprompt.errors import FedPromptError

__all__ = ["ask_try"]


def ask_try(name: str, arguments: Mapping[str, Any], *, disabled: bool = False) -> None:
    """Draw the button for a model; ``arguments`` are its name or a session's server."""
    key = f"models_test_{crc32(name.encode()):08x}"
    why = why_not("try")
    pressed = st.button("Test", key=key, icon=":material/speed:", disabled=disabled or why is not None, help=why)
    if pressed:
        try:
            found = run_quick(workspace(), "model-test", arguments, "Asking")
            st.session_state[f"{key}_told"] = dict(found)
        except FedPromptError as error:
            st.session_state.pop(f"{key}_told", None)
            explain(error)
    told = st.session_state.get(f"{key}_told")
    if told is not None:
        tokens = f", {told['tokens']} tokens" if told["tokens"] is not None else ""
        loaded = f"; loading took {told['load']:.1f} s" if told["load"] > 0.5 else ""
        text = plain(" ".join(str(told["text"]).split())[:80]) or "nothing"
        st.markdown(f":green-badge[:material/check: answers] {told['seconds']:.2f} s{tokens}{loaded}. It said: {text}")
