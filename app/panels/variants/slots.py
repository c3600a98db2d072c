"""The boxes of the playground's variants: what they are called, and how they are filled, copied and emptied.

The first variant's boxes have no number, the others' end in theirs.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.drafts import set_aside
from app.panels.prompts.answers import write_answers
from app.panels.variants.constants import fill_constants
from app.panels.variants.offered import write_tools
from fedprompt.prompts.template import Template
from fedprompt.workspace.answers.variants import Variant

__all__ = [
    "EXAMPLE",
    "MOST_MESSAGES",
    "MOST_VARIANTS",
    "add",
    "fill",
    "fill_variant",
    "is_untouched",
    "key",
    "letter",
    "open_slots",
    "remove",
    "text_in",
]

MOST_VARIANTS, MOST_MESSAGES = 6, 24
EXAMPLE = "Review: {text}\nSentiment:"
_START: Mapping[str, Any] = {
    "name": "",
    "template": EXAMPLE,
    "chat": "Text",
    "messages": 1,
    "answers": "positive\nnegative",
    "normalise": "none",
    "prior": "none",
    "generate": False,
    "tokens": 32,
    "temperature": 0.0,
    "top_p": 1.0,
    "seed": 0,
    "stop": "",
    "tools": "",
    "soft": None,
    "examples": (),
    "turns": (),
}


def key(number: int, what: str) -> str:
    """Return the key of a variant's box."""
    return f"playground_{what}" if number == 1 else f"playground_{what}_v{number}"


def letter(place: int) -> str:
    """Return what people call the variant at a place."""
    return "ABCDEF"[place]


def open_slots() -> list[int]:
    """Return the numbers of the variants there are, in order; their boxes hold something from the first."""
    numbers: list[int] = st.session_state.setdefault("playground_variants", [1])
    for number in numbers:
        for what, value in _START.items():
            st.session_state.setdefault(key(number, what), list(value) if isinstance(value, tuple) else value)
    return numbers


def add() -> None:
    """Add a variant like the last one."""
    state = st.session_state
    numbers = open_slots()
    if len(numbers) == MOST_VARIANTS:
        return
    last, new = numbers[-1], next(n for n in range(1, MOST_VARIANTS + 2) if n not in numbers)
    names = [*_START, "model", *(f"{kind}_{i}" for i in range(MOST_MESSAGES) for kind in ("role", "message"))]
    for what in names:
        if key(last, what) in state:
            state[key(new, what)] = state[key(last, what)]
    state[key(new, "name")] = ""
    state["playground_variants"] = [*numbers, new]


def remove(number: int) -> None:
    """Take a variant away; there is a way back."""
    set_aside("playground")
    st.session_state["playground_variants"] = [n for n in open_slots() if n != number] or [1]


def is_untouched(number: int) -> bool:
    """Return whether a variant's boxes hold what they begin with, so that nothing is lost by filling them."""
    state = st.session_state
    return state.get(key(number, "source")) is None and all(
        state.get(key(number, what)) == _START[what] for what in ("name", "template", "chat", "answers")
    )


def text_in(number: int) -> str:
    """Return the prompt that stands in a variant's boxes, its examples first, messages with their roles."""
    state = st.session_state
    examples = [f"{' '.join(one['fields'].values())} {one['answer']}" for one in state.get(key(number, "examples"), ())]
    return "\n".join([*examples, _written(number)])


def _written(number: int) -> str:
    state = st.session_state
    if state.get(key(number, "chat")) != "Chat":
        return str(state.get(key(number, "template")) or "")
    places = range(int(state.get(key(number, "messages"), 1)))
    roles = [state.get(key(number, f"role_{place}"), "user") for place in places]
    texts = [state.get(key(number, f"message_{place}")) or "" for place in places]
    return "\n".join(f"[{role}] {content}" for role, content in zip(roles, texts, strict=True))


def fill(number: int, template: Template, soft: str | None) -> None:
    """Put a template into a variant's boxes; demonstrations, which are a site's own, are left out."""
    state = st.session_state
    if template.messages is None:
        text = (template.text or "").replace("{demonstrations}", "")
        state[key(number, "template")], state[key(number, "chat")] = text, "Text"
        spaced = not text[-1:].isspace()
    else:
        state[key(number, "chat")], spaced = "Chat", False
        shown = template.messages[:MOST_MESSAGES]
        state[key(number, "messages")] = len(shown)
        for place, message in enumerate(shown):
            state[key(number, f"role_{place}")] = message.role
            state[key(number, f"message_{place}")] = message.content.replace("{demonstrations}", "")
    state[key(number, "answers")] = write_answers(template.words or {}, spaced=spaced)
    state[key(number, "tools")] = write_tools(template.tools)
    state[key(number, "soft")], state[key(number, "adapter")] = soft, True
    state[key(number, "examples")], state[key(number, "turns")] = [], []


def fill_variant(number: int, variant: Variant) -> None:
    """Put all of a variant into its boxes; the model of an earlier session's server is not there any more.

    Its constants go into the page's own.
    """
    state = st.session_state
    template = Template.from_canonical(variant.name, variant.template)
    fill(number, template.with_words(variant.labels) if variant.labels else template, variant.soft)
    state[key(number, "name")] = "" if len(variant.name) == 1 else variant.name
    for what, value in {
        "normalise": variant.normalise,
        "prior": variant.prior,
        "generate": variant.generate,
        "tokens": min(variant.max_tokens, 512),
        "temperature": min(variant.temperature, 2.0),
        "top_p": variant.top_p,
        "seed": variant.seed,
        "stop": "\n".join(one.replace("\n", "\\n") for one in variant.stop),
        "examples": [one.model_dump(mode="json") for one in variant.examples],
        "turns": [one.model_dump(mode="json") for one in variant.turns],
    }.items():
        state[key(number, what)] = value
    if variant.server is None:
        state[key(number, "model")] = variant.model
    fill_constants(variant.constants)
