"""FedAvgM: Hsu, Qi and Brown 2019, arXiv 1909.06335, section 4: FedAvg with momentum at the server."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from fedprompt.federation.strategies.fedavg import moved, weighted_mean
from fedprompt.federation.strategies.strategy import Aggregate, State, Update

__all__ = ["FedAvgM"]


class FedAvgM:
    """``v <- momentum v + mean``, then a step of ``lr v``; ``v`` is the state. Streams."""

    name = "fedavgm"

    def aggregate(
        self, start: NDArray[np.float32], updates: Iterable[Update], options: Mapping[str, float], state: State
    ) -> Aggregate:
        """Return ``start + lr v``.

        Raises:
            FederationError: no updates, no cases among them, or shapes that differ.
        """
        mean = weighted_mean(start, updates)
        velocity = options["momentum"] * state.get("velocity", np.zeros_like(mean)) + mean
        return Aggregate(moved(start, options["lr"] * velocity), {"velocity": velocity})
