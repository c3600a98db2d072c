"""The interval of a mean over sites without draws, for the many prompts of a ranking that are no contenders.

Each site's rate has the posterior Beta(k + 1/2, n - k + 1/2), as in ``ranking``. The mean of independent ones has their
mean and the mean of their variances over the number of sites; the Beta distribution with these two moments gives the
quantiles (Welch 1938, Biometrika 29, and Satterthwaite 1946, Biometrics Bulletin 2, match two moments so). It is the
posterior itself for one site. Invariant: a prompt's interval depends on its own counts alone.
"""

from collections.abc import Mapping

import numpy as np
from scipy.special import betaincinv

from fedprompt.evaluation.statistics.intervals import Estimate, checked_level

__all__ = ["beta_means"]


def beta_means(counts: Mapping[str, Mapping[str, tuple[float, float]]], level: float = 0.95) -> dict[str, Estimate]:
    """Return prompt -> its unweighted mean over its sites with an interval, widened to hold it.

    Args:
        counts: prompt -> site -> (successes, n); n may be an effective size, then successes are scaled with it.
        level: coverage.

    Raises:
        ValueError: a prompt has no site, a site no cases, or successes lie outside [0, n].
    """
    tail = (1 - checked_level(level)) / 2
    found = {}
    for prompt, by_site in counts.items():
        k, n = np.array(list(by_site.values()), np.float64).reshape(-1, 2).T
        if not len(n) or not np.all((n > 0) & (k >= 0) & (k <= n)):
            raise ValueError(f"prompt {prompt}: it needs sites, cases at each, and successes between 0 and n")
        rates = (k + 0.5) / (n + 1)
        mean, variance = rates.mean(), (rates * (1 - rates) / (n + 2)).sum() / len(n) ** 2
        size = mean * (1 - mean) / variance - 1
        low, high = betaincinv(mean * size, (1 - mean) * size, [tail, 1 - tail])
        value = float((k / n).mean())
        found[prompt] = Estimate(value, min(float(low), value), max(float(high), value))
    return found
