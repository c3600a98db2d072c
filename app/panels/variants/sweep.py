"""The choice to run one variant many times: over a grid of settings, or with other words for its labels."""

from collections.abc import Sequence

import streamlit as st

from app.drafts import settle
from app.panels.prompts.answers import read_answers
from app.panels.variants.slots import letter
from fedprompt.errors import PromptError
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.sweeps import read_numbers, settings_grid, word_sets

__all__ = ["ask_sweep"]


def ask_sweep(given: Sequence[Variant | None]) -> tuple[Variant, ...]:
    """Draw the choice; return the variants to run in place of those given, or these; one that is wrong is None.

    Raises:
        PromptError: a list of values is not well formed, or makes too many runs.
    """
    variants = tuple(one for one in given if one is not None)
    names = [letter(place) for place, one in enumerate(given) if one is not None]
    if not st.toggle(
        "Sweep one variant",
        key="playground_sweep",
        persist_state="session",
        help="Runs one prompt over a grid of settings or of label words.",
    ):
        return variants
    if not names:
        st.caption("Correct the prompt first.")
        return ()
    chosen = names[0]
    if len(names) > 1:
        settle("playground_sweep_of", names, names[0])
        chosen = str(
            st.segmented_control("Variant", names, key="playground_sweep_of", required=True, persist_state="session")
        )
    variant = variants[names.index(chosen) if chosen in names else 0]
    ways = [way for way, can in (("Settings", True), ("Words of the answers", bool(variant.labels))) if can]
    settle("playground_sweep_over", ways, ways[0])
    way = st.segmented_control("Over", ways, key="playground_sweep_over", required=True, persist_state="session")
    if way == "Settings":
        return _settings(variant)
    return _words(variant)


def _settings(variant: Variant) -> tuple[Variant, ...]:
    grid = st.grid(3, min_column_width=120)
    with grid.cell():
        temperatures = _ask_list("Temperatures", "t", "0, 0.7, 1")
    with grid.cell():
        top_ps = _ask_list("Top-p", "p", "0.9, 1")
    with grid.cell():
        seeds = _ask_list("Seeds", "s", "0, 1")
    made = settings_grid(
        # The label does not depend on how text is drawn.
        variant.model_copy(update={"labels": (), "template": {**variant.template, "words": None}}),
        read_numbers(temperatures, "temperatures", 0, 10),
        read_numbers(top_ps, "top-p", 0.01, 1),
        read_numbers(seeds, "seeds", 0, 2**31 - 1, whole=True),
    )
    st.caption(f"{len(made)} runs. Temperature 0 is run once. Each run writes a continuation; labels are not scored.")
    return made


def _ask_list(label: str, what: str, first: str) -> str:
    key = f"playground_sweep_{what}"
    st.session_state.setdefault(key, first)
    return st.text_input(label, key=key, max_chars=200, persist_state="session") or ""


def _words(variant: Variant) -> tuple[Variant, ...]:
    text = st.text_area(
        "Sets of label words, one per line",
        key="playground_sweep_words",
        height=90,
        max_chars=10_000,
        placeholder="positive = good, negative = bad\npositive = great, negative = terrible",
        persist_state="session",
        help="The word that the model looks for, for each label. The current words run first.",
    )
    body = variant.template
    spaced = body.get("messages") is None and not str(body.get("text") or "")[-1:].isspace()
    lines = [line for line in (text or "").splitlines() if line.strip()]
    if not lines:
        raise PromptError(
            "write at least one set of label words, such as: positive = good, negative = bad",
            code="word-for-each-label",
        )
    return word_sets(variant, [read_answers(line.replace(",", "\n"), spaced=spaced) for line in lines])
