"""An objective of which a round moves some values: the slopes of all others are nought, so that AdamW leaves them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fedprompt.models.protocols import CaseObjective, LossGradient, PerCase

__all__ = ["PartlyMoved", "moved_alone"]


def moved_alone(found: LossGradient, moving: NDArray[np.bool_]) -> LossGradient:
    """Return a slope with noughts where nothing moves."""
    return LossGradient(found.loss, np.where(moving, found.gradient, np.float32(0)))


class PartlyMoved:
    """Implements ``CaseObjective``; ``moving`` has the shape of the values and says which of them move."""

    def __init__(self, whole: CaseObjective, moving: NDArray[np.bool_]) -> None:
        self._whole, self._moving = whole, moving

    def __len__(self) -> int:
        return len(self._whole)

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        """Return the mean loss over ``rows``, and its gradient where the values move."""
        return moved_alone(self._whole.loss_and_gradient(vectors, rows), self._moving)

    def per_case(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> PerCase:
        """Return every case's own loss and gradient, where the values move."""
        found = self._whole.per_case(vectors, rows)
        return PerCase(found.losses, np.where(self._moving, found.gradients, np.float32(0)))

    def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return [cases, labels]."""
        return self._whole.loglikelihoods(vectors)
