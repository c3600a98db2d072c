"""The scorers that judge what variants answer: chosen, with their options, and the least value that passes."""

import json
from typing import Any

import streamlit as st

from app.panels.trials.judge import ask_judge
from fedprompt.errors import DataError, PromptError
from fedprompt.evaluation.scorers import scorer_names, scorer_with
from fedprompt.study.schema import ScorerSpec
from fedprompt.workspace.playground.trials import Check

__all__ = ["ask_checks"]

ABOUT = {
    "bleu": "n-gram overlap with the correct answer (words)",
    "choice": "the label equals the correct answer exactly",
    "chrf": "n-gram overlap with the correct answer (characters)",
    "contains": "the text contains the correct answer",
    "exact": "the text equals the correct answer, ignoring case and surrounding punctuation",
    "exact-characters": "the text equals the correct answer exactly",
    "json-schema": "the text is JSON and matches a schema",
    "json-valid": "the text is valid JSON",
    "judge": "a model rates the text by a rubric",
    "numeric": "the number in the text equals the correct answer",
    "regex": "the text matches a regular expression",
    "rouge-l": "longest common word sequence with the correct answer",
    "similarity": "similarity in meaning to the correct answer, by the sentence encoder",
    "token-f1": "word overlap with the correct answer",
}
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
        help="Each scorer passes or fails each answer and gives its reason.",
    )
    return tuple(_check(page, name) for name in names)


def _check(page: str, name: str) -> Check:
    options: dict[str, Any] = {}
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"{page}_check_{name}"):
        if name == "regex":
            options["pattern"] = st.text_input(
                "regex: pattern", key=f"{page}_check_regex_pattern", max_chars=1000, persist_state="session"
            )
        elif name == "judge":
            options["rubric"] = st.text_area(
                "judge: rubric",
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
                    f"{name}: minimum score",
                    0.05,
                    1.0,
                    step=0.05,
                    key=f"{page}_check_{name}_low",
                    persist_state="session",
                    width=180,
                )
            )
        negate = st.toggle(
            f"{name}: invert",
            key=f"{page}_check_{name}_not",
            persist_state="session",
            help="Inverts the result: a match counts as a failure.",
        )
    judge, server = ask_judge(f"{page}_check_judge_model") if name == "judge" else (None, None)
    if any(value in ("", None) for value in options.values()):
        raise PromptError(
            f"the scorer '{name}' has no {next(iter(options))}; fill it in or remove the scorer",
            code="option-missing",
        )
    try:
        scorer_with(name, options)
    except DataError as error:
        raise PromptError(f"the scorer '{name}': {error}", code=error.code) from error
    spec = ScorerSpec(name=name, options=options)
    return Check(scorer=spec, judge=judge, server=server, threshold=low, negate=negate)


def _schema(page: str) -> Any:
    text = st.text_area(
        "json-schema: schema",
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
        raise PromptError(
            "the schema of the scorer 'json-schema' is not valid JSON; correct it", code="not-json"
        ) from error
