"""FedAvgM: Hsu, Qi and Brown 2019, arXiv 1909.06335, section 4: FedAvg with momentum at the server."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from fedprompt.strategies.fedavg import moved, weighted_mean
from fedprompt.strategies.strategy import Aggregate, Options, Rate, Share, State, Strategy, Update

__all__ = ["FedAvgM", "with_momentum"]


class Momentum(Options):
    """The server's learning rate and its momentum."""

    lr: Rate = 1.0
    momentum: Share = 0.9


class FedAvgM(Strategy):
    """``v <- momentum v + mean``, then a step of ``lr v``; ``v`` is the state. Streams."""

    name = "fedavgm"
    options = Momentum
    needs = "sum"

    def aggregate(
        self, start: NDArray[np.float32], updates: Iterable[Update], options: Mapping[str, float], state: State
    ) -> Aggregate:
        """Return ``start + lr v``.

        Raises:
            FederationError: no updates, no cases among them, or shapes that differ.
        """
        _, velocity = with_momentum(start, updates, options["momentum"], state)
        return Aggregate(moved(start, options["lr"] * velocity), {"velocity": velocity})


def with_momentum(
    start: NDArray[np.float32], updates: Iterable[Update], momentum: float, state: State
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the updates' weighted mean, and the velocity ``momentum v + mean`` after the state's ``v``.

    Raises:
        FederationError: no updates, no cases among them, or shapes that differ.
    """
    mean = weighted_mean(start, updates)
    return mean, momentum * state.get("velocity", np.zeros_like(mean)) + mean
