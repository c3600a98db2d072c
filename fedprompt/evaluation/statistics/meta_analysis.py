"""Random effects over sites: what a further site like these may expect, and how much sites differ.

Between-site variance by Paule and Mandel (1982), Journal of Research of the NBS 87:377-385; interval by
Hartung and Knapp (2001), Statistics in Medicine 20:3875-3889. A site's variance comes from p = (k + 1/2) / (n
+ 1), so that a site with 100 % has no infinite weight. Invariant: the order of the sites changes nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

from fedprompt.evaluation.statistics.intervals import checked_level

__all__ = ["RandomEffects", "random_effects"]


@dataclass(frozen=True)
class RandomEffects:
    """The mean, its interval, the variance between sites, and its share of all variance (I squared)."""

    value: float
    low: float
    high: float
    tau2: float
    i2: float


def random_effects(estimates: Sequence[float], variances: Sequence[float], level: float = 0.95) -> RandomEffects | None:
    """Return the random-effects estimate, or None for fewer than two sites, over which nothing can be said.

    Args:
        estimates: one value a site.
        variances: the variance of each, above zero.
        level: coverage.

    Raises:
        ValueError: lengths differ, or a variance is not positive and finite.
    """
    if len(estimates) != len(variances):
        raise ValueError("estimates and variances differ in length")
    if any(not 0 < v < math.inf for v in variances) or not all(map(math.isfinite, estimates)):
        raise ValueError("every site needs a finite estimate and a variance above zero")
    checked_level(level)
    if len(estimates) < 2:
        return None
    pairs, free = sorted(zip(estimates, variances, strict=True)), len(estimates) - 1
    y, v = [each[0] for each in pairs], [each[1] for each in pairs]
    q = _q(0.0, y, v)
    tau2 = 0.0
    if q > free:
        # Q falls with tau2, and is below its expectation where tau2 exceeds the whole spread of the
        # estimates.
        upper = max((a - y[0]) ** 2 for a in y) * len(y) + 1e-12
        from scipy.optimize import brentq  # a page need not wait for it

        tau2 = float(brentq(lambda t: _q(t, y, v) - free, 0.0, upper, xtol=1e-15, rtol=1e-13))
    weights = [1 / (each + tau2) for each in v]
    value = _weighted_mean(y, weights)
    scale = math.fsum(w * (a - value) ** 2 for w, a in zip(weights, y, strict=True)) / free
    half = -float(stdtrit(free, (1 - level) / 2)) * math.sqrt(scale / math.fsum(weights))
    return RandomEffects(value, value - half, value + half, tau2, max(0.0, (q - free) / q) if q > 0 else 0.0)


def _weighted_mean(y: Sequence[float], weights: Sequence[float]) -> float:
    return math.fsum(w * a for w, a in zip(weights, y, strict=True)) / math.fsum(weights)


def _q(tau2: float, y: Sequence[float], v: Sequence[float]) -> float:
    """Return Cochran's weighted sum of squares at a between-site variance."""
    weights = [1 / (each + tau2) for each in v]
    mean = _weighted_mean(y, weights)
    return math.fsum(w * (a - mean) ** 2 for w, a in zip(weights, y, strict=True))
