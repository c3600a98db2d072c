"""Prompts ranked over sites by Beta draws: the mean, the worst site, and the probability of being best.

Each site's rate is drawn from Beta(k + 1/2, n - k + 1/2), Jeffreys' posterior (Brown, Cai and DasGupta 2001);
mean and worst site come from the same draws. Invariant: the order of prompts and sites changes nothing, and
the probabilities of being best sum to 1. Prompts are drawn independently; where two were scored on the same
cases, ``paired_difference`` tells them apart more sharply.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.statistics.intervals import Estimate, around
from fedprompt.evaluation.statistics.site_means import DRAWS

__all__ = ["BetaSummary", "beta_summary"]


@dataclass(frozen=True)
class BetaSummary:
    """One prompt over all sites.

    Observed values with intervals, and the probability that its mean is the highest.
    """

    mean: Estimate
    worst: Estimate
    best: float


def beta_summary(
    counts: Mapping[str, Mapping[str, tuple[float, float]]],
    rng: np.random.Generator,
    draws: int = DRAWS,
    level: float = 0.95,
) -> dict[str, BetaSummary]:
    """Return prompt -> summary; empty without prompts.

    Args:
        counts: prompt -> site -> (successes, n); n may be an effective size, then successes are scaled with
            it.
        rng: random numbers.
        draws: draws a prompt and site.
        level: coverage.

    Raises:
        ValueError: a prompt was not scored at every site, a site has no cases, or successes lie outside [0,
            n].
    """
    sites = sorted({site for by_site in counts.values() for site in by_site})
    top = np.full(draws, -np.inf)
    best = np.zeros(draws, np.int64)
    prompts = sorted(counts)
    drawn: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for place, prompt in enumerate(prompts):
        k, n = _columns(prompt, counts[prompt], sites)
        # [draws, sites]
        rates = rng.beta(k + 0.5, n - k + 0.5, size=(draws, len(sites)))
        mean = rates.mean(axis=1)
        best[mean > top] = place
        top = np.maximum(top, mean)
        drawn.append((mean, rates.min(axis=1)))
    wins = np.bincount(best, minlength=len(prompts))
    summaries = {}
    for place, (prompt, (mean, worst)) in enumerate(zip(prompts, drawn, strict=True)):
        k, n = _columns(prompt, counts[prompt], sites)
        observed = k / n
        summaries[prompt] = BetaSummary(
            mean=around(float(observed.mean()), mean, level),
            worst=around(float(observed.min()), worst, level),
            best=float(wins[place] / draws),
        )
    return summaries


def _columns(
    prompt: str, by_site: Mapping[str, tuple[float, float]], sites: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if missing := [site for site in sites if site not in by_site]:
        raise ValueError(f"prompt {prompt} has no score at site {missing[0]}; list it separately, with its coverage")
    if not by_site:
        raise ValueError(f"prompt {prompt} has no score at any site; list it separately")
    k, n = (np.array(column, np.float64) for column in zip(*(by_site[site] for site in sites), strict=True))
    if not np.all((n > 0) & (k >= 0) & (k <= n)):
        raise ValueError(f"prompt {prompt}: every site needs cases, and successes between 0 and n")
    return k, n
