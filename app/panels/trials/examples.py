"""The choice of the set that a prompt's examples come from, before anything is run."""

from collections.abc import Sequence

import streamlit as st

from app.display.plain import plain, sentence
from app.panels.trials.cases import Cases
from app.session import workspace
from fedprompt.errors import FedPromptError
from fedprompt.models.chat.config import is_chat
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.examples import example_sources, with_examples
from fedprompt.workspace.playground.trial_files import TrialFolder

__all__ = ["ask_examples"]

NONE = (
    "shows examples before each text, but this machine has no labelled cases for them. Save a test set with "
    "correct answers, or upload a file on the Data page."
)


def ask_examples(
    page: str, variants: Sequence[Variant], cases: Cases, folder: TrialFolder
) -> tuple[tuple[Variant, ...], str | None]:
    """Draw the choice where a prompt shows labelled cases.

    Returns:
        The prompts, with their examples written out; and what is still missing in a sentence for a page, or None.
    """
    shows = [one for one in variants if one.made().demonstrations is not None]
    if not shows:
        return tuple(variants), None
    names = plain(" and ".join(f"“{one.name}”" for one in shows))
    fields = tuple(dict.fromkeys(name for one in shows for name in one.made().variables))
    # A file's cases are not sent to another machine; what is kept as a test set was given to be run.
    here = all(one.server is None and not is_chat(one.model) for one in shows)
    sources = example_sources(workspace().home, folder, fields, files=here)
    if not sources:
        return tuple(variants), f"{names} {NONE}"
    source = st.selectbox(
        f"Examples for {names}",
        sources,
        index=None,
        placeholder="Choose a set of labelled cases",
        key=f"{page}_examples",
        persist_state="session",
        help="Examples come from this set, one label after the other. A text is never among its own examples.",
    )
    if source is None:
        return tuple(variants), f"Choose the examples for {names}."
    try:
        return tuple(_filled(one, str(source), cases, folder) for one in variants), None
    except FedPromptError as error:
        return tuple(variants), sentence(str(error))


def _filled(variant: Variant, source: str, cases: Cases, folder: TrialFolder) -> Variant:
    template = variant.made()
    if template.demonstrations is None:
        return variant
    made = with_examples(workspace().home, folder, source, template, cases.rows)
    return variant.model_copy(update={"template": made.canonical()})
