"""Cases of a run taken further: into a test set, or as the examples that a variant shows.

Invariant: a case that a variant shows is not among the cases that it is scored on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fedprompt.errors import JobError
from fedprompt.evaluation.cases import Case, input_key
from fedprompt.workspace.acting import needs
from fedprompt.workspace.answers.composing import MOST_EXAMPLES, Example
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.trial_files import TrialFolder
from fedprompt.workspace.playground.trials import MAX_ROWS, TrialRequest

__all__ = ["AddedCases", "ShownCases", "add_to_set", "examples_of", "left_out"]

LONGEST_NAME = 80


@dataclass(frozen=True)
class AddedCases:
    """How many cases went into a test set, and how many were there already."""

    added: int
    there: int


@dataclass(frozen=True)
class ShownCases:
    """``examples``: what can be shown; ``unlabelled`` and ``over``: how many cases cannot, and why.

    A case is unlabelled if its right answer is unknown or is none of the variant's labels.
    """

    examples: tuple[Example, ...]
    unlabelled: int
    over: int


@needs("try")
def add_to_set(folder: TrialFolder, name: str, request: TrialRequest, rows: Sequence[int]) -> AddedCases:
    """Add rows of a run, with their right answers, to a test set; one that is not there yet is made.

    Raises:
        JobError: the name is empty or too long, the set has other fields, or there are too many rows or sets.
    """
    name = name.strip()
    if not name or len(name) > LONGEST_NAME:
        raise JobError(f"give the test set a name of at most {LONGEST_NAME} characters", code="name-missing")
    body = folder.sets().get(name) or {"rows": [], "expected": []}
    kept, expected = list(body["rows"]), list(body["expected"])
    given = [dict(request.rows[row]) for row in rows]
    if kept and given and set(kept[0]) != set(given[0]):
        raise JobError(
            f"the test set “{name}” has the fields {', '.join(kept[0])}, and these cases have "
            f"{', '.join(given[0])}; choose another set",
            code="other-fields",
        )
    there = {_key(row) for row in kept}
    added = 0
    for place, row in zip(rows, given, strict=True):
        if _key(row) in there:
            continue
        there.add(_key(row))
        kept.append(row)
        expected.append(request.expected[place] if place < len(request.expected) else "")
        added += 1
    if len(kept) > MAX_ROWS:
        raise JobError(f"a test set holds {MAX_ROWS:,} cases at most; choose another set", code="too-many")
    if added:
        folder.save_set(name, {**body, "rows": kept, "expected": expected})
    return AddedCases(added, len(given) - added)


def examples_of(variant: Variant, request: TrialRequest, rows: Sequence[int]) -> ShownCases:
    """Return rows of a run as examples of a variant, after those that it shows already; each input once."""
    found = list(variant.examples)
    there = {_key(one.fields) for one in found}
    unlabelled = over = 0
    for place in rows:
        row = request.rows[place]
        answer = request.expected[place] if place < len(request.expected) else ""
        if not answer or (variant.labels and answer not in variant.labels):
            unlabelled += 1
        elif _key(row) in there:
            continue
        elif len(found) == MOST_EXAMPLES:
            over += 1
        else:
            there.add(_key(row))
            found.append(Example(fields=dict(row), answer=answer))
    return ShownCases(tuple(found), unlabelled, over)


def left_out(variants: Sequence[Variant], rows: Sequence[Mapping[str, str]]) -> frozenset[int]:
    """Return the places of the rows that some variant shows as an example.

    They are left out for every variant, so that all are compared on the same cases.

    Raises:
        PromptError: a template is not well formed.
    """
    return frozenset().union(*(one.own_rows(rows) for one in variants)) if variants else frozenset()


def _key(row: Mapping[str, str]) -> str:
    return input_key(Case(dict(row), ""), sorted(row))
