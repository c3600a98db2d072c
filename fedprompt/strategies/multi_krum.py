"""Multi-Krum: Blanchard et al. 2017, arXiv 1703.02757, section 4: the mean of the updates that have near neighbours.

An update's score is the sum of its squared distances to its ``n - f - 2`` nearest; those with the lowest scores are
averaged. Needs ``n >= 2f + 3`` (proposition 1).
"""

from collections.abc import Iterable, Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedprompt.strategies.columns import collected
from fedprompt.strategies.distances import squared_distances
from fedprompt.strategies.fedavg import moved
from fedprompt.strategies.strategy import Aggregate, Liars, Options, State, Strategy, Update

__all__ = ["MultiKrum", "krum_scores"]


class KrumOptions(Options):
    """How many sites may lie, and how many updates are averaged (0: all but ``liars`` and two)."""

    liars: Liars = 1
    keep: Annotated[int, Field(ge=0, le=1_000_000)] = 0

    def least(self) -> int:
        """Blanchard et al. 2017, proposition 1: n >= 2f + 3."""
        return 2 * self.liars + 3


class MultiKrum(Strategy):
    """Averages ``keep`` updates, at most and by default ``n - liars - 2``. Each site counts once."""

    name = "multi-krum"
    robust = True
    options = KrumOptions

    def aggregate(
        self, start: NDArray[np.float32], updates: Iterable[Update], options: Mapping[str, float], state: State
    ) -> Aggregate:
        """Return ``start`` plus the mean of the updates with the lowest scores, the first by name of equals.

        Raises:
            FederationError: fewer than ``2 liars + 3`` updates, or shapes that differ.
        """
        liars, keep = int(options["liars"]), int(options["keep"])
        found = collected(start, updates, 2 * liars + 3, self.name)
        near = len(found) - liars - 2
        scores = krum_scores(squared_distances([update.delta for update in found]), near)
        chosen = np.sort(np.argsort(scores, kind="stable")[: min(keep or near, near)])
        total = np.zeros(start.shape, dtype=np.float64)
        for place in chosen:
            total += found[place].delta
        return Aggregate(moved(start, total / len(chosen)))


def krum_scores(distances: NDArray[np.floating], near: int) -> NDArray[np.float64]:
    """Return each update's sum of squared distances to its ``near`` nearest others.

    Args:
        distances: [n, n] squared, 0 on the diagonal, so that an update is the nearest to itself.
        near: at least 1 and less than n.
    """
    scores = np.empty(len(distances), dtype=np.float64)
    for place, row in enumerate(distances):
        # Itself is the smallest of the ``near + 1``; sorted, so that equal sets give equal sums.
        scores[place] = np.sort(np.partition(row, near)[: near + 1]).sum(dtype=np.float64)
    return scores
