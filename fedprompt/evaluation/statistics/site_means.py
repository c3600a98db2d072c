"""The unweighted mean over sites and the worst site, with intervals from resampling cases within sites.

Sites are fixed, not sampled: only cases are resampled (Efron and Tibshirani 1993, chapter 13, percentile
interval). Invariant: the order of the sites changes nothing. A site where all cases are right, or all wrong,
adds no spread to a bootstrap; where that matters, ``beta_summary`` does not have this weakness.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.statistics.intervals import Estimate, around

__all__ = ["DRAWS", "mean_over_sites"]

DRAWS = 10_000
Counts = Sequence[tuple[int, int]]


def mean_over_sites(
    counts: Counts, rng: np.random.Generator, draws: int = DRAWS, level: float = 0.95
) -> Estimate | None:
    """Return the mean over sites of successes / n, or None without sites or where a site has no cases.

    Args:
        counts: (successes, n) of each site.
        rng: random numbers.
        draws: bootstrap draws.
        level: coverage.

    Raises:
        ValueError: successes outside [0, n].
    """
    rates = _resampled(counts, rng, draws)
    return None if rates is None else around(_observed(counts).mean(), rates.mean(axis=1), level)


def _observed(counts: Counts) -> NDArray[np.float64]:
    # Sorted, so that floating point sums do not depend on the order of the sites.
    return np.array([k / n for k, n in sorted(counts)], np.float64)


def _resampled(counts: Counts, rng: np.random.Generator, draws: int) -> NDArray[np.float64] | None:
    """Return [draws, sites] float64 rates."""
    if bad := [f"{k} of {n}" for k, n in counts if not 0 <= k <= n]:
        raise ValueError(f"{bad[0]}: successes lie between 0 and n")
    if not counts or any(n == 0 for _, n in counts):
        return None
    ordered = sorted(counts)
    k, n = (np.array(column, np.int64) for column in zip(*ordered, strict=True))
    return np.asarray(rng.binomial(n, k / n, size=(draws, len(ordered))) / n, np.float64)
