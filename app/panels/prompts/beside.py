"""Prompts side by side: the words in which each differs from the first, and how far apart tuned vectors lie."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.display.named import named
from app.display.plain import percent, plain
from app.panels.prompts.answers import said
from app.panels.prompts.difference import marked_html, word_differences
from app.panels.prompts.prompt import text_of
from fedprompt.prompts.prompt import Prompt

__all__ = ["change_of_vectors", "draw_beside"]


def draw_beside(prompts: Sequence[Prompt], titles: Sequence[str]) -> None:
    """Draw two or more prompts; ``titles`` say what each is called."""
    first = prompts[0]
    marked = word_differences([text_of(prompt) for prompt in prompts])
    grid = st.grid(len(prompts), min_column_width=240)
    for place, (prompt, title) in enumerate(zip(prompts, titles, strict=True)):
        with grid.container(border=True, height="stretch", gap="xsmall"):
            st.markdown(f"**{plain(title)}**")
            tokens = None if prompt.soft is None else prompt.soft.tokens
            st.html(marked_html(marked[place], first=place == 0, tokens=tokens))
            if prompt.template.words != first.template.words:
                st.caption(f"Labels: {plain(said(prompt.template.words or {}))}")
            if place and (told := change_of_vectors(first, prompt)):
                named(f"beside_vectors_{prompt.id}").caption(told)
    if all(text_of(prompt) == text_of(first) for prompt in prompts):
        named("beside_same_words").caption("The texts are identical.")
    else:
        st.caption(
            "Marked: words of the first that another prompt lacks, and words of the others that the first lacks."
        )


def change_of_vectors(first: Prompt, other: Prompt) -> str:
    """Return in a sentence how far the vectors of two soft prompts lie apart; nothing where one has none."""
    if first.soft is None or other.soft is None:
        return ""
    a, b = first.soft.vectors, other.soft.vectors
    if first.soft.model != other.soft.model or a.shape != b.shape:
        return "Its vectors belong to another model or have another count, so they cannot be compared."
    if np.array_equal(a, b):
        return "The vectors are identical."
    length = float(np.linalg.norm(a))
    return (
        f"Distance between the vectors: {percent(float(np.linalg.norm(b - a)) / max(length, 1e-12))} of the "
        "first's length."
    )
