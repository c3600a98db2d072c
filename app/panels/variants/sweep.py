"""The choice to run one variant many times: over a grid of settings, or with other words for its labels."""

from collections.abc import Sequence

import streamlit as st

from app.panels.prompts.answers import read_answers
from app.panels.variants.slots import letter
from fedprompt.errors import PromptError
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.sweeps import read_numbers, settings_grid, word_sets

__all__ = ["ask_sweep"]


def ask_sweep(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """Draw the choice; return the variants to run in place of those given, or these.

    Raises:
        PromptError: a list of values is not well formed, or makes too many runs.
    """
    if not st.toggle(
        "Sweep one variant",
        key="playground_sweep",
        persist_state="session",
        help="Runs one prompt over a grid of settings, or with other words for its answers.",
    ):
        return tuple(variants)
    names = [letter(place) for place in range(len(variants))]
    chosen = names[0]
    if len(names) > 1:
        chosen = str(
            st.segmented_control("Which one", names, default=names[0], key="playground_sweep_of", required=True)
        )
    variant = variants[names.index(chosen) if chosen in names else 0]
    ways = [way for way, can in (("Settings", True), ("Words of the answers", bool(variant.labels))) if can]
    way = st.segmented_control("Over", ways, default=ways[0], key="playground_sweep_over", required=True)
    if way == "Settings":
        return _settings(variant)
    return _words(variant)


def _settings(variant: Variant) -> tuple[Variant, ...]:
    grid = st.grid(3, min_column_width=120)
    with grid.cell():
        temperatures = st.text_input("Temperatures", "0, 0.7, 1", key="playground_sweep_t", max_chars=200)
    with grid.cell():
        top_ps = st.text_input("Top-p", "0.9, 1", key="playground_sweep_p", max_chars=200)
    with grid.cell():
        seeds = st.text_input("Seeds", "0, 1", key="playground_sweep_s", max_chars=200)
    made = settings_grid(
        # The label does not depend on how text is drawn.
        variant.model_copy(update={"labels": (), "template": {**variant.template, "words": None}}),
        read_numbers(temperatures or "", "temperatures", 0, 10),
        read_numbers(top_ps or "", "top-p", 0.01, 1),
        read_numbers(seeds or "", "seeds", 0, 2**31 - 1, whole=True),
    )
    st.caption(f"{len(made)} runs; greedy decoding is run once. Each writes a continuation, the answers are left out.")
    return made


def _words(variant: Variant) -> tuple[Variant, ...]:
    text = st.text_area(
        "Sets of words, one a line",
        key="playground_sweep_words",
        height=90,
        max_chars=10_000,
        placeholder="positive = good, negative = bad\npositive = great, negative = terrible",
        persist_state="session",
        help="For each answer, the word that the model is to look for. The words you run with now come first.",
    )
    body = variant.template
    spaced = body.get("messages") is None and not str(body.get("text") or "")[-1:].isspace()
    lines = [line for line in (text or "").splitlines() if line.strip()]
    if not lines:
        raise PromptError(
            "write at least one set of words, such as: positive = good, negative = bad", code="word-for-each-label"
        )
    return word_sets(variant, [read_answers(line.replace(",", "\n"), spaced=spaced) for line in lines])
