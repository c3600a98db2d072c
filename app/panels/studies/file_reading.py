"""How a dropped file is read: guessed, shown, changed by whoever dropped it; and what is then in it.

What is in a file is looked at by a job, and remembered for the visitor: none of it is kept in the bank.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.panels.runs.running import run_once
from app.panels.studies.columns import ask_header, ask_reading
from app.session import workspace
from fedprompt.workspace.cases.data_view import DELIMITED
from fedprompt.workspace.cases.evaluation_sets import EvaluationSet, Reading

__all__ = ["ask_file", "ask_first_line"]


def ask_file(chosen: EvaluationSet, page: str) -> tuple[Reading | None, Mapping[str, Any] | None]:
    """Draw the choices of one file; ``page`` begins the keys.

    Returns:
        What is chosen and what is then in the file, None while a choice is missing. Where nobody has said yet what its
        first line holds, the view says so (``ask_header``), and there is no reading.

    Raises:
        FedPromptError: the file cannot be read at all, whatever is chosen.
    """
    first, header = ask_first_line(chosen, page)
    if first["ask_header"]:
        return None, first
    guess = None if first["reading"] is None else Reading.model_validate(first["reading"])
    reading = ask_reading(first["columns"], guess, f"{_key(chosen, page)}_{header}", header)
    return reading, None if reading is None else _look(chosen, reading)


def ask_first_line(chosen: EvaluationSet, page: str) -> tuple[Mapping[str, Any], bool | None]:
    """Draw what a file's first line holds, where that is a question; return what is in the file, and what was said.

    Raises:
        FedPromptError: the file cannot be read at all.
    """
    key, before = _key(chosen, page), chosen.reading
    said = st.session_state.get(f"{key}_said", None if before is None else before.header)
    first = _look(chosen, before if before is not None and before.header == said else None, said)
    header = said
    delimited = chosen.path.suffix.lower() in DELIMITED
    if delimited or first["ask_header"]:
        header = ask_header(bool(first["ask_header"]), said, key, only_names=not delimited)
    if header != said:
        st.session_state[f"{key}_said"] = header
        st.rerun()
    return first, header


def _key(chosen: EvaluationSet, page: str) -> str:
    return f"{page}_{chosen.id}_{chosen.changed}"


def _look(chosen: EvaluationSet, reading: Reading | None, header: bool | None = None) -> Mapping[str, Any]:
    """Return what is in the file; the last looks of this visitor are remembered."""
    key = (chosen.id, chosen.changed, None if reading is None else reading.model_dump_json(), header)
    given = None if reading is None else reading.model_dump(mode="json")
    arguments = {"data": str(chosen.path), "reading": given, "header": header}
    return run_once("data_seen", key, workspace(), "data", arguments, f"Reading {chosen.path.name}")
