"""Nearest-neighbour mixing: Allouah et al. 2023, arXiv 2302.01772, algorithm 2, then multi-Krum.

Each update is replaced by the mean of its ``n - liars`` nearest, itself among them. Honest updates that differ because
sites differ come together, so that Krum after it no longer throws away what only some sites have to say, while updates
that lie together stay apart. Of the rules that the paper puts behind mixing, Krum let the fewest backdoors through here
(benchmarks/LOG.md).
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from fedprompt.strategies.columns import collected
from fedprompt.strategies.distances import squared_distances
from fedprompt.strategies.multi_krum import MultiKrum
from fedprompt.strategies.strategy import Aggregate, Liars, Options, State, Strategy, Update

__all__ = ["NearestMixing"]


class Mixing(Options):
    """How many sites may lie."""

    liars: Liars = 1

    def least(self) -> int:
        """What Krum needs."""
        return 2 * self.liars + 3


class NearestMixing(Strategy):
    """Holds against ``liars`` sites, also where honest sites differ. Each site counts once."""

    name = "nearest-mixing"
    robust = True
    options = Mixing

    def aggregate(
        self, start: NDArray[np.float32], updates: Iterable[Update], options: Mapping[str, float], state: State
    ) -> Aggregate:
        """Return ``start`` plus what multi-Krum makes of the mixed updates.

        Raises:
            FederationError: fewer than ``2 liars + 3`` updates, or shapes that differ.
        """
        liars = int(options["liars"])
        found = collected(start, updates, 2 * liars + 3, self.name)
        near, apart = len(found) - liars, squared_distances([update.delta for update in found])
        mixed = [
            Update(update.site, _mean_of(found, np.sort(np.argsort(row, kind="stable")[:near])), update.cases)
            for update, row in zip(found, apart, strict=True)
        ]
        return MultiKrum().aggregate(start, mixed, {"liars": liars, "keep": 0}, state)


def _mean_of(updates: list[Update], places: NDArray[np.intp]) -> NDArray[np.float32]:
    total = np.zeros(updates[0].delta.shape, dtype=np.float64)
    for place in places:
        total += updates[place].delta
    return (total / len(places)).astype(np.float32)
