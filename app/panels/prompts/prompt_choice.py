"""The choice of prompts of the bank: the newest are offered, all others are found by what is typed.

The store searches, so that a page sends the browser ``SHOWN`` options and not the whole bank. What is chosen stays
among them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from app.display.named import named
from app.display.titles import titles
from app.session import prompts_passing, workspace
from fedprompt.workspace.search.looking_up import HOW, LONGEST, Filter, typed_filter

__all__ = ["SHOWN", "ask_prompt", "ask_prompts"]

SHOWN = 50


def ask_prompt(
    label: str,
    key: str,
    wanted: Filter,
    *,
    placeholder: str,
    help: str | None = None,
    on_change: Callable[..., None] | None = None,
    args: Sequence[Any] = (),
    adapted: bool = False,
) -> str | None:
    """Draw the choice of one prompt and return its id, None while none is chosen.

    Args:
        label: what the choice is of.
        key: where the session keeps it.
        wanted: which prompts come into question.
        placeholder: what stands there while none is chosen.
        help: more about the choice.
        on_change: called with ``args`` once another is chosen.
        args: what ``on_change`` is called with.
        adapted: whether adapted prompts come into question too.
    """
    chosen = st.session_state.get(key)
    names = _offered(key, wanted, [] if chosen is None else [str(chosen)], adapted=adapted)
    if chosen not in names:
        st.session_state[key] = None  # it is in the bank no more
    found = st.selectbox(
        label,
        list(names),
        index=None,
        format_func=lambda one: names.get(one, one),
        key=key,
        placeholder=placeholder,
        help=help,
        on_change=on_change,
        args=tuple(args),
        persist_state="session",
    )
    return None if found is None else str(found)


def ask_prompts(
    label: str, key: str, wanted: Filter, *, most: int, placeholder: str, adapted: bool = False
) -> tuple[str, ...]:
    """Draw the choice of several prompts, at most so many, and return their ids; otherwise like :func:`ask_prompt`."""
    chosen = [str(one) for one in st.session_state.get(key, ())]
    names = _offered(key, wanted, chosen, adapted=adapted)
    if not set(chosen) <= set(names):
        st.session_state[key] = [one for one in chosen if one in names]
    found = st.multiselect(
        label,
        list(names),
        format_func=lambda one: names.get(one, one),
        max_selections=most,
        select_all=False,
        key=key,
        placeholder=placeholder,
        persist_state="session",
    )
    return tuple(str(one) for one in found)


def _offered(key: str, wanted: Filter, chosen: Sequence[str], *, adapted: bool) -> dict[str, str]:
    """Draw the box to type in, once there are more prompts than are offered; return id -> what it is called."""
    found = every = prompts_passing(wanted, SHOWN)
    if every.total > SHOWN:
        text = st.text_input(
            "Find a prompt",
            key=f"{key}_find",
            icon=":material/search:",
            placeholder=f"Words, p1:3f9c or @staging to search all {every.total:,}",
            live=True,
            max_chars=LONGEST,
            help=HOW,
        )
        found = prompts_passing(typed_filter(text or "", wanted), SHOWN)
        if not found.total:
            named(f"{key}_none_found").caption("No prompt matches. Try a shorter search.")
        elif text and found.total > SHOWN:
            st.caption(f"The list shows the {SHOWN} newest of {found.total:,} matches. Refine the search for others.")
    rows = {row.id: row for row in (*workspace().bank.rows_of(chosen), *found.rows)}
    mixed = {row.id: f"{row.name}: adapted" for row in workspace().bank.all_adapted()} if adapted else {}
    return mixed | titles(list(rows.values()))
