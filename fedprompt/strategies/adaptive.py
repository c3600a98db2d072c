"""FedAdam and FedYogi: Reddi et al. 2020, arXiv 2003.00295, algorithm 2: the mean update as a slope for the server.

``m <- beta1 m + (1 - beta1) mean``; FedAdam's ``v <- beta2 v + (1 - beta2) mean^2``, FedYogi's
``v <- v - (1 - beta2) mean^2 sign(v - mean^2)``; then ``start + lr m / (sqrt(v) + tau)``. As in the paper ``v`` begins
at ``tau^2`` and the moments are not corrected for their start.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedprompt.strategies.fedavg import moved, weighted_mean
from fedprompt.strategies.strategy import Aggregate, Options, Rate, Share, State, Strategy, Update

__all__ = ["FedAdam", "FedYogi"]


class Adaptive(Options):
    """The server's learning rate, the decay of both moments, and what keeps the divisor from zero."""

    lr: Rate = 0.01
    beta1: Share = 0.9
    beta2: Share = 0.99
    tau: Annotated[float, Field(gt=0, le=1)] = 0.001


class FedAdam(Strategy):
    """Both moments are the state. Streams."""

    name = "fedadam"
    options = Adaptive
    needs = "sum"

    def aggregate(
        self, start: NDArray[np.float32], updates: Iterable[Update], options: Mapping[str, float], state: State
    ) -> Aggregate:
        """Return ``start`` after one adaptive step.

        Raises:
            FederationError: no updates, no cases among them, or shapes that differ.
        """
        mean = weighted_mean(start, updates)
        tau, beta = options["tau"], options["beta1"]
        first = beta * state.get("first", np.zeros_like(mean)) + (1 - beta) * mean
        second = self._second(state.get("second", np.full_like(mean, tau**2)), mean**2, options["beta2"])
        step = options["lr"] * first / (np.sqrt(second) + tau)
        return Aggregate(moved(start, step), {"first": first, "second": second})

    def _second(self, before: NDArray[np.float64], square: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
        return beta * before + (1 - beta) * square


class FedYogi(FedAdam):
    """As FedAdam, but the second moment moves by no more than the new square, so that it shrinks slowly."""

    name = "fedyogi"

    def _second(self, before: NDArray[np.float64], square: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
        return before - (1 - beta) * square * np.sign(before - square)
