"""Two prompts over several sites, from each site's sums alone: difference, p-value, and how much the sites differ.

Right and wrong answers: cases resampled within sites, and McNemar's exact test on the discordant cases of all sites
(``pairs``). Other values, and cases in groups: the paired mean with its cluster-robust variance (Liang and Zeger 1986,
Biometrika 73:13-22) and a normal test, since a case's own value never leaves its site. I squared (Higgins and Thompson
2002, Statistics in Medicine 21:1539-1558) is of the sites' differences. Invariants: swapping the two prompts negates
every difference and keeps the p-values; the order of the sites changes nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr, ndtri

from fedprompt.evaluation.statistics.clusters import cluster_variance, was_rounded
from fedprompt.evaluation.statistics.intervals import Estimate
from fedprompt.evaluation.statistics.meta_analysis import RandomEffects, random_effects
from fedprompt.evaluation.statistics.pairs import PairCounts, mcnemar_exact, paired_difference
from fedprompt.evaluation.statistics.power import cases_needed, power_sentence
from fedprompt.evaluation.statistics.site_means import DRAWS
from fedprompt.study.score import Comparison

__all__ = ["PairTest", "PooledPair", "paired_test", "pool_pairs", "turned"]

SEED = 0
Kind = Literal["mcnemar", "normal"]


@dataclass(frozen=True)
class PairTest:
    """``difference``: first minus second with its 95 % interval; ``pvalue``: two-sided, that there is none."""

    n: int
    difference: Estimate
    test: Kind
    pvalue: float


@dataclass(frozen=True)
class PooledPair:
    """Over all sites and by site. ``difference`` is the unweighted mean over sites.

    ``i2``: the share of the sites' spread that is more than chance, in [0, 1]; None for one site. ``needed``: cases
    that tell two prompts apart that differ as much as was seen, None where they do not differ. ``effects``: what a
    further site may expect (random effects), None for one site.
    """

    whole: PairTest
    by_site: Mapping[str, PairTest]
    i2: float | None
    needed: int | None
    power: str
    effects: RandomEffects | None = None


@dataclass(frozen=True)
class _Sums:
    n: int
    total: float
    squares: float
    better: int
    worse: int


def turned(pair: Comparison) -> Comparison:
    """Return a comparison seen from its second prompt."""
    return pair.model_copy(
        update={
            "first": pair.second,
            "second": pair.first,
            "total": -pair.total,
            "better": pair.worse,
            "worse": pair.better,
        }
    )


def pool_pairs(comparisons: Mapping[str, Comparison]) -> PooledPair | None:
    """Return what the sites say of two prompts; None where no site can say anything.

    Args:
        comparisons: site -> its sums, all of the same two prompts in the same order. A site with fewer than two groups
            of cases says nothing.
    """
    usable = {site: pair for site, pair in sorted(comparisons.items()) if pair.groups >= 2}
    if not usable:
        return None
    counted = all(map(_is_count, usable.values()))
    by_site = {site: _test([pair], counted, SEED, DRAWS) for site, pair in usable.items()}
    spread = None
    if len(usable) > 1:
        values = [pair.total / pair.n for pair in usable.values()]
        spread = random_effects(values, [_variance(pair, smoothed=True) for pair in usable.values()])
    sums = _Sums(
        sum(pair.n for pair in usable.values()),
        math.fsum(pair.total for pair in usable.values()),
        math.fsum(pair.squares for pair in usable.values()),
        sum(pair.better for pair in usable.values()),
        sum(pair.worse for pair in usable.values()),
    )
    return PooledPair(
        _test(list(usable.values()), counted, SEED, DRAWS),
        by_site,
        None if spread is None else spread.i2,
        cases_needed(sums),
        power_sentence(sums),
        spread,
    )


def paired_test(pairs: Sequence[Comparison], seed: int, draws: int = DRAWS) -> PairTest:
    """Return the test of one comparison a site, each with at least one case.

    Where a site's cases are all one group nothing is known of the spread: the interval is the whole range of a
    difference, and the p-value is 1.

    Raises:
        ValueError: no comparison, or one without cases.
    """
    if not pairs or any(pair.n == 0 for pair in pairs):
        raise ValueError("a test needs a comparison at every site, and each of them cases")
    counted = all(map(_is_count, pairs))
    if counted or all(pair.groups >= 2 for pair in pairs):
        return _test(pairs, counted, seed, draws)
    value = math.fsum(pair.total / pair.n for pair in pairs) / len(pairs)
    return PairTest(sum(pair.n for pair in pairs), Estimate(value, -1.0, 1.0), "normal", 1.0)


def _is_count(pair: Comparison) -> bool:
    """Return whether every case's value was 0 or 1, no two cases belong together and nothing was rounded."""
    return (
        pair.groups == pair.n
        and not was_rounded(pair.n, pair.total, pair.squares, pair.groups, pair.group_squares)
        and math.isclose(pair.squares, pair.better + pair.worse)
        and math.isclose(pair.total, pair.better - pair.worse, abs_tol=1e-9)
    )


def _test(pairs: Sequence[Comparison], counted: bool, seed: int, draws: int) -> PairTest:
    n = sum(pair.n for pair in pairs)
    if counted:
        counts = [PairCounts(pair.n, pair.better, pair.worse) for pair in pairs]
        found = paired_difference(counts, np.random.default_rng(seed), draws)
        assert found is not None  # a site without cases was left out
        pvalue = mcnemar_exact(sum(c.better for c in counts), sum(c.worse for c in counts))
        return PairTest(n, found, "mcnemar", pvalue)
    value = math.fsum(pair.total / pair.n for pair in pairs) / len(pairs)
    deviation = math.sqrt(math.fsum(_variance(pair) for pair in pairs)) / len(pairs)
    half = -float(ndtri(0.025)) * deviation
    pvalue = 2 * float(ndtr(-abs(value) / deviation)) if deviation > 0 else float(value == 0)
    least = 2.0 ** (1 - sum(pair.groups for pair in pairs))  # no test of signs could be surer
    return PairTest(n, Estimate(value, value - half, value + half), "normal", min(1.0, max(least, pvalue)))


def _variance(pair: Comparison, *, smoothed: bool = False) -> float:
    """Return the variance of the mean difference; ``smoothed`` by half a case each way, so that none is zero."""
    found = cluster_variance(pair.n, pair.groups, pair.group_squares)
    assert found is not None  # sites with fewer than two groups were left out
    return found + 1 / (pair.n + 1) ** 2 if smoothed else found
