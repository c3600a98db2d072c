"""What is learnt from a home's cases, judged on cases that taught it nothing; and again for who learns from that.

A case of a fold is answered by what the other folds teach. Weights that are learnt from such answers are judged on a
fold in turn; they are then learnt from answers that the fold had no part in either (stacked generalisation, Wolpert
1992, Neural Networks 5:241-259, within cross-validation). Invariant: no label of a fold plays a part in what
``without(fold)`` says of other folds' cases, nor in what it says of the fold's own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Learner", "LeftOut", "left_out", "outside"]

Table = NDArray[np.float64]
Rows = NDArray[np.int64]
Learner = Callable[[Rows, Rows], Table]  # (cases to learn from, cases to answer) -> [cases to answer, labels]


@dataclass(frozen=True)
class LeftOut:
    """``table`` [cases, labels]: each case by what other folds teach. ``twice``: fold -> the same without it too."""

    table: Table
    twice: dict[int, Table]

    def without(self, fold: int) -> Table:
        """Return [cases, labels]: cases of other folds by what neither their fold nor this one has taught."""
        return self.twice.get(fold, self.table)


def outside(learn: Learner, folds: NDArray[np.int64], labels: int) -> Table:
    """Return [cases, labels], each case by what the other folds teach.

    Args:
        learn: from some cases, about others.
        folds: [cases], at least two of them.
        labels: how many labels there are.
    """
    found = np.zeros((len(folds), labels))
    for fold in np.unique(folds):
        asked = np.flatnonzero(folds == fold)
        found[asked] = learn(np.flatnonzero(folds != fold), asked)
    return found


def left_out(learn: Learner, folds: NDArray[np.int64], labels: int, *, twice: bool = True) -> LeftOut:
    """Return each case's answers by what it had no part in; as ``outside``.

    Args:
        learn: from some cases, about others.
        folds: [cases], at least two of them.
        labels: how many labels there are.
        twice: whether other folds are left out too, one by one; else ``without`` is ``table``, in which a fold's labels
            play a small part. For many cases, where that part is negligible and the time is not.
    """
    table, names = outside(learn, folds, labels), [int(fold) for fold in np.unique(folds)]
    if not twice or len(names) < 3:
        return LeftOut(table, {})
    found = {fold: table.copy() for fold in names}
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            ours, theirs = folds == one, folds == other
            asked = np.flatnonzero(ours | theirs)
            answered = learn(np.flatnonzero(~(ours | theirs)), asked)
            found[one][theirs] = answered[theirs[asked]]
            found[other][ours] = answered[ours[asked]]
    return LeftOut(table, found)
