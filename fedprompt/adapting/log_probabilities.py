"""Log-probabilities over the labels: a row's shared constant means nothing, and no label is impossible.

A model may give a label a probability so small that its logarithm is minus infinity. One such case would outweigh all
others in a fit, so a log-probability is never below ``FLOOR`` (up to what normalising takes off it). Invariants: each
row's probabilities sum to one, the likeliest label stays the likeliest, and normalising twice is normalising once.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

__all__ = ["FLOOR", "normalised"]

FLOOR = -30.0  # nats, a probability of 1e-13


def normalised(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log-probabilities over the last axis.

    Args:
        table: [..., labels] log-likelihoods; each row may hold a constant of its own. Minus infinity is floored, also
            where it is all that a row holds: then its labels are equally likely.

    Raises:
        ValueError: there is no label, or a value is NaN or plus infinity.
    """
    found = np.asarray(table, dtype=np.float64)
    if found.ndim < 1 or not found.shape[-1]:
        raise ValueError("a table of log-probabilities needs at least one label")
    if np.isnan(found).any() or np.isposinf(found).any():
        raise ValueError("a log-likelihood is NaN or plus infinity")
    top = found.max(axis=-1, keepdims=True)
    # A row of minus infinities has no likeliest label: all of it stands at the same height.
    level = np.where(np.isneginf(top), 0.0, found - np.where(np.isneginf(top), 0.0, top))
    result: NDArray[np.float64] = log_softmax(np.maximum(log_softmax(level, axis=-1), FLOOR), axis=-1)
    return result
