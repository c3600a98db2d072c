"""Several sites' objectives as one, so that the demo can show what tuning on the pooled cases would give.

Only where all sites lie in one process and the cases are public can this be done; no federation uses it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fedprompt.models.protocols import CaseObjective, LossGradient, PerCase

__all__ = ["PooledObjective"]


class PooledObjective:
    """Implements ``SoftObjective``: the parts' cases, one part after the other."""

    def __init__(self, parts: Sequence[CaseObjective]) -> None:
        self._parts = list(parts)
        self._ends = np.cumsum([len(part) for part in self._parts])

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._parts else 0

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        """Return the mean over ``rows`` of the loss, and its gradient, each part weighted by its rows.

        Raises:
            IndexError: a row is not that of a case.
        """
        loss, gradient = 0.0, np.zeros(vectors.shape, dtype=np.float64)
        wanted = np.asarray(rows)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"rows from {wanted.min()} to {wanted.max()} were asked for of {len(self)} cases")
        for part, end in zip(self._parts, self._ends, strict=True):
            own = wanted[(wanted >= end - len(part)) & (wanted < end)] - (end - len(part))
            if not own.size:
                continue
            found = part.loss_and_gradient(vectors, [int(i) for i in own])
            loss += found.loss * own.size / len(rows)
            gradient += found.gradient.astype(np.float64) * (own.size / len(rows))
        return LossGradient(loss, gradient.astype(np.float32))

    def per_case(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> PerCase:
        """Return every case's own loss and gradient, in the order of ``rows``."""
        starts = [0, *self._ends[:-1].tolist()]
        found = []
        for row in rows:
            place = int(np.searchsorted(self._ends, row, side="right"))
            found.append(self._parts[place].per_case(vectors, [row - starts[place]]))
        if not found:
            return PerCase(np.zeros(0), np.zeros((0, *vectors.shape), np.float32))
        return PerCase(np.concatenate([o.losses for o in found]), np.concatenate([o.gradients for o in found]))

    def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return [cases, labels] of all parts."""
        return np.concatenate([part.loglikelihoods(vectors) for part in self._parts])
