"""Intervals and estimates: what a number is, and between which two it may well be.

Wilson's interval: Wilson (1927), JASA 22:209-212; recommended by Brown, Cai and DasGupta (2001), Statistical
Science 16:101-133. Invariant: an interval lies within the metric's range and contains its estimate.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

__all__ = ["Estimate", "Interval", "around", "wilson"]


@dataclass(frozen=True)
class Interval:
    """Two ends, ``low <= high``."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A value and its interval, ``low <= value <= high``."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies wholly on one side of zero; only then is "better" or "worse" said."""
        return self.low > 0 or self.high < 0


def wilson(successes: float, n: float, level: float = 0.95) -> Interval:
    """Return Wilson's score interval, without continuity correction.

    Args:
        successes: how many of ``n``; need not be whole.
        n: how many cases; an effective size for grouped cases need not be whole either.
        level: coverage.

    Raises:
        ValueError: no cases, successes outside [0, n], or a level outside (0, 1).
    """
    if not n > 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n}: an interval needs at least one case and successes among them")
    z = _deviate(level)
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Interval(max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)))


@cache
def _deviate(level: float) -> float:
    """Return the normal deviate of an interval; a table of scores asks for one level over and over."""
    return -float(ndtri((1 - checked_level(level)) / 2))


def around(value: float, draws: NDArray[np.float64], level: float) -> Estimate:
    """Return the value with the percentile interval of the draws, widened to hold the value.

    Args:
        value: the estimate.
        draws: [draws] float64.
        level: coverage.

    Raises:
        ValueError: no draws, or a level outside (0, 1).
    """
    if not draws.size:
        raise ValueError("an interval by resampling needs at least one draw")
    tail = (1 - checked_level(level)) / 2
    low, high = (float(x) for x in np.quantile(draws, [tail, 1 - tail]))
    return Estimate(value, min(low, value), max(high, value))


def checked_level(level: float) -> float:
    """Return the level.

    Raises:
        ValueError: it is not strictly between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level}: give one between 0 and 1, such as 0.95")
    return level
