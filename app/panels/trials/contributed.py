"""A prompt's words, coloured by how much each spoke for the answer or against it.

Invariant: the text may come from anyone, so all of it is escaped; the only markup is ours. Blue under a solid line
speaks for, orange under a dotted line against: two colours that colour-blind people tell apart, and lines beside them.
"""

from collections.abc import Sequence
from html import escape

import streamlit as st

from fedprompt.workspace.answers.contributions import Contribution

__all__ = ["contributed_html", "draw_contributed"]

FOR, AGAINST = "58, 128, 200", "222, 143, 5"
LEAST = 0.06  # of the strongest word; less is not coloured
_BOX = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:2;font-size:.95rem"
_WORD = "border-radius:3px;padding:1px 2px;color:inherit"


def contributed_html(pieces: Sequence[Contribution]) -> str:
    """Return safe HTML of the pieces; the strongest word has the strongest colour."""
    most = max((abs(value) for _, value in pieces if value is not None), default=0.0)
    parts = []
    for text, value in pieces:
        share = 0.0 if value is None or not most else value / most
        if abs(share) < LEAST:
            parts.append(escape(text))
            continue
        colour, line = (FOR, "solid") if share > 0 else (AGAINST, "dotted")
        style = (
            f"{_WORD};background:rgba({colour}, {0.08 + 0.5 * abs(share):.2f});border-bottom:2px {line} rgb({colour})"
        )
        parts.append(f'<mark style="{style}" title="{value:+.2f}">{escape(text)}</mark>')
    return f'<div style="{_BOX}">{"".join(parts)}</div>'


def draw_contributed(pieces: Sequence[Contribution], *, label: bool) -> None:
    """Draw the words with their legend; ``label``: whether the answer was a label, not a text."""
    legend = (
        f'<span style="font-size:.85rem"><mark style="{_WORD};background:rgba({FOR}, .35);'
        f'border-bottom:2px solid rgb({FOR})">speaks for</mark> &nbsp;'
        f'<mark style="{_WORD};background:rgba({AGAINST}, .35);border-bottom:2px dotted rgb({AGAINST})">'
        "speaks against</mark></span>"
    )
    st.html(legend + contributed_html(pieces))
    st.caption(
        ("Which words spoke for this answer" if label else "Which words spoke for this text")
        + ": each is left out once, and the colour is how far that moves the model. Rest the pointer on a word for the "
        "number (log-odds)."
    )
