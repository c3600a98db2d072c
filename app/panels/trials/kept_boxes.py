"""The boxes of the Playground and of Compare that a draft keeps, with what each can hold."""

import re
from typing import get_args

import streamlit as st
from pydantic import ValidationError

from app.drafts import Boxes, Check, flag, listed, mapped, number, one_of, text, whole
from app.panels.trials.cases import WAYS_KEPT
from app.panels.trials.typed_case import LONGEST
from app.panels.variants.constants import LONGEST_CONSTANT, MOST_CONSTANTS
from app.panels.variants.slots import MOST_MESSAGES, MOST_VARIANTS
from fedprompt.evaluation.runs.likelihoods import Normalise, Prior
from fedprompt.evaluation.scorers import scorer_names
from fedprompt.prompts.tools import LONGEST_TOOLS
from fedprompt.study.schema import Closed
from fedprompt.workspace.answers.composing import MOST_EXAMPLES, MOST_TURNS, Example, SaidTurn
from fedprompt.workspace.playground.trials import MAX_ROWS

__all__ = ["COMPARE", "PLAYGROUND"]

_RUN = r"[0-9a-f]{32}"
_V = rf"(_v[1-{MOST_VARIANTS + 1}])?"


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _fits(kind: type[Closed]) -> Check:
    """Return a check for what one of these models can hold."""

    def check(value: object) -> bool:
        try:
            kind.model_validate(value)
        except ValidationError:
            return False
        return True

    return check


def _run(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(_RUN, value) is not None


def _cases(page: str) -> dict[str, Check]:
    """Return the boxes that give texts, and those of the scorers that judge them."""
    short, cell = text(200), text(LONGEST)
    return {
        f"{page}_fields": listed(short, 400),
        f"{page}_field_.+": cell,
        f"{page}_how": one_of(*WAYS_KEPT),
        f"{page}_right": text(10_000),
        f"{page}_paste": text(4 * 1024 * 1024),
        f"{page}_table_of": text(32),
        f"{page}_table_edit": flag,
        f"{page}_table": listed(mapped(cell, 200), MAX_ROWS),
        f"{page}_column_.+|{page}_set_column_.+|{page}_set|{page}_public|{page}_public_f": short,
        f"{page}_answer_column": _or_none(short),
        f"{page}_public_count": whole(1, 200),
        f"{page}_public_seed": whole(0, 10**9),
        f"{page}_rows_of": _run,
        f"{page}_scorers": listed(one_of(*scorer_names()), 8),
        f"{page}_check_regex_pattern": text(1000),
        f"{page}_check_judge_rubric|{page}_check_schema": text(20_000),
        f"{page}_check_judge_model": _or_none(text(400)),
        f"{page}_check_.+_low": number(0.05, 1.0),
        f"{page}_check_.+_not": flag,
    }


def _alive(page: str, key: str) -> bool:
    state = st.session_state
    if key.startswith(f"{page}_field_"):
        return key.removeprefix(f"{page}_field_") in state.get(f"{page}_fields", ())
    if key.startswith("playground_constant_"):
        return key.removeprefix("playground_constant_") in state.get("playground_constants", ())
    if page == "playground" and re.fullmatch(rf"playground_({'|'.join(_SLOTS)}){_V}", key):
        _, _, slot = key.rpartition("_v")
        return (int(slot) if slot.isdigit() else 1) in state.get("playground_variants", (1,))
    return True


_SLOTS = {
    "name": text(80),
    "template": text(100_000),
    "chat": one_of("Text", "Chat"),
    "messages": whole(1, MOST_MESSAGES),
    "answers": text(10_000),
    "normalise": one_of(*get_args(Normalise)),
    "prior": one_of(*get_args(Prior)),
    "generate": flag,
    "tokens": whole(1, 512),
    "temperature": number(0.0, 2.0),
    "top_p": number(0.01, 1.0),
    "seed": whole(0, 2**31 - 1),
    "stop": text(1000),
    "tools": text(LONGEST_TOOLS),
    "soft": _or_none(text(80)),
    "source": _or_none(text(80)),
    "examples": listed(_fits(Example), MOST_EXAMPLES),
    "turns": listed(_fits(SaidTurn), MOST_TURNS),
    "model": text(400),
    r"role_\d+": one_of("system", "user", "assistant"),
    r"message_\d+": text(100_000),
}

PLAYGROUND = Boxes(
    "playground",
    {
        "playground_variants": listed(whole(1, MOST_VARIANTS + 1), MOST_VARIANTS),
        **{f"playground_{what}{_V}": check for what, check in _SLOTS.items()},
        "playground_next": text(LONGEST_CONSTANT),
        "playground_constants": listed(text(200), MOST_CONSTANTS),
        "playground_constant_.+": text(LONGEST_CONSTANT),
        **_cases("playground"),
        "playground_linked": listed(text(80), 8),
        "playground_run_shown": _or_none(_run),
        "playground_bench": text(40),
        "playground_explain|playground_keep_run|playground_sweep": flag,
        "playground_sweep_of": one_of(*"ABCDEF"),
        "playground_sweep_over": one_of("Settings", "Words of the answers"),
        "playground_sweep_[tps]": text(200),
        "playground_sweep_words": text(10_000),
    },
    first=("playground_variants", "playground_fields", "playground_constants"),
    alive=lambda key: _alive("playground", key),
)

COMPARE = Boxes(
    "compare",
    {
        **_cases("compare"),
        "compare_blind": flag,
        "compare_unblinded": _run,
    },
    first=("compare_fields",),
    alive=lambda key: _alive("compare", key),
)
