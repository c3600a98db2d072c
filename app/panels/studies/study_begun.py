"""What New study begins with, and what was typed since: kept for each file of cases and each study begun with.

Invariant: choosing another file or another study to begin with never takes away what was typed before.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

from app.drafts import Boxes, listed, mapped, one_of, text
from app.panels.studies.study_form import LONGEST, WAYS, set_study, study_text

__all__ = ["NEW_STUDY", "begin_with"]

MOST = 8
PAGE = "new_study"
_PARTS = frozenset({"study", "model", "answer", "templates", "soft", "tuning", "rounds", "privacy"})


def begin_with(wanted: tuple[str, str], changed: str, first: Callable[[], str]) -> None:
    """Have the form hold what was typed for these, else what they begin with; draw the way back to that.

    Args:
        wanted: the evaluation set, and the study begun with.
        changed: which version of the evaluation set it is.
        first: makes the study to begin with.
    """
    state = st.session_state
    before = state.get(f"{PAGE}_of")
    if before != list(wanted):
        texts: dict[str, str] = dict(state.get(f"{PAGE}_texts") or {})
        typed = study_text(PAGE)
        if before is not None and typed is not None and typed != state.get(f"{PAGE}_first"):
            texts["\n".join(before)] = typed
        kept = texts.pop("\n".join(wanted), None)
        state[f"{PAGE}_texts"] = dict(list(texts.items())[-MOST:])
        state[f"{PAGE}_first"] = first()
        set_study(PAGE, kept if kept is not None else state[f"{PAGE}_first"])
        state[f"{PAGE}_of"], state[f"{PAGE}_changed"] = list(wanted), changed
    elif state.get(f"{PAGE}_changed") != changed:
        anew = study_text(PAGE) == state.get(f"{PAGE}_first")
        state[f"{PAGE}_first"], state[f"{PAGE}_changed"] = first(), changed
        if anew:
            set_study(PAGE, state[f"{PAGE}_first"])
    if study_text(PAGE) != state[f"{PAGE}_first"]:
        with st.popover("Undo all changes", icon=":material/undo:", type="tertiary"):
            st.markdown("This resets the prompts to the starting draft. Your changes are deleted.")
            st.button(
                "Undo", key=f"{PAGE}_undo", type="primary", on_click=set_study, args=(PAGE, state[f"{PAGE}_first"])
            )


def _unfit(value: Any) -> bool:
    """Return whether this can be what a form holds that makes no study yet."""
    return value is None or (isinstance(value, dict) and value.keys() <= _PARTS)


def _anew() -> None:
    """Have the form be made out of the values that were put in."""
    state = st.session_state
    unfit, typed = state.get(f"{PAGE}_unfit"), study_text(PAGE)
    if typed is not None:
        base = state.get(f"{PAGE}_base", typed)
        set_study(PAGE, typed)
        state[f"{PAGE}_unfit"] = unfit
        if unfit is not None:
            state[f"{PAGE}_base"] = base


NEW_STUDY = Boxes(
    PAGE,
    {
        f"{PAGE}_chosen|{PAGE}_source": text(300),
        f"{PAGE}_way": one_of(*WAYS),
        f"{PAGE}_judge": lambda value: value is None or text(400)(value),
        f"{PAGE}_study|{PAGE}_base|{PAGE}_first": text(LONGEST),
        f"{PAGE}_unfit": _unfit,
        f"{PAGE}_of": listed(text(300), 2),
        f"{PAGE}_changed": text(40),
        f"{PAGE}_texts": mapped(text(LONGEST), MOST),
    },
    restored=_anew,
)
