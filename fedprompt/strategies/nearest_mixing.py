"""Nearest-neighbour mixing: Allouah et al. 2023, arXiv 2302.01772, algorithm 2, then the trimmed mean by coordinate.

Each update is replaced by the mean of its ``n - liars`` nearest, itself among them. Honest updates that differ because
sites differ come together, so that the trimmed mean after it no longer throws away what only some sites have to say.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from fedprompt.strategies.columns import collected
from fedprompt.strategies.distances import squared_distances
from fedprompt.strategies.strategy import Aggregate, State, Strategy, Update
from fedprompt.strategies.trimmed_mean import Trimmed, TrimmedMean

__all__ = ["NearestMixing"]


class NearestMixing(Strategy):
    """Holds against ``liars`` sites of more than twice as many, also where honest sites differ. Each counts once."""

    name = "nearest-mixing"
    robust = True
    options = Trimmed

    def aggregate(
        self, start: NDArray[np.float32], updates: Iterable[Update], options: Mapping[str, float], state: State
    ) -> Aggregate:
        """Return ``start`` plus the trimmed mean of the mixed updates.

        Raises:
            FederationError: fewer than ``2 liars + 1`` updates, or shapes that differ.
        """
        cut = int(options["liars"])
        found = collected(start, updates, 2 * cut + 1, self.name)
        near, apart = len(found) - cut, squared_distances([update.delta for update in found])
        mixed = [
            Update(update.site, _mean_of(found, np.sort(np.argsort(row, kind="stable")[:near])), update.cases)
            for update, row in zip(found, apart, strict=True)
        ]
        return TrimmedMean().aggregate(start, mixed, options, state)


def _mean_of(updates: list[Update], places: NDArray[np.intp]) -> NDArray[np.float32]:
    total = np.zeros(updates[0].delta.shape, dtype=np.float64)
    for place in places:
        total += updates[place].delta
    return (total / len(places)).astype(np.float32)
