"""The demo's last table: means over sites, worst site, 95 % intervals, and what joining gained each site in a sentence.

Intervals resample cases within sites (sites are fixed); differences are paired, of the values themselves where they
are graded or the cases belong together. "Better" is said only where the paired interval excludes zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from fedprompt.evaluation.statistics.intervals import Estimate
from fedprompt.evaluation.statistics.pooled_pairs import paired_test, turned
from fedprompt.evaluation.statistics.site_means import mean_over_sites
from fedprompt.study.score import Comparison, Score
from fedprompt.workspace.results.points import points
from fedprompt.workspace.rounds.looks import TestLook

__all__ = [
    "Difference",
    "ResultRow",
    "SiteDifference",
    "average",
    "difference",
    "difference_of",
    "entry",
    "gain_sentence",
    "headline",
]

DRAWS = 10_000


@dataclass(frozen=True)
class ResultRow:
    """A row of the test table: the mean over sites with its 95 % interval, the worst site, and every site's value."""

    mean: float
    worst: float
    low: float
    high: float
    by_site: Mapping[str, float]


@dataclass(frozen=True)
class SiteDifference:
    """A difference at one site over ``n`` cases, as a share of 1, its 95 % interval, and the test's p-value."""

    difference: float
    low: float
    high: float
    distinguishable: bool
    p: float
    n: int


@dataclass(frozen=True)
class Difference:
    """A difference of means over sites, its 95 % interval, whether that excludes zero, and the difference by site."""

    difference: float
    low: float
    high: float
    distinguishable: bool
    by_site: Mapping[str, SiteDifference]


def entry(by_site: Mapping[str, Score], seed: int) -> ResultRow:
    """Return mean, worst, interval and sites of one score a site."""
    counted = all(score.metric == "accuracy" for score in by_site.values())
    estimate = _counted(by_site, seed) if counted else _measured(by_site)
    values = {site: score.total / score.n for site, score in by_site.items()}
    return ResultRow(
        mean=estimate.value, worst=min(values.values()), low=estimate.low, high=estimate.high, by_site=values
    )


def _counted(by_site: Mapping[str, Score], seed: int) -> Estimate:
    counts = [(round(score.total), score.n) for score in by_site.values()]
    estimate = mean_over_sites(counts, np.random.default_rng(seed), draws=DRAWS)
    assert estimate is not None
    # An average of prompts has no whole count; its interval is the nearest count's, moved to where its mean is.
    moved = sum(score.total / score.n - k / n for score, (k, n) in zip(by_site.values(), counts, strict=True))
    if not moved:
        return estimate
    shift = moved / len(counts)
    return Estimate(estimate.value + shift, max(0.0, estimate.low + shift), min(1.0, estimate.high + shift))


def _measured(by_site: Mapping[str, Score]) -> Estimate:
    """Return the mean of a metric that is no count, with a normal interval from the sites' variances."""
    means = [score.total / score.n for score in by_site.values()]
    variances = [
        max(0.0, score.squares / score.n - mean * mean) / max(1, score.n - 1)
        for score, mean in zip(by_site.values(), means, strict=True)
    ]
    value, half = sum(means) / len(means), -float(ndtri(0.025)) * sum(variances) ** 0.5 / len(means)
    return Estimate(value, value - half, value + half)


def difference(look: TestLook, pairs: Mapping[str, tuple[str, str]], seed: int) -> Difference:
    """Return the paired difference of (first, second) over the sites of ``pairs``, and by site."""
    return difference_of({site: _paired(look, site, *pair) for site, pair in pairs.items()}, seed)


def difference_of(found: Mapping[str, Comparison], seed: int) -> Difference:
    """Return the paired difference over the sites of ``found``, site -> its comparison, and by site."""
    whole = paired_test(list(found.values()), seed, DRAWS).difference
    by_site = {site: _site(pair, seed) for site, pair in found.items()}
    return Difference(whole.value, whole.low, whole.high, whole.excludes_zero, by_site)


def _site(pair: Comparison, seed: int) -> SiteDifference:
    found = paired_test([pair], seed, DRAWS)
    one = found.difference
    return SiteDifference(one.value, one.low, one.high, one.excludes_zero, found.pvalue, found.n)


def _paired(look: TestLook, site: str, first: str, second: str) -> Comparison:
    if first == second:
        n = next(iter(look.scores[site].values())).n
        nothing = {"total": 0.0, "squares": 0.0, "better": 0, "worse": 0, "groups": n, "group_squares": 0.0}
        return Comparison.model_validate({"first": first, "second": second, "split": "test", "n": n, **nothing})
    found = look.pair(site, first, second)
    if found is not None:
        return found
    other = look.pair(site, second, first)
    assert other is not None, "the comparison was not asked for"
    return turned(other)


def gain_sentence(site: str, kept: str, gain: SiteDifference) -> str:
    """Return what joining gained a site, in one sentence."""
    if kept == "local_own":
        return f"{site} keeps its own prompt, so it neither gains nor loses from joining"
    span = f"{points(gain.low)} to {points(gain.high)}"
    change = gain.difference
    if not gain.distinguishable:
        return f"{site}: {points(change, signed=True)} points ({span}), not significant"
    if change < 0:
        span = f"{points(-gain.high)} to {points(-gain.low)}"
    word = "gained" if change > 0 else "lost"
    return f"{site} {word} {points(abs(change))} points ({span}) from joining, compared with its own prompt"


def headline(test: Mapping[str, ResultRow], against_manual: Difference) -> str:
    """Return the run's finding in one sentence, whichever way it went."""
    federated, manual = 100 * test["federated"].mean, 100 * test["manual"].mean
    span = f"{points(against_manual.low)} to {points(against_manual.high)}"
    told = (
        f"the federated prompt has a mean accuracy of {federated:.1f} % over the sites, the best template "
        f"{manual:.1f} %. The difference is {points(against_manual.difference)} points ({span})"
    )
    if not against_manual.distinguishable:
        return f"{told}, which is not statistically significant"
    return f"{told}, so the federated prompt is {'better' if against_manual.difference > 0 else 'worse'}"


def average(looks: Sequence[Mapping[str, Score]]) -> dict[str, Score]:
    """Return, site by site, a score whose total is the mean over several prompts' totals."""
    first = looks[0]
    return {
        site: first[site].model_copy(
            update={"total": sum(look[site].total for look in looks) / len(looks), "confusion": (), "bins": ()}
        )
        for site in first
    }
