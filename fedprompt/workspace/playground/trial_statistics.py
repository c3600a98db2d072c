"""How sure a run's numbers are: intervals, paired tests, results by label, and which label is taken for which.

Rows are independent draws; a row counts for a pair where both answers could be judged. Wilson's interval, the exact
test of McNemar with Holm's correction over the pairs, and a bootstrap of the difference: see
``fedprompt.evaluation.statistics``. Invariant: over no judged row there is no number.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fedprompt.evaluation.statistics.holm import holm
from fedprompt.evaluation.statistics.intervals import Estimate, Interval, wilson
from fedprompt.evaluation.statistics.pairs import PairCounts, mcnemar_exact, paired_difference
from fedprompt.workspace.playground.trials import Trial

__all__ = ["LabelResult", "PairTest", "by_label", "confusion", "pair_tests", "share_interval"]

SEED = 0


@dataclass(frozen=True)
class PairTest:
    """Variants ``first`` and ``other`` over ``n`` rows: ``better`` only the other passes, ``worse`` only the first.

    ``difference`` is the other's share less the first's; ``p`` is corrected for the number of pairs.
    """

    first: int
    other: int
    n: int
    better: int
    worse: int
    difference: Estimate
    p: float


@dataclass(frozen=True)
class LabelResult:
    """One label: ``n`` rows have it as the right answer, of which ``right`` were answered so; ``chosen`` got it.

    ``recall`` is ``right / n`` with its interval, None over no rows; ``precision`` is ``right / chosen``.
    """

    label: str
    n: int
    right: int
    chosen: int
    recall: float | None
    interval: Interval | None
    precision: float | None


def share_interval(trial: Trial, variant: int) -> Interval | None:
    """Return the 95 % interval of the share of a variant's judged answers that passes, None where none was judged."""
    passed = [
        verdict for row in range(len(trial.request.rows)) if (verdict := _passed(trial, variant, row)) is not None
    ]
    return wilson(sum(passed), len(passed)) if passed else None


def pair_tests(trial: Trial, first: int = 0) -> tuple[PairTest, ...]:
    """Return one variant against each other one, over the rows on which both were judged."""
    found = []
    for other in range(len(trial.request.variants)):
        if other == first:
            continue
        verdicts = [(_passed(trial, first, row), _passed(trial, other, row)) for row in range(len(trial.request.rows))]
        both = [(ours, theirs) for ours, theirs in verdicts if ours is not None and theirs is not None]
        better, worse = both.count((False, True)), both.count((True, False))
        counts = [PairCounts(len(both), better, worse)]
        difference = paired_difference(counts, np.random.default_rng(SEED)) if both else None
        if difference is not None:
            found.append((other, len(both), better, worse, difference, mcnemar_exact(better, worse)))
    corrected = holm([one[-1] for one in found]) if found else ()
    return tuple(
        PairTest(first, other, n, better, worse, difference, p)
        for (other, n, better, worse, difference, _), p in zip(found, corrected, strict=True)
    )


def by_label(trial: Trial, variant: int) -> tuple[LabelResult, ...]:
    """Return a variant's results for each of its labels; nothing where it chooses among none, or no answer is known."""
    pairs = _answered(trial, variant)
    if not pairs:
        return ()
    wanted, chosen, both = Counter(a for a, _ in pairs), Counter(b for _, b in pairs), Counter(pairs)
    found = []
    for label in trial.request.variants[variant].labels:
        n, right, given = wanted[label], both[label, label], chosen[label]
        found.append(
            LabelResult(
                label,
                n,
                right,
                given,
                right / n if n else None,
                wilson(right, n) if n else None,
                right / given if given else None,
            )
        )
    return tuple(found)


def confusion(trial: Trial, variant: int) -> Sequence[Sequence[int]]:
    """Return [labels][labels] counts, a row for each right answer and a column for each answer that was given."""
    counts = Counter(_answered(trial, variant))
    labels = trial.request.variants[variant].labels
    return [[counts[answer, given] for given in labels] for answer in labels]


def _answered(trial: Trial, variant: int) -> list[tuple[str, str]]:
    """Return (right answer, answer given) of the rows whose right answer is one of the variant's labels."""
    labels = set(trial.request.variants[variant].labels)
    found = []
    for row, expected in enumerate(trial.request.expected):
        cell = trial.cells.get((variant, row))
        if expected in labels and cell is not None and cell.error is None and cell.answer is not None:
            found.append((expected, cell.answer))
    return found


def _passed(trial: Trial, variant: int, row: int) -> bool | None:
    cell = trial.cells.get((variant, row))
    return None if cell is None or cell.error is not None else cell.passed
