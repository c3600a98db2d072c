"""Bulyan: El Mhamdi, Guerraoui and Rouault 2018, arXiv 1802.07927, algorithm 2: Krum chooses, a trimmed mean averages.

Krum is asked again and again until ``theta = n - 2f`` updates are chosen; then each coordinate is the mean of the
``beta = theta - 2f`` chosen values that lie nearest to their median. Needs ``n >= 4f + 3``.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from fedprompt.strategies.columns import by_coordinate, collected
from fedprompt.strategies.distances import squared_distances
from fedprompt.strategies.fedavg import moved
from fedprompt.strategies.multi_krum import krum_scores
from fedprompt.strategies.strategy import Aggregate, Liars, Options, State, Strategy, Update

__all__ = ["Bulyan"]


class BulyanOptions(Options):
    """How many sites may lie."""

    liars: Liars = 1

    def least(self) -> int:
        """El Mhamdi et al. 2018, section 4: n >= 4f + 3."""
        return 4 * self.liars + 3


class Bulyan(Strategy):
    """Each site counts once. Time grows with the cube of the sites: meant for tens or hundreds of them."""

    name = "bulyan"
    robust = True
    options = BulyanOptions

    def aggregate(
        self, start: NDArray[np.float32], updates: Iterable[Update], options: Mapping[str, float], state: State
    ) -> Aggregate:
        """Return ``start`` plus Bulyan's mean.

        Raises:
            FederationError: fewer than ``4 liars + 3`` updates, or shapes that differ.
        """
        liars = int(options["liars"])
        found = collected(start, updates, 4 * liars + 3, self.name)
        chosen = _chosen(squared_distances([update.delta for update in found]), liars)
        keep = len(chosen) - 2 * liars

        def near_the_median(block: NDArray[np.float32]) -> NDArray[np.float64]:
            values = np.sort(block, axis=1).astype(np.float64)
            # In order the nearest stand together, so the best window is the one whose farther end is nearest.
            middle = np.median(values, axis=1)[:, None]
            ends = np.maximum(middle - values[:, : len(chosen) - keep + 1], values[:, keep - 1 :] - middle)
            first = ends.argmin(axis=1)
            places = first[:, None] + np.arange(keep)
            return np.asarray(np.take_along_axis(values, places, axis=1).mean(axis=1))

        return Aggregate(moved(start, by_coordinate([found[place].delta for place in chosen], near_the_median)))


def _chosen(distances: NDArray[np.floating], liars: int) -> list[int]:
    """Return the places of the updates that Krum, asked again and again, takes first, in order of site."""
    left = list(range(len(distances)))
    chosen = []
    for _ in range(len(distances) - 2 * liars):
        among = distances[np.ix_(left, left)]
        # Among the last few fewer neighbours are left than the formula asks for; one is the least that means anything.
        near = min(max(1, len(left) - liars - 2), len(left) - 1)
        chosen.append(left.pop(int(np.argmin(krum_scores(among, near)))))
    return sorted(chosen)
