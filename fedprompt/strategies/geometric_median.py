"""RFA: Pillutla, Kakade and Harchaoui 2019, arXiv 1912.13445, algorithm 2: the smoothed Weiszfeld algorithm.

The geometric median is the point whose summed distance to the updates is least. Each step averages the updates with
weights ``1 / max(smoothing, distance)``. The first is from the coordinate-wise median, not from the mean, out of which
one huge lie would lead only after many steps. Each site counts once.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedprompt.strategies.columns import collected
from fedprompt.strategies.fedavg import moved
from fedprompt.strategies.median import median_of
from fedprompt.strategies.strategy import Aggregate, Options, State, Strategy, Update

__all__ = ["GeometricMedian"]


class Weiszfeld(Options):
    """Steps of the smoothed Weiszfeld algorithm, and the distance below which an update counts as near."""

    iterations: Annotated[int, Field(ge=1, le=1000)] = 10
    smoothing: Annotated[float, Field(gt=0, le=1)] = 1e-6


class GeometricMedian(Strategy):
    """Reads the updates ``iterations`` times and holds no copy of them."""

    name = "geometric-median"
    robust = True
    options = Weiszfeld

    def aggregate(
        self, start: NDArray[np.float32], updates: Iterable[Update], options: Mapping[str, float], state: State
    ) -> Aggregate:
        """Return ``start`` plus the geometric median of the updates.

        Raises:
            FederationError: no updates, or shapes that differ.
        """
        found = collected(start, updates, 1, self.name)
        point = median_of([update.delta for update in found])
        apart = np.empty(start.shape, dtype=np.float64)
        for _ in range(int(options["iterations"])):
            weights = np.empty(len(found))
            for place, update in enumerate(found):
                np.subtract(update.delta, point, out=apart)
                weights[place] = 1.0 / max(options["smoothing"], float(np.sqrt(np.vdot(apart, apart))))
            point = _weighted(found, weights)
        return Aggregate(moved(start, point))


def _weighted(updates: Iterable[Update], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total = weights.sum()
    shares = iter(weights / total)
    found: NDArray[np.float64] | None = None
    for update in updates:
        part = update.delta.astype(np.float64) * next(shares)
        found = part if found is None else np.add(found, part, out=found)
    assert found is not None
    return found
