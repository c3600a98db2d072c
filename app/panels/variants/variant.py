"""The boxes of one variant: where it starts from, its model, its text or messages, its answers, its settings."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.display.named import named
from app.display.plain import plain
from app.panels.models.session_models import add_folder, added_servers, goes_to
from app.panels.prompts.answers import read_answers
from app.panels.prompts.prompt_choice import ask_prompt
from app.panels.variants.constants import constants_given
from app.panels.variants.conversion import offer_conversion
from app.panels.variants.messages import ask_messages, draw_turns_kept
from app.panels.variants.offered import ask_tools
from app.panels.variants.shown import draw_shown
from app.panels.variants.slots import key
from app.panels.variants.source import ask_source, is_adapted
from app.session import explain
from fedprompt.errors import FedPromptError, PromptError
from fedprompt.models.chat.config import is_chat
from fedprompt.prompts.template import Message, Template
from fedprompt.prompts.tools import Tool, read_tools
from fedprompt.workspace.answers.study_model import digest_known
from fedprompt.workspace.answers.variants import Variant, bank_variant
from fedprompt.workspace.cases.converting import conversion_of, fieldless
from fedprompt.workspace.search.looking_up import Filter
from fedprompt.workspace.workspace import Workspace

__all__ = ["ask_variant"]


def ask_variant(ws: Workspace, number: int, name: str, models: Mapping[str, str]) -> Variant | None:
    """Draw the boxes; return the variant, or None while it is wrong."""
    ask_source(ws, number)
    if is_adapted(chosen := st.session_state.get(key(number, "source"))):
        return _adapted(ws, str(chosen), st.session_state.get(key(number, "name")) or name)
    model = _ask_model(ws, number, models)
    chat = st.segmented_control(
        "Form",
        ["Text", "Chat"],
        key=key(number, "chat"),
        required=True,
        persist_state="session",
        help="Text: the model continues your text. Chat: messages in the model's own chat format.",
    )
    texts = ask_messages(number) if chat == "Chat" else _ask_text(number)
    answers = st.text_area(
        "Labels, one per line",
        key=key(number, "answers"),
        height=105,
        max_chars=10_000,
        persist_state="session",
        help="The model gives a probability for each label. Write 'positive = good' to use another word for a "
        "label. Leave it empty to generate text only.",
    )
    reading = _reading(number)
    draw_shown(number)
    tools = ""
    if chat == "Chat":
        draw_turns_kept(number)
        tools = ask_tools(key(number, "tools"))
    settings = _ask_settings(number)
    try:
        template = _template(name, texts, answers or "", read_tools(tools))
        if not template.variables and any(conversion_of(one) for one in _parts(texts)):
            raise PromptError(f"{fieldless(template)}; use the conversion offered above", code="no-field")
        soft = _ask_soft(ws, number, model) if template.has_soft else _ask_adapter(ws, number)
        added = added_servers().get(model)
        kept = st.session_state
        return Variant(
            name=(st.session_state.get(key(number, "name")) or name)[:80],
            template=template.canonical(),
            labels=tuple(template.words or {}),
            soft=soft,
            model=model if added is None else added.server.model,
            server=None if added is None else added.server,
            constants=constants_given(template.variables),
            examples=tuple(kept[key(number, "examples")]),
            turns=tuple(kept[key(number, "turns")]) if chat == "Chat" else (),
            **reading,
            **settings,
        )
    except FedPromptError as error:
        explain(error)
        return None


def _adapted(ws: Workspace, chosen: str, name: str) -> Variant | None:
    """Return the variant of an adapted prompt, and say of what it is made."""
    try:
        row = ws.bank.adapted_row(chosen)
        variant = bank_variant(ws, chosen, name)
    except FedPromptError as error:
        explain(error)
        return None
    many = "one prompt" if len(row.members) == 1 else f"a mixture of {len(row.members)} prompts"
    st.caption(
        f":material/tune: **{plain(row.name)}** is {many}, with a weight for each prompt and a bias for each "
        "label. It cannot be edited."
    )
    return variant


def _reading(number: int) -> dict[str, Any]:
    """Return how answers are compared, said where the prompt's study says it."""
    found = {what: st.session_state.get(key(number, what), "none") for what in ("normalise", "prior")}
    told = []
    if found["normalise"] != "none":
        told.append(f"divided by their length in {found['normalise']}")
    if found["prior"] != "none":
        told.append(f"calibrated by the prompt's own prior ({found['prior']})")
    if told:
        named(key(number, "reading")).caption(f"The prompt's study compares label likelihoods {' and '.join(told)}.")
    return found


