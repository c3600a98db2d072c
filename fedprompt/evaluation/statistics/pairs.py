"""Two prompts on the same cases: the difference and how sure it is, from discordant counts alone.

A bootstrap that resamples cases within sites, sites fixed; the exact test of McNemar (1947), Psychometrika
12:153-157; cases needed after Connor (1987), Biometrics 43:207-211, equation for conditional alternatives.
Invariants: swapping the two prompts negates the difference and its interval; the order of the sites changes
nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from fedprompt.evaluation.statistics.intervals import Estimate, around
from fedprompt.evaluation.statistics.site_means import DRAWS

__all__ = ["PairCounts", "mcnemar_exact", "paired_difference", "power_cases"]


@dataclass(frozen=True, order=True)
class PairCounts:
    """One site: of ``n`` cases, ``better`` only the first prompt got right and ``worse`` only the second.

    Raises:
        ValueError: a count is negative, or the discordant ones exceed ``n``.
    """

    n: int
    better: int
    worse: int

    def __post_init__(self) -> None:
        if min(self.n, self.better, self.worse) < 0 or self.better + self.worse > self.n:
            raise ValueError(f"{self.better} better and {self.worse} worse of {self.n}: counts do not fit")

    def swapped(self) -> "PairCounts":
        """Return the same counts seen from the second prompt."""
        return PairCounts(self.n, self.worse, self.better)


def paired_difference(
    pairs: Sequence[PairCounts], rng: np.random.Generator, draws: int = DRAWS, level: float = 0.95
) -> Estimate | None:
    """Return the unweighted mean over sites of (better - worse) / n; one site will do.

    Args:
        pairs: counts of each site.
        rng: random numbers.
        draws: bootstrap draws, rounded up to an even number.
        level: coverage.

    Returns:
        The estimate, or None without sites or where a site has no cases.
    """
    if not pairs or any(pair.n == 0 for pair in pairs):
        return None
    seed = int(rng.integers(2**63))
    # Half of the draws are taken with the two prompts swapped, from the same random numbers, so that the
    # interval of
    # the swapped pair is exactly this one negated.
    swapped = [pair.swapped() for pair in pairs]
    half = (draws + 1) // 2
    both = np.concatenate([_differences(pairs, seed, half), -_differences(swapped, seed, half)])
    value = math.fsum((pair.better - pair.worse) / pair.n for pair in pairs) / len(pairs)
    return around(value, both, level)


def _differences(pairs: Sequence[PairCounts], seed: int, draws: int) -> NDArray[np.float64]:
    """Return [draws] float64 mean differences over sites."""
    rng = np.random.default_rng(seed)
    total = np.zeros(draws)
    for pair in sorted(pairs):
        same = pair.n - pair.better - pair.worse
        counts = rng.multinomial(pair.n, np.array([pair.better, pair.worse, same]) / pair.n, size=draws)
        total += (counts[:, 0] - counts[:, 1]) / pair.n
    return total / len(pairs)


def mcnemar_exact(better: int, worse: int) -> float:
    """Return the two-sided p-value that ``better`` and ``worse`` are equally likely.

    1.0 without discordant cases.
    """
    if min(better, worse) < 0:
        raise ValueError("discordant counts are not negative")
    if better + worse == 0:
        return 1.0
    from scipy.stats import binomtest  # takes a second to import, which a page's first showing need not wait for

    return float(binomtest(better, better + worse, 0.5).pvalue)


def power_cases(p_better: float, p_worse: float, level: float = 0.05, power: float = 0.8) -> int:
    """Return how many cases McNemar's test needs to tell the two prompts apart.

    Args:
        p_better: expected share of cases that only the first prompt gets right.
        p_worse: expected share that only the second gets right.
        level: the test's two-sided significance level.
        power: probability of finding the difference.

    Raises:
        ValueError: the shares are no probabilities or are equal, so that no number of cases is enough.
    """
    if min(p_better, p_worse) < 0 or p_better + p_worse > 1 or p_better == p_worse:
        raise ValueError(f"shares {p_better} and {p_worse}: give two different shares that sum to at most 1")
    if not 0 < level < 1 or not 0 < power < 1:
        raise ValueError("level and power lie between 0 and 1")
    discordant, difference = p_better + p_worse, p_better - p_worse
    under_null = -float(ndtri(level / 2)) * math.sqrt(discordant)
    under_difference = float(ndtri(power)) * math.sqrt(max(0.0, discordant - difference * difference))
    return math.ceil(((under_null + under_difference) / difference) ** 2)
