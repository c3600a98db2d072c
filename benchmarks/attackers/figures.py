"""What an attack got, as a number with its 95 % interval beside what guessing would get.

Membership is told by the AUC: how often a member's guess lies above another's, ties counted half. It is computed site
by site and averaged; where there are many sites these are resampled, otherwise members and others are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.statistics.intervals import Estimate, wilson

__all__ = ["Figure", "auc", "auc_over_sites", "share"]

Guesses = tuple[NDArray[np.float64], NDArray[np.float64]]  # of members, of others
MANY = 8
DRAWS = 2000


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    ``held``: what the attacker had; ``answered``: what the sites answered it, in words; ``got``: the number, in
    ``unit``; ``chance``: what guessing gets; ``members``: how many the number is over; ``target``: what the upper end
    is to stay at or below.
    """

    attack: str
    held: str
    answered: str
    unit: str
    got: Estimate
    chance: float
    members: int
    target: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target holds; None where there is none."""
        return None if self.target is None else self.got.high <= self.target


def auc(members: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Return how often a member's guess lies above another's (Mann and Whitney's U over all pairs)."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(members, others).statistic) / (len(members) * len(others))


def auc_over_sites(sites: Sequence[Guesses], rng: np.random.Generator) -> Estimate:
    """Return the mean AUC over sites with its 95 % interval."""
    from scipy.stats import bootstrap

    values = np.array([auc(*one) for one in sites])
    mean = float(values.mean())
    if len(values) >= MANY and np.ptp(values) > 0:
        found = bootstrap((values,), np.mean, n_resamples=DRAWS, rng=rng).confidence_interval
        return _held(mean, float(found.low), float(found.high))
    draws = [np.mean([auc(rng.choice(a, len(a)), rng.choice(b, len(b))) for a, b in sites]) for _ in range(DRAWS // 10)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return _held(mean, float(low), float(high))


def share(right: int, among: int) -> Estimate:
    """Return a share with Wilson's interval."""
    found = wilson(right, among)
    return Estimate(right / among, found.low, found.high)


def _held(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, min(low, value), max(high, value))
