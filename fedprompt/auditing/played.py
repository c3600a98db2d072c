"""Tuning played over without the model: what AdamW makes of many sets of cases, from each case's slope at both ends.

A case's slope goes evenly from that at the start to that at the end. It is an approximation, and thousands of tunings
cost what two looks at the model do.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Steps", "played"]

BETAS, EPSILON = (0.9, 0.999), 1e-8  # AdamW's own in torch


@dataclass(frozen=True)
class Steps:
    """How a prompt was tuned: ``count`` steps of ``batch`` cases, at ``rate``, which is taken as constant."""

    count: int
    batch: int
    rate: float


def played(
    first: NDArray[np.float32],
    last: NDArray[np.float32],
    inside: NDArray[np.bool_],
    steps: Steps,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return [sets, values]: the update that each set of cases makes, drawn in epochs as a site does.

    Args:
        first, last: [cases, values], each case's slope at the start and at the end.
        inside: [sets, cases], which cases a set holds; none is empty.
        steps: how they are taken.
        rng: orders the epochs.
    """
    sets = [np.flatnonzero(row) for row in inside]
    queues = [np.empty(0, dtype=np.int64)] * len(sets)
    moved = np.zeros((len(sets), first.shape[1]), dtype=np.float32)
    mean: NDArray[np.floating] = np.zeros_like(moved)
    square: NDArray[np.floating] = np.zeros_like(moved)
    for step in range(1, steps.count + 1):
        weights = np.zeros((len(sets), len(first)), dtype=np.float32)
        for place, whole in enumerate(sets):
            size, queue = min(steps.batch, len(whole)), queues[place]
            if len(queue) < size:
                fresh = rng.permutation(whole)
                queue = np.concatenate([queue, fresh[~np.isin(fresh, queue)], fresh[np.isin(fresh, queue)]])
            weights[place, queue[:size]] = 1 / size
            queues[place] = queue[size:]
        part = (step - 1) / steps.count
        slope: NDArray[np.float32] = (1 - part) * (weights @ first) + part * (weights @ last)
        mean = BETAS[0] * mean + (1 - BETAS[0]) * slope
        square = BETAS[1] * square + (1 - BETAS[1]) * slope**2
        scaled = np.sqrt(square / (1 - BETAS[1] ** step)) + EPSILON
        moved -= steps.rate * (mean / (1 - BETAS[0] ** step)) / scaled
    return moved
