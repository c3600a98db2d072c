"""A conversation that goes on: what was said before an answer, and the next message, put to every chat variant."""

from collections.abc import Sequence

import streamlit as st

from app.display.plain import plain
from app.panels.trials.outdated import Outdated
from app.panels.variants.slots import key, open_slots
from app.session import guarded
from app.visitor import require, why_not
from fedprompt.workspace.answers.composing import LONGEST, MOST_TURNS
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.trials import Trial, TrialCell

__all__ = ["SEND", "ask_next", "draw_said"]

NEXT, SEND = "playground_next", "playground_send"


def draw_said(variant: Variant) -> None:
    """Draw the turns that were said before the answer."""
    for turn in variant.turns:
        with st.chat_message(turn.role):
            st.text(turn.content)


def ask_next(trial: Trial, changed: Outdated) -> None:
    """Draw the box for the next message of a run on one text; nothing where no variant holds a conversation.

    Each variant goes on from its own answer, so every answer must be of what stands in the boxes now.
    """
    variants = trial.request.variants
    if not any(_talks(one) for one in variants):
        return
    if st.session_state.get(SEND):
        st.rerun()
    st.text_area(
        "Your next message",
        key=NEXT,
        height=80,
        max_chars=LONGEST,
        placeholder="continue the conversation",
        persist_state="session",
    )
    answers = [_answer(one, trial.cells.get((place, 0))) for place, one in enumerate(variants)]
    why = why_not("try") or _lacking(variants, answers, changed)
    st.button(
        "Send" if len(variants) == 1 else f"Send to {sum(map(_talks, variants))} variants",
        key="playground_send_next",
        icon=":material/send:",
        disabled=why is not None or not str(st.session_state.get(NEXT) or "").strip(),
        help=why,
        on_click=_send,
        args=(variants, answers),
    )
    if why is not None:
        st.caption(f":material/info: {plain(why)}")


def _lacking(variants: Sequence[Variant], answers: Sequence[str | None], changed: Outdated) -> str | None:
    """Return in a sentence why the conversation cannot go on just now."""
    if changed.variants or changed.texts or len(variants) != len(open_slots()):
        return "The prompts or the text changed since these answers. Run again first."
    if any(_talks(one) and answer is None for one, answer in zip(variants, answers, strict=True)):
        return "A variant gave no answer. Try the failures again first."
    if any(len(one.turns) + 2 > MOST_TURNS for one in variants):
        return f"A conversation has at most {MOST_TURNS} messages. Start over, or make it part of the prompt."
    return None


def _talks(variant: Variant) -> bool:
    return variant.adapted is None and variant.template.get("messages") is not None


def _answer(variant: Variant, cell: TrialCell | None) -> str | None:
    """Return what a variant said, as a message of its own: the text, else the word of the answer that it chose."""
    if cell is None or cell.error is not None:
        return None
    if cell.generated is not None:
        return cell.generated[:LONGEST]
    return None if cell.answer is None else (variant.made().words or {}).get(cell.answer, cell.answer)


@guarded
def _send(variants: Sequence[Variant], answers: Sequence[str | None]) -> None:
    require("try")
    state = st.session_state
    said = str(state.get(NEXT) or "")
    for number, variant, answer in zip(open_slots(), variants, answers, strict=True):
        if _talks(variant) and answer is not None:
            more = [{"role": "assistant", "content": answer}, {"role": "user", "content": said}]
            state[key(number, "turns")] = [*state[key(number, "turns")], *more]
    state[NEXT], state[SEND] = "", True
