"""How much a site counts where sites count by their cases: as many as it has, up to ``max_weight`` times the median.

How many cases a site has is its own claim. With ``w_k = min(n_k, c m)``, ``m`` the median of the sites' ``n`` and
``c`` the study's ``rounds.max_weight``, a mean over sites is ``sum w_k x_k`` over ``sum w_k``: beside three of
one size a site weighs ``c / (c + 3)`` at most. Of two sites the median is the mean, which bounds little: there is
no majority to go by.
"""

import statistics
from collections.abc import Collection, Iterable

from fedprompt.strategies.strategy import Update
from fedprompt.study.score import Score

__all__ = ["most_cases", "pooled_value", "weighed"]


def most_cases(cases: Collection[int], times: float) -> int:
    """Return how many cases a site counts for at most, given those of all sites; at least one."""
    return max(1, int(times * statistics.median(cases)))


def weighed(update: Update, most: int | None) -> Update:
    """Return the update with the cases that it counts for; None caps nothing."""
    if most is None or update.cases <= most:
        return update
    return Update(update.site, update.delta, most)


def pooled_value(scores: Iterable[Score], times: float) -> float:
    """Return the mean over the cases of all sites, none counting for more than :func:`most_cases`."""
    found = list(scores)
    most = most_cases([score.n for score in found], times)
    shares = [min(1.0, most / score.n) for score in found]
    total = sum(share * score.total for share, score in zip(shares, found, strict=True))
    return total / sum(share * score.n for share, score in zip(shares, found, strict=True))
