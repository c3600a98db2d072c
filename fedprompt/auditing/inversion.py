"""A small update turned back: which of the texts that an attacker holds were in the one batch that made it.

After one step from the start an update points where the batch's slopes do (Zhu et al. 2019, arXiv 1906.08935, search
for texts whose slopes fit; a soft prompt's slope has few numbers, so candidates are ranked instead). AdamW's
first step has one length in every coordinate, so the sign is what it tells.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.statistics.intervals import Estimate

__all__ = ["Inverted", "picked_out"]


@dataclass(frozen=True)
class Inverted:
    """The share ``right`` of the ``batch`` cases that were picked out of ``among``; ``guessing`` is picking any."""

    batch: int
    among: int
    right: Estimate
    guessing: float
    p: float


def picked_out(updates: NDArray[np.float32], slopes: NDArray[np.float32], batches: NDArray[np.bool_]) -> Inverted:
    """Return how many of the cases of small updates can be picked out of all.

    Args:
        updates: [updates, values], each after one step.
        slopes: [cases, values], each case's slope at the start.
        batches: [updates, cases], who was in it; equally many in each.
    """
    from scipy.stats import binomtest, hypergeom

    cases, batch = batches.shape[1], int(batches[0].sum())
    unit = slopes - slopes.mean(axis=0)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    likeness = -np.sign(updates) @ unit.T
    chosen = np.argsort(-likeness, axis=1, kind="stable")[:, :batch]
    right = int(np.take_along_axis(batches, chosen, axis=1).sum())
    total = batch * len(updates)
    ends = binomtest(right, total).proportion_ci(0.95, method="exact")
    # Each update alone is hypergeometric; their sum is near enough normal for a p-value.
    mean, variance = (len(updates) * float(one) for one in hypergeom(cases, batch, batch).stats("mv"))
    from scipy.stats import norm

    p = float(norm.sf((right - 0.5 - mean) / max(np.sqrt(variance), 1e-12)))
    return Inverted(batch, cases, Estimate(right / total, float(ends.low), float(ends.high)), batch / cases, p)