def _ask_model(ws: Workspace, number: int, models: Mapping[str, str]) -> str:
    place = key(number, "model")
    drafted = st.session_state.get(place)
    if drafted not in models:
        if drafted and not str(drafted).startswith("session:"):
            add_folder(str(drafted))
            models = {**models, str(drafted): str(drafted)}
        else:
            st.session_state[place] = next(iter(models))
            if drafted:
                named(key(number, "model_gone")).caption(
                    f":material/info: The server {plain(str(drafted).removeprefix('session:'))} belongs to an "
                    "earlier session. Add it again on the Models page, or choose another model."
                )
    chosen = str(
        st.selectbox(
            "Model", list(models), format_func=lambda one: models.get(one, one), key=place, persist_state="session"
        )
    )
    named(key(number, "goes_to")).caption(f":material/lock: {plain(goes_to(ws, chosen))}")
    return chosen


def _ask_text(number: int) -> tuple[Message, ...] | str:
    text = st.text_area(
        "Prompt",
        key=key(number, "template"),
        height=170,
        max_chars=100_000,
        persist_state="session",
        help="Write {name} where a text goes; an input for it appears below. {soft} marks a tuned prompt's vectors.",
    )
    offer_conversion(number, key(number, "template"), text or "")
    return text or ""


def _template(name: str, texts: tuple[Message, ...] | str, answers: str, tools: tuple[Tool, ...]) -> Template:
    chat = not isinstance(texts, str)
    whole = "".join(one.content for one in texts) if not isinstance(texts, str) else texts
    if not whole.strip():
        raise PromptError("the prompt is empty; write something, for example: Review: {text}", code="empty-prompt")
    words = read_answers(answers, spaced=not chat and not whole[-1:].isspace())
    if isinstance(texts, str):
        return Template(name, texts, None, words or None)
    return Template(name, None, tuple(one for one in texts if one.content), words or None, tools=tools)


def _parts(texts: tuple[Message, ...] | str) -> Sequence[str]:
    return (texts,) if isinstance(texts, str) else [one.content for one in texts]


def _ask_soft(ws: Workspace, number: int, model: str) -> str | None:
    if model in added_servers() or is_chat(model):
        st.caption("A soft prompt runs only on a model of this machine. Choose another model above.")
        return None
    digest = digest_known(ws, model)
    found = ask_prompt(
        "Soft prompt",
        key(number, "soft"),
        Filter(kind="soft", model=digest),
        placeholder="choose from the bank",
        help="Tuned vectors, placed at {soft}. The list shows those that fit the model above.",
    )
    if found is not None and digest not in (None, ws.bank.prompt_row(found).model):
        named(f"{key(number, 'soft')}_of_another").caption(
            ":material/warning: This soft prompt was tuned for a different model."
        )
    return found


def _ask_adapter(ws: Workspace, number: int) -> str | None:
    """Return the prompt that the boxes were filled from, where it has an adapter and that is not turned off."""
    chosen = st.session_state.get(key(number, "soft"))
    if chosen is None or ws.bank.prompt_row(chosen).kind != "adapter":
        return None
    used = st.toggle(
        "Use its adapter",
        key=key(number, "adapter"),
        persist_state="session",
        help="The prompt was tuned with an adapter beside the model. Turn it off to see the model's own answers.",
    )
    return str(chosen) if used else None


def _ask_settings(number: int) -> dict[str, Any]:
    state = st.session_state
    generate = st.toggle("Also generate text", key=key(number, "generate"), persist_state="session")
    if not generate:
        return {"generate": False}
    with st.container(border=True, gap="small"):
        grid = st.grid(2, min_column_width=150)
        with grid.cell():
            st.number_input("Maximum tokens", 1, 512, key=key(number, "tokens"), persist_state="session")
        with grid.cell():
            st.number_input(
                "Temperature",
                0.0,
                2.0,
                step=0.1,
                key=key(number, "temperature"),
                persist_state="session",
                help="0 always takes the most likely token. Higher values are more random.",
            )
        with grid.cell():
            st.number_input(
                "Top-p",
                0.01,
                1.0,
                step=0.05,
                key=key(number, "top_p"),
                persist_state="session",
                help="Samples only from the most likely tokens that together have this probability. It has no "
                "effect at temperature 0.",
            )
        with grid.cell():
            st.number_input(
                "Seed",
                0,
                2**31 - 1,
                key=key(number, "seed"),
                persist_state="session",
                help="On this machine's models, the same seed gives the same text.",
            )
        st.text_area(
            "Stop sequences, one per line",
            key=key(number, "stop"),
            height=70,
            max_chars=1000,
            persist_state="session",
            help="The text ends before the first of these. Write \\n for a line break.",
        )
    stops = [line.replace("\\n", "\n") for line in str(state[key(number, "stop")] or "").splitlines() if line]
    return {
        "generate": True,
        "max_tokens": int(state[key(number, "tokens")]),
        "temperature": float(state[key(number, "temperature")]),
        "top_p": float(state[key(number, "top_p")]),
        "seed": int(state[key(number, "seed")]),
        "stop": tuple(stop[:80] for stop in stops[:16]),
    }
