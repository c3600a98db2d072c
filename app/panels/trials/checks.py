"""The scorers that judge what variants answer: chosen, with their options, and the least value that passes."""

import json
from typing import Any

import streamlit as st

from app.display.named import named
from fedprompt.errors import DataError, PromptError
from fedprompt.evaluation.scorers import scorer_names, scorer_with
from fedprompt.study.schema import ScorerSpec
from fedprompt.workspace.playground.trials import Check

__all__ = ["ask_checks"]

ABOUT = {
    "bleu": "overlap of word sequences with the right answer",
    "choice": "the label is the right answer, to the character",
    "chrf": "overlap of character sequences with the right answer",
    "contains": "the right answer occurs in the text",
    "exact": "the text is the right answer; case and punctuation around it do not count",
    "exact-characters": "the text is the right answer, character by character",
    "json-schema": "the text is JSON that fits a schema",
    "json-valid": "the text is JSON",
    "judge": "a chat model of this machine gives points by a rubric",
    "numeric": "the number in the text is the right answer's",
    "regex": "a pattern is found in the text",
    "rouge-l": "the longest common sequence of words with the right answer",
    "similarity": "nearness in meaning to the right answer, by the sentence encoder",
    "token-f1": "the words shared with the right answer",
}
JUDGE_READS = (
    ":material/lock: The rubric goes, with each text and each answer, to the chat model that judges on this machine "
    "(the one that FEDPROMPT\\_JUDGE names). It is kept as long as the run is."
)
GRADED = frozenset({"bleu", "chrf", "judge", "rouge-l", "similarity", "token-f1"})


def ask_checks(page: str) -> tuple[Check, ...]:
    """Draw the choice of scorers; return them with their options. ``page`` begins the keys of what is drawn.

    Raises:
        PromptError: an option is missing or not well formed.
    """
    st.session_state.setdefault(f"{page}_scorers", ["exact"])
    names = st.multiselect(
        "Scorers",
        scorer_names(),
        key=f"{page}_scorers",
        format_func=lambda name: f"{name}: {ABOUT[name]}" if name in ABOUT else name,
        max_selections=8,
        placeholder="none",
        persist_state="session",
        help="Each answer passes or fails by each scorer, with the reason beside it.",
    )
    return tuple(_check(page, name) for name in names)


def _check(page: str, name: str) -> Check:
    options: dict[str, Any] = {}
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"{page}_check_{name}"):
        if name == "regex":
            options["pattern"] = st.text_input(
                "regex: the pattern", key=f"{page}_check_regex_pattern", max_chars=1000, persist_state="session"
            )
        elif name == "judge":
            options["rubric"] = st.text_area(
                "judge: what a good answer is",
                key=f"{page}_check_judge_rubric",
                height=80,
                max_chars=20_000,
                persist_state="session",
            )
        elif name == "json-schema":
            options["schema"] = _schema(page)
        low = 0.5
        if name in GRADED:
            st.session_state.setdefault(f"{page}_check_{name}_low", low)
            low = float(
                st.number_input(
                    f"{name}: passes from",
                    0.05,
                    1.0,
                    step=0.05,
                    key=f"{page}_check_{name}_low",
                    persist_state="session",
                    width=180,
                )
            )
        negate = st.toggle(
            f"{name}: must not pass",
            key=f"{page}_check_{name}_not",
            persist_state="session",
            help="Inverts the result: what passed fails, and what failed passes.",
        )
    if name == "judge":
        named(f"{page}_judge_reads").caption(JUDGE_READS)
    if any(value in ("", None) for value in options.values()):
        raise PromptError(
            f"the scorer '{name}' needs its {next(iter(options))}; fill it in or take the scorer out",
            code="option-missing",
        )
    try:
        scorer_with(name, options)
    except DataError as error:
        raise PromptError(f"the scorer '{name}': {error}", code=error.code) from error
    return Check(scorer=ScorerSpec(name=name, options=options), threshold=low, negate=negate)


def _schema(page: str) -> Any:
    text = st.text_area(
        "json-schema: the schema",
        key=f"{page}_check_schema",
        height=80,
        max_chars=20_000,
        placeholder='{"type": "object", "required": ["label"]}',
        persist_state="session",
    )
    if not (text or "").strip():
        return None
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError) as error:
        raise PromptError("the schema of json-schema is not JSON; correct it", code="not-json") from error
