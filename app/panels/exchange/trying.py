"""An export filled in with one case by the library that it is for, before anything is written."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.display.named import named
from app.display.plain import label, plain
from app.panels.runs.running import run_quick
from app.session import explain, workspace
from app.visitor import require, why_not
from fedprompt.errors import FedPromptError
from fedprompt.prompts.prompt import Prompt
from fedprompt.workspace.exchange.tried import LIBRARIES, can_try

__all__ = ["draw_try"]

LONGEST = 10_000


def draw_try(chosen: tuple[str, ...], format: str, prompt: Prompt) -> None:
    """Draw a case to fill in and what the format's library makes of it; ``prompt`` is the first of those chosen."""
    if format not in LIBRARIES:
        return
    library = LIBRARIES[format][1]
    with st.container(border=True, key="bank_try_case"):
        st.markdown(f":material/play_circle: **Try it with {library}**")
        if not can_try(format):
            st.caption(f"{library} is not installed on this machine, so the export cannot be tried here.")
            return
        fields = {
            name: st.text_area(
                label(name), key=f"bank_try_{format}_{prompt.id}_{name}", height=68, max_chars=LONGEST, value="..."
            )
            for name in prompt.template.variables
        }
        st.caption(":material/lock: The text stays on this machine and is not saved. No model runs.")
        why = why_not("exchange")
        if st.button(
            f"Render with {library}",
            key="bank_try_run",
            icon=":material/play_arrow:",
            disabled=why is not None,
            help=why,
        ):
            require("exchange")
            _run(chosen, format, {name: str(text or "") for name, text in fields.items()})
        told: tuple[Any, Mapping[str, Any]] | None = st.session_state.get("bank_tried")
        if told is not None and told[0] == (chosen, format, fields):
            _draw(told[1])


def _run(chosen: tuple[str, ...], format: str, fields: dict[str, str]) -> None:
    st.session_state.pop("bank_tried", None)
    arguments = {"prompts": list(chosen), "format": format, "fields": fields}
    try:
        found = run_quick(workspace(), "export-try", arguments, "Rendering")
    except FedPromptError as error:
        explain(error)
        return
    st.session_state["bank_tried"] = ((chosen, format, fields), dict(found))


def _draw(found: Mapping[str, Any]) -> None:
    st.markdown(f"**Output of {plain(str(found['library']))}** :small[:gray[{found['seconds']:.1f} s]]")
    st.code(str(found["output"]) or " ", language=None, wrap_lines=True)
    if found["same"] is None:
        named("bank_tried_uncompared").caption(
            "The prompt shows a site's examples, which are not exported, so the texts are not compared."
        )
    elif found["same"]:
        named("bank_tried_same").caption(":green[:material/check_circle:] Identical to the text that fedprompt sends.")
    else:
        named("bank_tried_other").warning(
            "This differs from the text that fedprompt sends. Check the difference before you use the export."
        )
