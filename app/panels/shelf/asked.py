"""Tags that somebody asked for and that wait for an operator: a line on the shelf, and the answer beside the prompt."""

from collections.abc import Callable

import streamlit as st

from app.display.address import set_query_ids
from app.display.named import named
from app.display.plain import plain
from app.display.titles import title
from app.session import guarded, workspace
from app.visitor import person
from fedprompt.bank.rows import EventRow
from fedprompt.workspace.shelf.approving import approve_tag, decline_tag, waiting, why_not_approve

__all__ = ["draw_asked", "draw_waiting"]

MOST = 5


def draw_waiting() -> None:
    """Draw which prompts wait for an operator, each with a button that opens it; nothing where none does."""
    found = waiting(workspace())
    if not found:
        return
    with st.container(border=True, gap="xsmall", key="bank_waiting"):
        many = "1 tag request waits" if len(found) == 1 else f"{len(found)} tag requests wait"
        named("bank_waiting").markdown(f":material/hourglass_top: **{many} for approval**")
        for one in found[:MOST]:
            with st.container(horizontal=True, vertical_alignment="center"):
                name = title(workspace().bank.prompt_row(one.prompt))
                st.markdown(f"{plain(_tag(one))} for {plain(name)}, requested by {plain(one.by)}", width="content")
                st.button(
                    "Open", key=f"bank_open_{one.id}", type="tertiary", on_click=set_query_ids, args=([one.prompt],)
                )
        if len(found) > MOST:
            st.caption(f"and {len(found) - MOST} more")


def draw_asked(prompt: str) -> None:
    """Draw the tags that are asked for one prompt, with what the visitor may do about each."""
    for one in waiting(workspace(), prompt):
        _draw(one)


def _draw(asked: EventRow) -> None:
    who, key = person(), f"bank_asked_{asked.id}"
    mine = bool(who.mark) and who.mark == asked.body.get("asked_as")
    why = why_not_approve(asked, who)
    with st.container(border=True, gap="xsmall"):
        named(f"{key}").markdown(
            f":material/hourglass_top: **{plain(_tag(asked))}** was requested by {plain(asked.by)}."
        )
        st.caption(f"Requested on {asked.at:%d %b %Y %H:%M} UTC. Another operator must approve it.")
        if why is not None:
            named(f"{key}_why_not").caption(f":material/lock: {plain(why)}")
        with st.container(horizontal=True):
            st.button(
                "Approve",
                key=f"{key}_yes",
                type="primary",
                icon=":material/check:",
                disabled=why is not None,
                on_click=_answer,
                args=(lambda: approve_tag(workspace(), asked.id, person()),),
            )
            st.button(
                "Withdraw" if mine else "Decline",
                key=f"{key}_no",
                icon=":material/close:",
                disabled=not mine and who.why_not("production") is not None,
                on_click=_answer,
                args=(lambda: decline_tag(workspace(), asked.id, person()),),
            )


@guarded
def _answer(act: Callable[[], EventRow]) -> None:
    act()


def _tag(asked: EventRow) -> str:
    return f"{asked.body['name']}@{asked.body['tag']}"
