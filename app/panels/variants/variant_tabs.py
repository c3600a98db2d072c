"""The variants of the playground: boxes alone for one, tabs for more; one is added as a copy of the last."""

import streamlit as st

from app.panels.models.session_models import model_names
from app.panels.variants.cross import ask_cross
from app.panels.variants.slots import MOST_VARIANTS, add, letter, open_slots, remove
from app.panels.variants.variant import ask_variant
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.workspace import Workspace

__all__ = ["ask_variants"]


def ask_variants(ws: Workspace) -> tuple[Variant, ...]:
    """Draw the variants in tabs; return them, or none while one of them is wrong."""
    numbers, models = open_slots(), model_names(ws)
    with st.container(horizontal=True):
        st.button(
            "Add a variant",
            key="playground_add",
            icon=":material/add:",
            on_click=add,
            disabled=len(numbers) == MOST_VARIANTS,
            help="A copy of the last one, to run beside it.",
        )
        if len(numbers) > 1:
            for place, number in enumerate(numbers):
                st.button(
                    f"Remove {letter(place)}",
                    key=f"playground_remove_{number}",
                    type="tertiary",
                    on_click=remove,
                    args=(number,),
                )
    crossing = st.container()
    if len(numbers) == 1:
        found = [ask_variant(ws, numbers[0], letter(0), models)]
    else:
        tabs = st.tabs([f"Variant {letter(place)}" for place in range(len(numbers))])
        found = []
        for place, (tab, number) in enumerate(zip(tabs, numbers, strict=True)):
            with tab:
                found.append(ask_variant(ws, number, letter(place), models))
    variants = tuple(one for one in found if one is not None) if None not in found else ()
    with crossing:
        ask_cross(ws, models, variants)
    return variants
