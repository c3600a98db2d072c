"""Metrics of a choice among labels beside accuracy: macro F1, balanced accuracy, and the calibration error.

Calibration error in equal-width bins: Naeini, Cooper and Hauskrecht (2015), AAAI 29. Invariant: a label that
never occurs is left out of a mean, not counted as zero, and over no cases there is no value.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

__all__ = ["Bin", "CalibrationCounts", "balanced_accuracy", "calibration_error", "macro_f1"]

Confusion = Sequence[Sequence[int]]


class Bin(Protocol):
    """Answers whose confidence fell into one bin."""

    @property
    def n(self) -> int:
        """How many answers."""

    @property
    def confidence(self) -> float:
        """The sum of their confidences."""

    @property
    def right(self) -> int:
        """How many were right."""


class CalibrationCounts(NamedTuple):
    """The smallest value that is a :class:`Bin`."""

    n: int
    confidence: float
    right: int


def calibration_error(bins: Sequence[Bin]) -> float | None:
    """Return the expected calibration error in [0, 1], or None over no answers.

    Args:
        bins: usually ten of equal width; bins of several sites are added up first, or simply put one after
            the other for the error within sites.
    """
    total = sum(each.n for each in bins)
    return math.fsum(abs(each.right - each.confidence) for each in bins) / total if total else None


def macro_f1(confusion: Confusion) -> float | None:
    """Return the mean F1 over the labels that occur as answer or prediction, or None over no cases.

    Args:
        confusion: [labels][labels] counts, a row for each answer and a column for each prediction.

    Raises:
        ValueError: the matrix is not square.
    """
    rows, columns = _sums(confusion)
    scores = [2 * confusion[i][i] / (r + c) for i, (r, c) in enumerate(zip(rows, columns, strict=True)) if r + c]
    return math.fsum(scores) / len(scores) if scores else None


def balanced_accuracy(confusion: Confusion) -> float | None:
    """Return the mean recall over the labels that occur as answer, or None over no cases.

    As for :func:`macro_f1`.
    """
    rows, _ = _sums(confusion)
    recalls = [confusion[i][i] / row for i, row in enumerate(rows) if row]
    return math.fsum(recalls) / len(recalls) if recalls else None


def _sums(confusion: Confusion) -> tuple[list[int], list[int]]:
    if any(len(row) != len(confusion) for row in confusion):
        raise ValueError("a confusion matrix is square")
    return [sum(row) for row in confusion], [sum(column) for column in zip(*confusion, strict=True)]
