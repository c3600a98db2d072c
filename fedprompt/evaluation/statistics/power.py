"""How many cases it takes to tell two prompts apart, from what a comparison of them showed.

For right and wrong answers Connor's (1987) formula, in ``pairs``; for other values the normal approximation of the
paired test, n = ((z_level + z_power) * deviation / difference) squared (Lachin 1981, Controlled Clinical Trials 2:93).
"""

import math
from typing import Protocol

from scipy.special import ndtri

from fedprompt.evaluation.statistics.pairs import power_cases

__all__ = ["Differences", "cases_needed", "power_cases_mean", "power_sentence"]


class Differences(Protocol):
    """Sums over cases of the differences of two prompts; a ``Comparison`` of a site is one."""

    @property
    def n(self) -> int:
        """How many cases."""

    @property
    def total(self) -> float:
        """The sum of the differences."""

    @property
    def squares(self) -> float:
        """The sum of their squares."""

    @property
    def better(self) -> int:
        """How many are above zero."""

    @property
    def worse(self) -> int:
        """How many are below zero."""


def power_cases_mean(difference: float, deviation: float, level: float = 0.05, power: float = 0.8) -> int:
    """Return how many cases tell a mean difference of this size from none.

    Args:
        difference: the mean difference to find.
        deviation: standard deviation of a case's difference.
        level: the test's two-sided significance level.
        power: probability of finding the difference.

    Raises:
        ValueError: the difference is zero, the deviation negative, or level or power outside (0, 1).
    """
    if difference == 0 or not math.isfinite(difference) or not 0 <= deviation < math.inf:
        raise ValueError(f"difference {difference}, deviation {deviation}: give a difference and how much it varies")
    if not 0 < level < 1 or not 0 < power < 1:
        raise ValueError("level and power lie between 0 and 1")
    both = float(ndtri(power)) - float(ndtri(level / 2))
    return max(2, math.ceil((both * deviation / difference) ** 2))


def cases_needed(seen: Differences, level: float = 0.05, power: float = 0.8) -> int | None:
    """Return how many cases tell two prompts apart that differ as much as was seen; None where they do not differ.

    Args:
        seen: what a comparison of the two showed.
        level: the test's two-sided significance level.
        power: probability of finding the difference.
    """
    if seen.n < 2 or abs(seen.total) <= 1e-9 * seen.n:
        return None
    difference = seen.total / seen.n
    if math.isclose(seen.squares, seen.better + seen.worse) and math.isclose(seen.total, seen.better - seen.worse):
        return power_cases(seen.better / seen.n, seen.worse / seen.n, level, power)
    variance = max(0.0, (seen.squares - seen.n * difference * difference) / (seen.n - 1))
    return power_cases_mean(difference, math.sqrt(variance), level, power)


def power_sentence(seen: Differences, level: float = 0.05, power: float = 0.8) -> str:
    """Return what to tell someone who wonders whether two prompts differ; arguments as for :func:`cases_needed`."""
    needed = cases_needed(seen, level, power)
    if needed is None:
        return f"over {seen.n:,} cases these two do not differ, so the number of cases needed is unknown"
    digits = max(0, len(str(needed)) - 2)
    rounded = math.ceil(needed / 10**digits) * 10**digits
    return f"about {rounded:,} cases are needed for a significant difference; this was over {seen.n:,}"
