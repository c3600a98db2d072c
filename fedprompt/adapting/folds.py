"""Folds of few labelled cases, so that a prompt is judged on cases that it was not tuned on.

Stratified k-fold cross-validation (Kohavi 1995, IJCAI, 1137-1143). Invariants: each case is in one fold; the folds'
sizes differ by at most one, and so do the counts of each label over folds, unless groups do not allow it; cases of one
group (the same input twice) are never in two folds; the same generator gives the same folds.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["stratified_folds"]


def stratified_folds(
    answers: NDArray[np.int64],
    count: int,
    rng: np.random.Generator,
    groups: Sequence[Hashable] | None = None,
) -> NDArray[np.int64]:
    """Return [cases], the fold of each case, from 0.

    Args:
        answers: [cases], each a label's place.
        count: how many folds; fewer where there are fewer groups of cases.
        rng: what decides among equals.
        groups: a key for each case; those of one key stay together. None: each case is its own group.

    Raises:
        ValueError: ``count`` is below 1, or there is not one group a case.
    """
    if count < 1 or (groups is not None and len(groups) != len(answers)):
        raise ValueError(f"{len(answers)} cases are cut into at least one fold, by one group each; not into {count}")
    together: dict[Hashable, list[int]] = {}
    for case, key in enumerate(range(len(answers)) if groups is None else groups):
        together.setdefault(key, []).append(case)
    members = list(together.values())
    count = max(1, min(count, len(members)))
    order = rng.permutation(len(members))
    # Label by label, the larger groups first: dealt like cards, each to the fold that has the fewest so far.
    dealt = sorted(order.tolist(), key=lambda place: (int(answers[members[place][0]]), -len(members[place])))
    folds, sizes = np.zeros(len(answers), dtype=np.int64), np.zeros(count, dtype=np.int64)
    of_label: dict[int, NDArray[np.int64]] = {}
    for place in dealt:
        label = int(answers[members[place][0]])
        held = of_label.setdefault(label, np.zeros(count, dtype=np.int64))
        fold = min(range(count), key=lambda one: (int(held[one]), int(sizes[one]), one))
        folds[members[place]] = fold
        held[fold] += len(members[place])
        sizes[fold] += len(members[place])
    return folds
