"""The variants of the playground: boxes alone for one, side by side for more; one is added as a copy of the last."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.display.named import named
from app.display.plain import plain
from app.panels.models.session_models import model_names
from app.panels.prompts.difference import marked_html, word_differences
from app.panels.runs.run_button import send_while_typing
from app.panels.variants.cross import ask_cross
from app.panels.variants.slots import MOST_VARIANTS, add, key, letter, open_slots, remove, text_in
from app.panels.variants.variant import ask_variant
from app.session import explain
from fedprompt.errors import FedPromptError
from fedprompt.workspace.answers.as_sent import AsSent, as_sent
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.workspace import Workspace

__all__ = ["Cards", "ask_variants", "draw_as_sent", "fields_of"]

MOST_COMPARED = 20_000  # characters; a longer prompt takes too long to compare at every pause in typing


@dataclass(frozen=True)
class Cards:
    """``variants``: each in its place, None where it is wrong; ``below``: where something can be drawn below each."""

    variants: tuple[Variant | None, ...]
    below: tuple[DeltaGenerator, ...]


def ask_variants(ws: Workspace) -> Cards:
    """Draw the variants beside each other."""
    numbers, models = open_slots(), model_names(ws)
    send_while_typing("playground_")
    with st.container(horizontal=True):
        st.button(
            "Add variant",
            key="playground_add",
            icon=":material/add:",
            on_click=add,
            disabled=len(numbers) == MOST_VARIANTS,
            help="Adds a copy of the last variant beside it.",
        )
    crossing = st.container()
    if len(numbers) == 1:
        found, below = [ask_variant(ws, numbers[0], letter(0), models)], [st.container(gap="small")]
    else:
        found, below = [], []
        grid = st.grid(min(len(numbers), 3), min_column_width=300, gap="medium")
        for place, number in enumerate(numbers):
            with grid.container(border=True, height="stretch", gap="small"):
                _draw_head(number, place)
                found.append(ask_variant(ws, number, letter(place), models))
                if place:
                    _draw_difference(numbers[0], number)
                below.append(st.container(gap="small"))
    with crossing:
        ask_cross(ws, models, [one for one in found if one is not None])
    for number, variant in zip(numbers, found, strict=True):
        if variant is not None:
            st.session_state[key(number, "variables")] = tuple(variant.variables)
    return Cards(tuple(found), tuple(below))


def draw_as_sent(ws: Workspace, cards: Cards, row: Mapping[str, str]) -> None:
    """Draw below each variant how long it is with a row of the texts, and the whole of it as it is sent."""
    for number, variant, below in zip(open_slots(), cards.variants, cards.below, strict=True):
        if variant is None or variant.adapted is not None:
            continue
        with below:
            try:
                found = as_sent(ws, variant, row)
            except FedPromptError as error:
                explain(error)
                continue
            named(key(number, "sent")).caption(_said_length(found))
            with st.expander("Prompt as sent", icon=":material/outgoing_mail:", key=key(number, "sent_text")):
                st.code(found.text or " ", language=None, wrap_lines=True)


def _said_length(found: AsSent) -> str:
    """Return in words how long a prompt is."""
    many = f"{found.tokens:,}" if found.tokens is not None else ""
    many += "" if found.window is None else f" of at most {found.window:,}"
    if found.tokens is None:
        return f"{len(found.text):,} characters with the first text. The server counts the tokens."
    if found.over:
        return f":red[:material/error: {many} tokens with the first text. This is too long for the model.]"
    more = "" if found.exact else ", plus those of the model's chat format"
    return f"{many} tokens with the first text{more}."


def fields_of(variants: tuple[Variant | None, ...]) -> tuple[str, ...]:
    """Return the variants' variables, constants included; one that is wrong just now has those that it had before."""
    found: dict[str, None] = {}
    for number, variant in zip(open_slots(), variants, strict=True):
        before = st.session_state.get(key(number, "variables"), ())
        found |= dict.fromkeys(before if variant is None else variant.variables)
    return tuple(found)


def _draw_head(number: int, place: int) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            f"Name of variant {letter(place)}",
            key=key(number, "name"),
            max_chars=80,
            placeholder=letter(place),
            persist_state="session",
            help="Answers, tables and downloads show this name. Without a name, the variant has only its letter.",
        )
        st.button(
            f"Remove {letter(place)}",
            key=f"playground_remove_{number}",
            icon=":material/close:",
            type="tertiary",
            on_click=remove,
            args=(number,),
        )


def _draw_difference(first: int, number: int) -> None:
    """Draw in which words a variant's prompt differs from the first one's."""
    ours, theirs = text_in(first), text_in(number)
    name = plain(str(st.session_state.get(key(first, "name")) or letter(0)))
    if ours == theirs:
        st.caption(f"This prompt is identical to {name}.")
    elif len(ours) + len(theirs) > MOST_COMPARED:
        st.caption(f"The prompts are too long to compare with {name} while you type. Use Compare.")
    else:
        st.caption(f"Marked: words that are not in {name}.")
        st.html(marked_html(word_differences([ours, theirs])[1], first=False))
