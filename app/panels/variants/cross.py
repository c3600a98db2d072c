"""These prompts on these models: chosen lists become variants, each prompt on each model, as many as there may be."""

from collections.abc import Mapping, Sequence
from itertools import product

import streamlit as st

from app.display.named import named
from app.display.plain import plain, sentence
from app.display.titles import titles
from app.drafts import set_aside
from app.panels.prompts.prompt_choice import ask_prompts
from app.panels.variants.slots import MOST_VARIANTS, fill, fill_variant, key, letter, open_slots
from fedprompt.errors import FedPromptError
from fedprompt.prompts.prompt import Prompt
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.search.looking_up import Filter
from fedprompt.workspace.workspace import Workspace

__all__ = ["ask_cross"]


def ask_cross(ws: Workspace, models: Mapping[str, str], variants: Sequence[Variant]) -> None:
    """Draw the choice of prompts and of models, and the button that puts each on each in place of the variants.

    Args:
        ws: the bank whose prompts are offered.
        models: name -> what people read.
        variants: what stands in the boxes, offered beside the bank's prompts.
    """
    with st.expander("Combine prompts and models", icon=":material/apps:"):
        own: list[Variant] = []
        if variants:
            letters = [letter(place) for place in range(len(variants))]
            picked = st.pills("Prompts on this page", letters, selection_mode="multi", key="playground_cross_own")
            own = [variants[letters.index(one)] for one in picked if one in letters]
        banked = ask_prompts(
            "Prompts of the bank", "playground_cross_prompts", Filter(), most=MOST_VARIANTS, placeholder="none"
        )
        on = st.multiselect(
            "Models", list(models), format_func=lambda one: models.get(one, one), key="playground_cross_models"
        )
        prompts = len(own) + len(banked)
        count = prompts * len(on)
        if count:
            over = max(0, count - MOST_VARIANTS)
            left = f" {over} of them exceed the limit of {MOST_VARIANTS} and are left out." if over else ""
            product_said = f"{prompts} \N{MULTIPLICATION SIGN} {len(on)} = {count}"
            named("playground_cross_over" if over else "playground_cross_fits").caption(
                f"{product_said} variants. They replace the present variants.{left}"
            )
        else:
            st.caption("Choose at least one prompt and one model.")
        st.button(
            f"Create {min(count, MOST_VARIANTS)} variants" if count > 1 else "Create variants",
            key="playground_cross",
            icon=":material/apps:",
            disabled=not count,
            on_click=_make,
            args=(ws, own, banked, on),
        )
        if (problem := st.session_state.pop("playground_cross_problem", None)) is not None:
            st.warning(plain(sentence(problem)), icon=":material/info:")


def _make(ws: Workspace, own: Sequence[Variant], banked: Sequence[str], models: Sequence[str]) -> None:
    state = st.session_state
    names = titles(ws.bank.rows_of(banked))
    try:
        prompts: list[Variant | Prompt] = [*own, *(ws.bank.prompt(one) for one in banked)]
    except FedPromptError as error:
        state["playground_cross_problem"] = str(error)
        return
    pairs = list(product(prompts, models))[:MOST_VARIANTS]
    set_aside("playground")
    state["playground_variants"] = list(range(1, len(pairs) + 1))
    open_slots()  # boxes that were never there hold something from now on
    for number, (prompt, model) in enumerate(pairs, 1):
        if isinstance(prompt, Variant):
            fill_variant(number, prompt)
        else:
            fill(number, prompt.template, prompt.id if prompt.tuned is not None else None)
            state[key(number, "name")] = names.get(prompt.id, prompt.name)[:80]
            state[key(number, "generate")] = not prompt.template.words
        state[key(number, "model")] = model
        state[key(number, "source")] = None
