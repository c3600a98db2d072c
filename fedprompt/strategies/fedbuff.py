"""FedBuff: Nguyen et al. 2022, arXiv 2106.06639, algorithm 1: a step for every K updates, whoever sent them.

``start + lr / K * sum of s(t) update``, where ``s(t) = 1 / sqrt(1 + t)`` (section 3) and an update's staleness ``t`` is
how many steps the hub took since the site was given what it tuned from. Asked in rounds, nothing is stale and it is
the plain mean. ``federation.schedules.buffered`` runs it without rounds.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedprompt.errors import FederationError
from fedprompt.strategies.fedavg import moved
from fedprompt.strategies.strategy import Aggregate, Options, Rate, State, Strategy, Update

__all__ = ["FedBuff", "discounted", "staleness_weight"]


class Buffered(Options):
    """Updates a step (K), and the server's learning rate."""

    buffer: Annotated[int, Field(ge=1, le=100_000)] = 3
    lr: Rate = 1.0


class FedBuff(Strategy):
    """Each update counts once, whatever its cases; a fast site may have sent two. Streams."""

    name = "fedbuff"
    options = Buffered
    needs = "sum"
    schedule = "buffered"

    def aggregate(
        self, start: NDArray[np.float32], updates: Iterable[Update], options: Mapping[str, float], state: State
    ) -> Aggregate:
        """Return ``start`` plus ``lr`` times the plain mean of the updates, summed by site.

        Raises:
            FederationError: no updates, or shapes that differ.
        """
        total, count = np.zeros(start.shape, dtype=np.float64), 0
        for update in sorted(updates, key=lambda one: one.site) if isinstance(updates, Sequence) else updates:
            if update.delta.shape != start.shape:
                raise FederationError(
                    f"the update of site '{update.site}' has another shape than the soft prompt", code="wrong-shape"
                )
            total += update.delta
            count += 1
        if not count:
            raise FederationError("no site sent an update, so there is nothing to aggregate", code="no-updates")
        return Aggregate(moved(start, options["lr"] * total / count))


def staleness_weight(staleness: int) -> float:
    """Return what an update counts that is so many steps old: 1, 0.71, 0.58, 0.5, ..."""
    return 1.0 / math.sqrt(1.0 + staleness)


def discounted(update: Update, staleness: int) -> Update:
    """Return the update, shorter the staler it is."""
    if not staleness:
        return update
    return Update(update.site, update.delta * np.float32(staleness_weight(staleness)), update.cases)
