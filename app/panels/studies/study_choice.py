"""The choice of the study that Leaderboard, Map and Bank speak of, once there are two; it stands in the address."""

import streamlit as st

from app.display.address import asked_for, keep_address
from app.display.titles import apart
from app.session import STUDY, scored_studies, show_study, study_shown
from fedprompt.bank.rows import StudyRow

__all__ = ["ask_study"]


def ask_study(page: str, label: str = "Study") -> StudyRow | None:
    """Draw a page's choice and return the study, None while none has scores.

    The one that was worked on last comes first and is taken until another is chosen.
    """
    rows, chosen = scored_studies(), study_shown()
    if chosen is None or len(rows) < 2:
        return chosen
    names, key = apart({row.digest: row.name for row in rows}), f"{page}_study"
    st.session_state[key] = chosen.digest  # it may have been chosen on another page
    st.selectbox(label, list(names), format_func=names.__getitem__, key=key, width=220, on_change=_show, args=(key,))
    keep_address("study", STUDY, chosen.digest)
    return chosen


def _show(key: str) -> None:
    show_study(str(st.session_state[key]))
    asked_for(STUDY)
