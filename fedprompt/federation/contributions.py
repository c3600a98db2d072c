"""What each site gave to the rounds, from the updates that the hub kept: without it, and by its Shapley value.

A coalition is worth what its aggregate does for the whole: the cosine of its step with that of all sites together
(Xu et al. 2021, NeurIPS, "Gradient driven rewards", equation 3). So no site is asked anything. Shapley values are drawn
by truncated Monte Carlo (Ghorbani and Zou 2019, arXiv 1904.02868, algorithm 1): orders of the sites, each ended once
what is left can add nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import FederationError
from fedprompt.strategies.strategy import Update

__all__ = ["Contribution", "contributions"]

ORDERS = 60
NEARLY = 0.01  # of the whole's worth; an order is ended that close to it


@dataclass(frozen=True)
class Contribution:
    """One site: how much less the whole is worth ``without`` it, and its Shapley ``value`` with a standard ``error``.

    The values of all sites add up to what all are worth together.
    """

    site: str
    without: float
    value: float
    error: float


def contributions(
    updates: Sequence[Update],
    aggregate: Callable[[Sequence[Update]], NDArray[np.float64]],
    rng: np.random.Generator,
    *,
    worth: Callable[[NDArray[np.float64]], float] | None = None,
    orders: int = ORDERS,
) -> tuple[Contribution, ...]:
    """Return what each site gave to one round, in the order of the updates.

    Args:
        updates: what the strategy was given.
        aggregate: the step of some of them, shaped as an update.
        rng: draws the orders.
        worth: what a step is worth, such as right answers on public cases; its cosine with the whole step if None.
        orders: how many are drawn.

    A coalition that is too small for the strategy is worth nothing.
    """
    whole = aggregate(updates)
    known: dict[frozenset[int], float] = {frozenset(): 0.0}

    def worth_of(places: Sequence[int]) -> float:
        chosen = frozenset(places)
        if chosen not in known:
            try:
                step = aggregate([updates[place] for place in sorted(chosen)])
            except FederationError:  # too few for the strategy
                known[chosen] = 0.0
            else:
                known[chosen] = _cosine(step, whole) if worth is None else worth(step)
        return known[chosen]

    count = len(updates)
    every = worth_of(range(count))
    margins = np.zeros((orders, count))
    for row in margins:
        taken: list[int] = []
        before = 0.0
        for place in rng.permutation(count):
            if taken and abs(every - before) <= NEARLY * abs(every):
                break
            taken.append(int(place))
            now = worth_of(taken)
            row[place], before = now - before, now
    errors = margins.std(axis=0, ddof=1) / np.sqrt(orders) if orders > 1 else np.full(count, np.nan)
    return tuple(
        Contribution(
            update.site,
            every - worth_of([other for other in range(count) if other != place]),
            float(margins[:, place].mean()),
            float(errors[place]),
        )
        for place, update in enumerate(updates)
    )


def _cosine(step: NDArray[np.float64], whole: NDArray[np.float64]) -> float:
    size = float(np.linalg.norm(step) * np.linalg.norm(whole))
    return float(np.vdot(step, whole)) / size if size > 0 else 0.0
