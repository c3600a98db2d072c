"""Variables of the Playground that have one value for every case."""

from collections.abc import Mapping, Sequence

import streamlit as st

__all__ = ["LONGEST_CONSTANT", "MOST_CONSTANTS", "ask_constants", "constants_given", "fill_constants"]

MOST_CONSTANTS, LONGEST_CONSTANT = 64, 100_000
NAMES = "playground_constants"


def ask_constants(variables: Sequence[str]) -> tuple[str, ...]:
    """Draw the choice of constants and a box for each; return the variables that each case still gives.

    Args:
        variables: all variables of the prompts.
    """
    state = st.session_state
    state[NAMES] = [name for name in state.get(NAMES, ()) if name in variables]
    if len(variables) < 2 and not state[NAMES]:
        return tuple(variables)
    chosen = st.multiselect(
        "Constants",
        list(variables),
        key=NAMES,
        placeholder="none",
        max_selections=MOST_CONSTANTS,
        persist_state="session",
        help="A constant has one value for every case. The cases give the other variables.",
    )
    for name in chosen:
        state.setdefault(_key(name), "")
        st.text_area(
            f"{name}, the same for every case",
            key=_key(name),
            height=70,
            max_chars=LONGEST_CONSTANT,
            persist_state="session",
        )
    return tuple(name for name in variables if name not in chosen)


def constants_given(variables: Sequence[str]) -> dict[str, str]:
    """Return the value of each of these variables that is a constant."""
    state = st.session_state
    return {name: str(state.get(_key(name)) or "") for name in state.get(NAMES, ()) if name in variables}


def fill_constants(values: Mapping[str, str]) -> None:
    """Put constants into the boxes, beside those that are there."""
    state = st.session_state
    state[NAMES] = list(dict.fromkeys([*state.get(NAMES, ()), *values]))[-MOST_CONSTANTS:]
    for name, value in values.items():
        state[_key(name)] = value


def _key(name: str) -> str:
    return f"playground_constant_{name}"
