"""Trimmed mean: Yin et al. 2018, arXiv 1803.01498, algorithm 1, option II: the mean without the ends, by coordinate."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from fedprompt.strategies.columns import by_coordinate, collected
from fedprompt.strategies.fedavg import moved
from fedprompt.strategies.strategy import Aggregate, Liars, Options, State, Strategy, Update

__all__ = ["TrimmedMean"]


class Trimmed(Options):
    """How many sites may lie: as many values are left out at each end."""

    liars: Liars = 1

    def least(self) -> int:
        """One value is left between those cut off."""
        return 2 * self.liars + 1


class TrimmedMean(Strategy):
    """Leaves out the ``liars`` lowest and highest values of each coordinate. Each site counts once."""

    name = "trimmed-mean"
    robust = True
    options = Trimmed

    def aggregate(
        self, start: NDArray[np.float32], updates: Iterable[Update], options: Mapping[str, float], state: State
    ) -> Aggregate:
        """Return ``start`` plus the trimmed mean of the updates.

        Raises:
            FederationError: fewer than ``2 liars + 1`` updates, or shapes that differ.
        """
        cut = int(options["liars"])
        found = collected(start, updates, 2 * cut + 1, self.name)
        keep = len(found) - cut

        def middle(block: NDArray[np.float32]) -> NDArray[np.float64]:
            # Sorted and not partitioned: the order within a partition, and so the sum's last bit, is the processor's.
            block.sort(axis=1)
            return np.asarray(block[:, cut:keep].mean(axis=1, dtype=np.float64))

        return Aggregate(moved(start, by_coordinate([update.delta for update in found], middle)))
