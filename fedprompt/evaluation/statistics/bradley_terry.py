"""How good things are, from which of two was preferred: the model of Bradley and Terry (1952), Biometrika 39:324-345.

The chance that i is preferred to j is 1 / (1 + exp(s_j - s_i)); a tie counts half for each. The strengths are those of
the highest likelihood, found by scipy; ``prior`` virtual wins of each over each keep them finite where one always wins
or two were never compared (Caron and Doucet 2012, JCGS 21:174-196, use a gamma prior to the same end). Invariants:
strengths sum to zero, and the order of things changes nothing.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

__all__ = ["bradley_terry"]


def bradley_terry(wins: NDArray[np.float64], prior: float = 0.5) -> NDArray[np.float64]:
    """Return the strengths, [things] float64, in logits.

    Args:
        wins: [things, things] float64; ``wins[i, j]`` is how often i was preferred to j, a tie being half for each.
        prior: virtual wins of each over each; with 0, strengths may be unbounded.

    Raises:
        ValueError: the table is not square, or a count is negative or not finite.
    """
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1] or not np.all(np.isfinite(wins)) or np.any(wins < 0):
        raise ValueError("wins are a square table of counts, none below zero")
    count = wins.shape[0]
    if count < 2:
        return np.zeros(count)
    table = (wins + prior) * (1 - np.eye(count))
    met = table + table.T

    def loss(strengths: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        gap = strengths[:, None] - strengths[None, :]
        slope = met * expit(gap) - table
        return float((table * np.logaddexp(0.0, -gap)).sum()), np.asarray(slope.sum(axis=1), np.float64)

    found = minimize(loss, np.zeros(count), jac=True, method="BFGS", options={"gtol": 1e-8}).x
    return np.asarray(found - found.mean(), np.float64)
