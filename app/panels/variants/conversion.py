"""Offers to take over a text that was written for another tool, with a preview of what would come of it."""

from collections.abc import Sequence

import streamlit as st

from app.display.named import named
from app.display.plain import plain, sentence
from app.panels.variants.slots import MOST_VARIANTS, add, fill, key, open_slots
from fedprompt.prompts.template import Template
from fedprompt.workspace.cases.converting import Conversion, conversion_of, rewriting_of

__all__ = ["offer_conversion", "offer_rewriting"]

SHOWN = 3


def offer_conversion(number: int, box: str, text: str) -> None:
    """Draw the offer, if the text of a variant's box seems to be written for another tool."""
    found = conversion_of(text)
    if found is None:
        return
    with st.container(border=True, key=f"{box}_offer", gap="small"):
        named(f"{box}_looks_like").markdown(f":material/input: This looks like {plain(found.origin)}.")
        if found.problem:
            st.caption(plain(sentence(found.problem)))
            return
        for template in found.templates[:SHOWN]:
            st.code(_shown(template), language=None, wrap_lines=True)
        more = len(found.templates) - 1
        for note in found.notes[:2]:
            st.caption(plain(sentence(note)))
        st.button(
            f"Convert to {min(more + 1, MOST_VARIANTS)} variants" if more else "Convert",
            key=f"{box}_convert",
            icon=":material/check:",
            on_click=_take,
            args=(number, box, found),
        )


def offer_rewriting(box: str, text: str, fields: Sequence[str]) -> None:
    """Draw what a study's template would be with its fields, if its box shows another tool's variables instead."""
    found = rewriting_of(text, fields)
    if found is None:
        return
    with st.container(border=True, key=f"{box}_offer", gap="small"):
        st.markdown(
            f":material/input: {plain(found.found[:80])} is plain text here. Write a field as "
            f"{plain(f'{{{found.field}}}')}."
        )
        st.code(found.text, language=None, wrap_lines=True)
        st.button("Convert", key=f"{box}_convert", icon=":material/check:", on_click=_put, args=(box, found.text))


def _put(box: str, text: str) -> None:
    st.session_state[box] = text


def _take(number: int, box: str, found: Conversion) -> None:
    first, *others = found.templates
    if first.text is not None:
        st.session_state[box] = first.text
    else:
        _fill(number, first)
    for template in others[: MOST_VARIANTS - len(open_slots())]:
        add()
        _fill(open_slots()[-1], template)


def _fill(number: int, template: Template) -> None:
    answers = st.session_state[key(number, "answers")]  # no other tool's prompt names any
    fill(number, template, None)
    st.session_state[key(number, "answers")] = answers


def _shown(template: Template) -> str:
    if template.messages is None:
        return template.text or ""
    return "\n".join(f"[{message.role}] {message.content}" for message in template.messages)
