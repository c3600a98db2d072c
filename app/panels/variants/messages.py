"""The messages of a chat: written as turns that can be added, moved and removed, and the turns that followed them."""

import streamlit as st

from app.display.named import named
from app.drafts import set_aside
from app.panels.variants.conversion import offer_conversion
from app.panels.variants.slots import MOST_MESSAGES, key
from fedprompt.prompts.template import ROLES, Message, escaped

__all__ = ["ask_messages", "draw_turns_kept"]


def ask_messages(number: int) -> tuple[Message, ...]:
    """Draw the messages of a variant, each with its role; return them."""
    state = st.session_state
    count = int(state[key(number, "messages")])
    found = []
    for place in range(count):
        state.setdefault(key(number, f"role_{place}"), "user" if place % 2 == 0 else "assistant")
        state.setdefault(key(number, f"message_{place}"), state[key(number, "template")] if place == 0 else "")
        with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
            role = st.segmented_control(
                f"Message {place + 1}",
                ROLES,
                key=key(number, f"role_{place}"),
                required=True,
                persist_state="session",
                width="content",
            )
            if count > 1:
                _draw_order(number, place, count)
        content = st.text_area(
            f"Text of message {place + 1}",
            key=key(number, f"message_{place}"),
            height=90,
            max_chars=100_000,
            persist_state="session",
            label_visibility="collapsed",
        )
        if place == 0:
            offer_conversion(number, key(number, "message_0"), content or "")
        found.append(Message(str(role), content or ""))
    st.button(
        "Add message",
        key=key(number, "more"),
        icon=":material/add:",
        on_click=_put,
        args=(number, [*found, Message("assistant" if found[-1].role == "user" else "user", "")]),
        disabled=count == MOST_MESSAGES,
    )
    return tuple(found)


def _draw_order(number: int, place: int, count: int) -> None:
    """Draw what moves a message up and what removes it."""
    with st.container(horizontal=True, width="content", gap="xsmall"):
        st.button(
            f"Move message {place + 1} up",
            key=key(number, f"up_{place}"),
            icon=":material/arrow_upward:",
            type="tertiary",
            disabled=place == 0,
            on_click=_swap,
            args=(number, place),
        )
        st.button(
            f"Remove message {place + 1}",
            key=key(number, f"out_{place}"),
            icon=":material/close:",
            type="tertiary",
            disabled=count == 1,
            on_click=_remove,
            args=(number, place),
        )


def draw_turns_kept(number: int) -> None:
    """Draw that a conversation goes on after the messages, and what ends it; nothing without one."""
    turns = st.session_state[key(number, "turns")]
    if not turns:
        return
    named(key(number, "turns")).caption(
        f":material/forum: A conversation of {len(turns)} messages follows. "
        "It is part of the draft and not of the prompt."
    )
    with st.container(horizontal=True):
        st.button(
            "Start over", key=key(number, "turns_over"), icon=":material/restart_alt:", on_click=_over, args=(number,)
        )
        st.button(
            "Make it part of the prompt",
            key=key(number, "turns_keep"),
            icon=":material/playlist_add:",
            on_click=_keep,
            args=(number,),
            disabled=int(st.session_state[key(number, "messages")]) + len(turns) > MOST_MESSAGES,
        )


def _written(number: int) -> list[Message]:
    state = st.session_state
    places = range(int(state[key(number, "messages")]))
    return [
        Message(state.get(key(number, f"role_{place}")) or "user", state.get(key(number, f"message_{place}")) or "")
        for place in places
    ]


def _put(number: int, messages: list[Message]) -> None:
    state = st.session_state
    shown = messages[:MOST_MESSAGES]
    state[key(number, "messages")] = len(shown)
    for place, message in enumerate(shown):
        state[key(number, f"role_{place}")], state[key(number, f"message_{place}")] = message.role, message.content


def _swap(number: int, place: int) -> None:
    messages = _written(number)
    messages[place - 1], messages[place] = messages[place], messages[place - 1]
    _put(number, messages)


def _remove(number: int, place: int) -> None:
    set_aside("playground")
    messages = _written(number)
    _put(number, [*messages[:place], *messages[place + 1 :]])


def _over(number: int) -> None:
    set_aside("playground")
    st.session_state[key(number, "turns")] = []


def _keep(number: int) -> None:
    said = [Message(one["role"], escaped(one["content"])) for one in st.session_state[key(number, "turns")]]
    _put(number, [*_written(number), *said])
    st.session_state[key(number, "turns")] = []
