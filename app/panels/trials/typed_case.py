"""One case that a visitor types, a box a field.

Invariant: a session remembers the texts of the last ``REMEMBERED`` fields of a page, so that it does not grow with
every name that a prompt held for a moment while it was written.
"""

from collections.abc import Mapping, Sequence

import streamlit as st

__all__ = ["REMEMBERED", "ask_fields", "fill_fields"]

REMEMBERED = 24
LONGEST = 200_000


def ask_fields(page: str, fields: Sequence[str], example: str) -> dict[str, str]:
    """Draw a box for each field and return what they hold; ``example`` stands in a field ``text`` at first."""
    row = {}
    for name in fields:
        st.session_state.setdefault(_key(page, name), example if name == "text" else "")
        typed = st.text_area(
            name,
            key=_key(page, name),
            height=100,
            max_chars=LONGEST,
            placeholder="For example: I expected little, and it made my week.",
            persist_state="session",
        )
        row[name] = typed or ""
    _remember(page, fields)
    return row


def fill_fields(page: str, row: Mapping[str, str]) -> None:
    """Put a case into the boxes."""
    for name, text in row.items():
        st.session_state[_key(page, name)] = text
    _remember(page, tuple(row))


def _key(page: str, name: str) -> str:
    return f"{page}_field_{name}"


def _remember(page: str, fields: Sequence[str]) -> None:
    """Note that these fields are the last ones, and forget the texts of those that are not among the last."""
    state, key = st.session_state, f"{page}_fields"
    names = [*(name for name in state.get(key, ()) if name not in fields), *fields]
    kept = names[-max(REMEMBERED, len(fields)) :]
    for name in names[: len(names) - len(kept)]:
        state.pop(_key(page, name), None)
    state[key] = kept
