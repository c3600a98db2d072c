"""Which of a few prompts each site keeps: its own validation cases say so, and the other sites lend them strength.

With few cases the best at home is often the luckiest. Where at least ``LEAST`` other sites scored the same prompts,
each prompt's difference is taken together with what it was there (``adapting.choice``); else the best at home is kept,
the first of equals. Invariant: a site's own cases are no part of what the others tell it.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from fedprompt.adapting.choice import Donated, choose, donated_by
from fedprompt.study.score import Score

__all__ = ["LEAST", "kept_at_home"]

LEAST = 3


def kept_at_home(scores: Mapping[str, Mapping[str, Score]]) -> dict[str, str]:
    """Return site -> what it keeps, by the names that its scores stand under.

    The hub has each prompt's own sums and not those of the differences by case. The variance of a difference is taken
    as the sum of both variances, which is the most that it is where prompts tend to be right about the same cases: so
    it is the other sites, rather than luck at home, that count too much if anything.

    Args:
        scores: site -> name -> its score on the site's validation cases, the names of each site in one order.
    """
    return {site: _kept(site, scores) for site in scores}


def _kept(site: str, scores: Mapping[str, Mapping[str, Score]]) -> str:
    names, size = list(scores[site]), _size(scores[site])
    others = [found for other, found in scores.items() if other != site and set(names) <= set(found)]
    differences = np.array([_difference(scores[site], name, names[0]) for name in names])
    known = _donated(names, others) if len(others) >= LEAST else Donated.of(*[[None] * len(names)] * 3)
    return names[choose(differences, size, known)]


def _donated(names: Sequence[str], others: Sequence[Mapping[str, Score]]) -> Donated:
    sizes = np.array([_size(found) for found in others])
    means = np.array([[_difference(found, name, names[0]) for name in names] for found in others])
    spread = np.array([[_spread(found, name, names[0]) for name in names] for found in others])
    return donated_by(means * sizes[:, None], (means**2 + spread) * sizes[:, None], sizes)


def _size(found: Mapping[str, Score]) -> int:
    """Return how many cases, or groups of cases, were scored; at least one."""
    return max(1, min(score.groups for score in found.values()))


def _difference(found: Mapping[str, Score], name: str, baseline: str) -> float:
    return _mean(found[name]) - _mean(found[baseline])


def _spread(found: Mapping[str, Score], name: str, baseline: str) -> float:
    return 0.0 if name == baseline else sum(_variance(found[one]) for one in (name, baseline))


def _mean(score: Score) -> float:
    return score.total / score.n if score.n else 0.0


def _variance(score: Score) -> float:
    return max(0.0, score.squares / score.n - _mean(score) ** 2) if score.n else 0.0
