"""How well a score tells members from others: the area under the ROC curve with an interval, and its low end.

AUC: how often a member's score lies above another's, ties counted half (Mann and Whitney). Its interval is Newcombe's
method 5 (Newcombe 2006, Statistics in Medicine 25:559-573): a score interval over Hanley and McNeil's variance, which
holds at few cases and at an AUC of 1. True positives at few false ones: Carlini et al. 2022, arXiv 2112.03570, section
IV; their interval is exact (Clopper and Pearson).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.statistics.intervals import Estimate

__all__ = ["Membership", "Roc", "auc_interval", "histogram", "membership", "roc"]

NEARLY = 1e-9
FALSE = 0.05  # the share of others that may be taken for members where true positives are counted


@dataclass(frozen=True)
class Membership:
    """``auc`` over so many ``members`` and ``others``, and ``p`` that members score no higher (Mann and Whitney).

    ``caught``: the share of members found while at most ``FALSE`` of the others are taken for members.
    """

    members: int
    others: int
    auc: Estimate
    p: float
    caught: Estimate


@dataclass(frozen=True)
class Roc:
    """Points of the curve, each a share in [0, 1], from (0, 0) to (1, 1)."""

    false: tuple[float, ...]
    true: tuple[float, ...]


def membership(members: NDArray[np.float64], others: NDArray[np.float64]) -> Membership:
    """Return how well scores ([members] and [others], higher is more like a member) tell them apart.

    Raises:
        ValueError: one of the two is empty, or a score is not a number.
    """
    from scipy.stats import mannwhitneyu

    if not (len(members) and len(others) and np.isfinite(members).all() and np.isfinite(others).all()):
        raise ValueError("scores of at least one member and one other are needed, all of them numbers")
    test = mannwhitneyu(members, others, alternative="greater")
    area = float(test.statistic) / (len(members) * len(others))
    return Membership(
        len(members),
        len(others),
        auc_interval(area, len(members), len(others)),
        float(test.pvalue),
        _caught(members, others),
    )


def auc_interval(area: float, members: int, others: int, level: float = 0.95) -> Estimate:
    """Return an AUC with its interval."""
    from scipy.optimize import brentq
    from scipy.special import ndtri

    z, more = -float(ndtri((1 - level) / 2)), (members + others) / 2 - 1

    def away(at: float) -> float:
        spread = at * (1 - at) * (1 + more * ((1 - at) / (2 - at) + at / (1 + at))) / (members * others)
        return (area - at) ** 2 - z * z * spread

    inner = min(max(area, NEARLY), 1 - NEARLY)  # at 0 and 1 the spread is nothing, and the area itself is a root
    low = float(brentq(away, 0.0, inner)) if area > 0 and away(0.0) > 0 > away(inner) else 0.0
    high = float(brentq(away, inner, 1.0)) if area < 1 and away(1.0) > 0 > away(inner) else 1.0
    return Estimate(area, min(low, area), max(high, area))


def _caught(members: NDArray[np.float64], others: NDArray[np.float64]) -> Estimate:
    from scipy.stats import binomtest

    # The others' scores from the top; the threshold lies above the first that is one too many.
    allowed = int(FALSE * len(others))
    least = np.sort(others)[::-1][allowed]
    right = int((members > least).sum())
    ends = binomtest(right, len(members)).proportion_ci(0.95, method="exact")
    return Estimate(right / len(members), float(ends.low), float(ends.high))


def roc(members: NDArray[np.float64], others: NDArray[np.float64], most: int = 101) -> Roc:
    """Return the curve at up to ``most`` thresholds."""
    whole = np.unique(np.concatenate([members, others]))[::-1]
    cuts = whole[np.unique(np.linspace(0, len(whole) - 1, min(most, len(whole))).astype(int))]
    false = [0.0, *(float((others >= cut).mean()) for cut in cuts)]
    true = [0.0, *(float((members >= cut).mean()) for cut in cuts)]
    return Roc(tuple(false), tuple(true))


def histogram(
    members: NDArray[np.float64], others: NDArray[np.float64], bins: int = 20
) -> tuple[tuple[float, ...], tuple[int, ...], tuple[int, ...]]:
    """Return [bins + 1] edges and how many members and others lie in each bin."""
    both = np.concatenate([members, others])
    edges = np.histogram_bin_edges(both, bins)
    counts = [tuple(int(one) for one in np.histogram(part, edges)[0]) for part in (members, others)]
    return tuple(float(edge) for edge in edges), counts[0], counts[1]
