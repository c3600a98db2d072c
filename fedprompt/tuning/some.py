"""Some cases of an objective as an objective, so that what is prepared once is tuned on in parts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fedprompt.models.protocols import LossGradient, SoftObjective

__all__ = ["SomeCases"]


class SomeCases:
    """Implements ``SoftObjective``: the cases ``places`` of another, in that order."""

    def __init__(self, whole: SoftObjective, places: Sequence[int] | NDArray[np.int64]) -> None:
        self._whole, self._places = whole, [int(place) for place in places]

    def __len__(self) -> int:
        return len(self._places)

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        """Return the mean over ``rows`` of the loss, and its gradient."""
        return self._whole.loss_and_gradient(vectors, [self._places[row] for row in rows])

    def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return [cases, labels] of these cases; all of the other's are asked."""
        return self._whole.loglikelihoods(vectors)[self._places]
