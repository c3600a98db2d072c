"""A case whose prompt is longer than the model's window loses the end of its longest fields, and is counted.

All fields are cut to one length in characters, as large as the window allows: shorter fields stay whole, and only where
the longest, cut down to the next, is still too long does that one lose its end too. The instruction, the demonstrations
and the answer's words are never cut: where they alone do not fit, the model refuses the prompt.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from fedprompt.evaluation.cases import Case
from fedprompt.models.protocols import CausalModel, ChoiceQuery, GenerateQuery

__all__ = ["fit"]

Query = TypeVar("Query", ChoiceQuery, GenerateQuery)
MARKERS = 256  # tokens that a chat format may add, for the bound that needs no tokenizer


def fit(
    model: CausalModel, make: Callable[[Case], Query], case: Case, *, soft: int | None = None, room: int = 0
) -> tuple[Query, bool]:
    """Return the query about a case, and whether the case was cut for it.

    Args:
        make: makes the query.
        soft: how many soft tokens stand in the slot; those of the query's own soft prompt if None.
        room: tokens to be left for what is written.
    """
    window = model.info.window - room

    def fits(query: Query) -> bool:
        tokens = soft if soft is not None else query.soft.tokens if query.soft else 0
        words: tuple[str, ...] = getattr(query, "words", ())
        # No token is shorter than a byte.
        most = len(query.rendered.text().encode()) + max((len(w.encode()) for w in words), default=0) + tokens
        return most + MARKERS <= window or model.length(query.rendered, words, tokens) <= window

    def cut(size: int) -> Query:
        return make(replace(case, fields={name: text[:size] for name, text in case.fields.items()}))

    query = make(case)
    if fits(query) or not fits(cut(0)):
        return query, False
    low, high = 0, max(map(len, case.fields.values()))  # low fits, high does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(cut(middle)) else (low, middle)
    return cut(low), True
