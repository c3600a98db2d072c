"""What sites that share tell of prompts, from the scores that each of them gave: see ``adapting.choice``.

The hub has each prompt's own sums and not those of the differences by case. So the variance of a difference is taken as
the sum of both variances, which is the most that it is where prompts tend to be right about the same cases: it is what
other sites found, rather than luck at home, that counts too much if anything. Cases in groups count as their groups.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.choice import Donated, donated_by
from fedprompt.study.score import Score

__all__ = ["cases_of", "differences", "donated_scores"]


def donated_scores(sites: Sequence[Mapping[str, Score]], names: Sequence[str], baseline: str) -> Donated:
    """Return what sites tell of prompts' differences with a baseline; a site that lacks a score tells nothing of it.

    Args:
        sites: for each, name -> its score on the site's own cases; those without the baseline's tell nothing.
        names: the prompts, in the order in which they are told of.
        baseline: what they are compared with; it may be one of them.
    """
    told = [found for found in sites if baseline in found and found[baseline].n]
    cases = np.array([[cases_of(found, name, baseline) for name in names] for found in told], dtype=np.int64)
    cases = cases.reshape(len(told), len(names))
    means = np.array([differences(found, names, baseline) for found in told]).reshape(cases.shape)
    spread = np.array([[_spread(found, name, baseline) for name in names] for found in told]).reshape(cases.shape)
    return donated_by(means * cases, (means**2 + spread) * cases, cases)


def differences(found: Mapping[str, Score], names: Sequence[str], baseline: str) -> NDArray[np.float64]:
    """Return [names], how far each prompt's mean is above the baseline's at a site; 0 where one is missing."""
    return np.array([_mean(found[name]) - _mean(found[baseline]) if name in found else 0.0 for name in names])


def cases_of(found: Mapping[str, Score], name: str, baseline: str) -> int:
    """Return over how many cases, or groups of cases, a site scored both; 0 where it did not."""
    return min(found[one].groups if one in found else 0 for one in (name, baseline))


def _spread(found: Mapping[str, Score], name: str, baseline: str) -> float:
    if name == baseline or name not in found or found[name].prompt == found[baseline].prompt:
        return 0.0
    return _variance(found[name]) + _variance(found[baseline])


def _mean(score: Score) -> float:
    return score.total / score.n if score.n else 0.0


def _variance(score: Score) -> float:
    return max(0.0, score.squares / score.n - _mean(score) ** 2) if score.n else 0.0
