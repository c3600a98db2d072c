"""The four steps from a file to a first ranking, and which of them the visitor is at."""

import streamlit as st

__all__ = ["draw_steps"]

STEPS = ("Upload a file", "Columns and labels", "Prompts", "First ranking")


def draw_steps(at: int) -> None:
    """Draw the steps; ``at`` counts from 1."""
    parts = []
    for number, name in enumerate(STEPS, 1):
        if number < at:
            parts.append(f":green[:material/check_circle: {name}]")
        elif number == at:
            parts.append(f":green-badge[{number}] **{name}**")
        else:
            parts.append(f":gray[{number} {name}]")
    st.markdown(" :gray[—] ".join(parts))
