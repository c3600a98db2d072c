"""Coordinate-wise median: Yin et al. 2018, arXiv 1803.01498, algorithm 1, option I; a few liars move it little."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fedprompt.strategies.columns import by_coordinate, collected
from fedprompt.strategies.fedavg import moved
from fedprompt.strategies.strategy import Aggregate, State, Strategy, Update

__all__ = ["Median", "median_of"]


class Median(Strategy):
    """Each site counts once, however many cases it has."""

    name = "median"
    robust = True

    def aggregate(
        self, start: NDArray[np.float32], updates: Iterable[Update], options: Mapping[str, float], state: State
    ) -> Aggregate:
        """Return ``start`` plus the median of the updates, coordinate by coordinate.

        Raises:
            FederationError: no updates, or shapes that differ.
        """
        found = collected(start, updates, 1, self.name)
        return Aggregate(moved(start, median_of([update.delta for update in found])))


def median_of(deltas: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return the median of each coordinate, the mean of the two in the middle where their number is even."""
    return by_coordinate(deltas, _middle)


def _middle(block: NDArray[np.float32]) -> NDArray[np.float64]:
    count = block.shape[1]
    high = count // 2
    # One place, then the largest of what lies below it: half the work of asking for two places.
    block.partition(high, axis=1)
    upper = block[:, high].astype(np.float64)
    return upper if count % 2 else (upper + block[:, :high].max(axis=1)) / 2
