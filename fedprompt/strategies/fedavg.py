"""FedAvg: McMahan et al. 2017, arXiv 1602.05629, algorithm 1: the updates' mean, weighted by numbers of cases."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import FederationError
from fedprompt.strategies.strategy import Aggregate, State, Strategy, Update, in_site_order

__all__ = ["FedAvg", "moved", "weighted_mean"]


class FedAvg(Strategy):
    """Sums in the order of site names, in float64, update by update: memory does not grow with sites."""

    name = "fedavg"
    needs = "sum"

    def aggregate(
        self, start: NDArray[np.float32], updates: Iterable[Update], options: Mapping[str, float], state: State
    ) -> Aggregate:
        """Return ``start`` plus the weighted mean of the updates.

        Raises:
            FederationError: no updates, no cases among them, or shapes that differ.
        """
        return Aggregate(moved(start, weighted_mean(start, updates)))


def weighted_mean(start: NDArray[np.float32], updates: Iterable[Update]) -> NDArray[np.float64]:
    """Return the mean of the updates weighted by cases, float64.

    Raises:
        FederationError: no updates, no cases among them, or shapes that differ.
    """
    total = np.zeros(start.shape, dtype=np.float64)
    weighted = np.empty(start.shape, dtype=np.float64)
    cases = 0
    for update in in_site_order(start, updates):
        np.multiply(update.delta, float(update.cases), out=weighted)
        total += weighted
        cases += update.cases
    if not cases:
        raise FederationError(
            "no site sent an update over any case, so there is nothing to aggregate", code="no-updates"
        )
    return total / cases


def moved(start: NDArray[np.float32], step: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return ``start + step``, rounded once to float32."""
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and the round refuses it
        return np.asarray(start.astype(np.float64) + step, dtype=np.float32)
