"""Exposure: Carlini et al. 2019, arXiv 1802.08232, section 4: how far up a planted case stands among those it could be.

A canary is a made-up case. Its exposure is log2 of how many there are, less log2 of its rank by loss, the lowest first.
Canaries that were not planted have 1.44 bits on average (1 / ln 2).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.statistics.intervals import Estimate

__all__ = ["Exposure", "exposures", "told_by"]

CHANCE = 1.4427  # bits


@dataclass(frozen=True)
class Exposure:
    """Mean ``bits`` of so many planted canaries among ``among``, and ``p`` that those not planted have as many."""

    canaries: int
    among: int
    bits: Estimate
    p: float


def exposures(losses: NDArray[np.float64], references: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [canaries] bits: each one's loss ranked among ``references`` ([references]) and itself."""
    ranks = (
        1
        + (references[None, :] < losses[:, None]).sum(axis=1)
        + (references[None, :] == losses[:, None]).sum(axis=1) / 2
    )
    found: NDArray[np.float64] = np.log2(len(references) + 1) - np.log2(ranks)
    return found


def told_by(planted: NDArray[np.float64], not_planted: NDArray[np.float64]) -> Exposure:
    """Return the exposure of canaries by their losses, of those planted ([planted]) among those that were not."""
    from scipy.stats import mannwhitneyu
    from scipy.stats import t as student

    bits = exposures(planted, not_planted)
    mean = float(bits.mean())
    half = float(student.ppf(0.975, len(bits) - 1) * bits.std(ddof=1) / np.sqrt(len(bits))) if len(bits) > 1 else np.inf
    p = float(mannwhitneyu(planted, not_planted, alternative="less").pvalue)
    most = float(np.log2(len(not_planted) + 1))
    return Exposure(
        len(planted), len(not_planted) + 1, Estimate(mean, max(0.0, mean - half), min(most, mean + half)), p
    )
