"""What a home can do by itself with its labelled cases: the ways that shared prompts are compared with.

Ways: the best template and all templates mixed, each with a bias; cases of its own shown in the prompt, calibrated
without labels; a regression on sentence vectors; and that regression mixed with the templates. Strengths are those of
the development task (benchmarks/LOG.md). Invariant: answers of asked cases play no part.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.combining import combined
from fedprompt.adapting.fitting import fit
from fedprompt.adapting.mixture import fit_mixture
from fedprompt.adapting.settings import AtN

__all__ = ["WAYS", "Way", "alone_tables", "strongest"]

Way = Literal["template", "templates", "shown", "encoder", "encoder+templates"]
WAYS: tuple[Way, ...] = ("template", "templates", "shown", "encoder", "encoder+templates")
PULL = 4.0  # to even weights
ENCODER = 0.6  # what the regression weighs beforehand, beside templates

Table = NDArray[np.float64]


def alone_tables(
    settings: AtN,
    plain: Table,
    answers: NDArray[np.int64],
    known: NDArray[np.int64],
    asked: NDArray[np.int64],
    *,
    shown: Table | None = None,
    encoded: Table | None = None,
) -> Mapping[Way, Table]:
    """Return way -> [asked, labels] log-probabilities, of the ways that there are tables for.

    Args:
        settings: for the number of cases; its precision is that of every bias.
        plain: [templates, cases, labels] log-probabilities.
        answers: [cases], of which those of ``known`` are looked at.
        known: the places of the labelled cases, at least one.
        asked: the places of the cases to answer.
        shown: [cases, labels] of few-shot prompts, calibrated: asked cases with known ones shown.
        encoded: [cases, labels] of the regression: asked cases by the known ones, known ones out of fold.

    Raises:
        ValueError: shapes do not fit, or an answer is no label.
    """
    found: dict[Way, Table] = {}
    true, many = answers[known], len(plain)
    if many:
        even = np.full(many, 1 / many)
        best = fit(
            settings.model_copy(update={"method": "template"}),
            plain[:, known],
            true,
            even,
            kinds=["template"] * many,
        )
        found["template"] = combined(plain[:, asked], best.weights, best.bias)
    if many > 1:
        mixed = fit_mixture(plain[:, known], true, even, pull=PULL, precision=settings.precision)
        found["templates"] = combined(plain[:, asked], mixed.weights, mixed.bias)
    if shown is not None:
        found["shown"] = shown[asked]
    if encoded is not None:
        found["encoder"] = encoded[asked]
    if encoded is not None and many:
        both = np.concatenate([encoded[None], plain])
        towards = np.array([ENCODER, *[(1 - ENCODER) / many] * many])
        mixed = fit_mixture(both[:, known], true, towards, pull=PULL, precision=settings.precision)
        found["encoder+templates"] = combined(both[:, asked], mixed.weights, mixed.bias)
    return found


def strongest(right: Mapping[Way, int]) -> Way | None:
    """Return the way that answers most cases right, the simplest of equals; None where there is none."""
    ranked = [way for way in WAYS if way in right]
    if not ranked:
        return None
    return max(ranked, key=lambda way: right[way])
