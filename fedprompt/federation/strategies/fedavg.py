"""FedAvg: McMahan et al. 2017, arXiv 1602.05629, algorithm 1: the updates' mean, weighted by numbers of cases."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import FederationError
from fedprompt.federation.strategies.strategy import Update

__all__ = ["FedAvg"]


class FedAvg:
    """Sums in the order of site names, in float64, so that the order of arrival changes nothing."""

    name = "fedavg"

    def aggregate(
        self, start: NDArray[np.float32], updates: Sequence[Update], options: Mapping[str, float]
    ) -> NDArray[np.float32]:
        """Return ``start`` plus the weighted mean of the updates.

        Raises:
            FederationError: no updates, no cases among them, an option that it does not have, or shapes that differ.
        """
        if options:
            raise FederationError(f"fedavg has no option '{sorted(options)[0]}'")
        total = sum(update.cases for update in updates)
        if not total:
            raise FederationError("no site sent an update over any case, so there is nothing to aggregate")
        mean = np.zeros(start.shape, dtype=np.float64)
        for update in sorted(updates, key=lambda u: u.site):
            if update.delta.shape != start.shape:
                raise FederationError(f"the update of site '{update.site}' has another shape than the soft prompt")
            mean += update.delta.astype(np.float64) * (update.cases / total)
        return np.asarray(start.astype(np.float64) + mean, dtype=np.float32)
