"""LiRA: Carlini et al. 2022, arXiv 2112.03570, algorithm 1: a case against shadows tuned with and without it.

A prompt's confidence in a case's true label is taken as log(p / (1 - p)), which is about normal over shadows. Few
shadows give a poor variance for each case, so one variance is shared by all cases (the paper's section VI-C).
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_SHADOWS", "confidence", "likelihood_ratio"]

LEAST_SHADOWS = 4
NARROWEST = 1e-6


def confidence(logs: NDArray[np.float64], answers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return [..., cases] log(p / (1 - p)) of the true labels.

    Args:
        logs: [..., cases, labels] log-probabilities over the labels.
        answers: [cases], each a label's place.
    """
    from scipy.special import logsumexp

    rows = np.arange(len(answers))
    right = logs[..., rows, answers]
    others = np.array(logs, dtype=np.float64)
    others[..., rows, answers] = -np.inf
    found: NDArray[np.float64] = np.clip(right - logsumexp(others, axis=-1), -50.0, 50.0)
    return found


def likelihood_ratio(
    target: NDArray[np.float64], shadows: NDArray[np.float64], inside: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return [cases]: the log of how much likelier the target is with each case than without it.

    Args:
        target: [cases] confidences under the prompt that is audited.
        shadows: [shadows, cases] confidences under each shadow.
        inside: [shadows, cases], whether the shadow was tuned on the case.

    Raises:
        ValueError: shapes differ.
    """
    if shadows.shape != inside.shape or shadows.shape[1:] != target.shape:
        raise ValueError(f"confidences of shapes {target.shape}, {shadows.shape} and {inside.shape} do not fit")
    with_, without = _means(shadows, inside), _means(shadows, ~inside)
    apart = np.where(inside, shadows - with_, shadows - without)
    variance = max(float(np.mean(apart**2)), NARROWEST)
    found = ((target - without) ** 2 - (target - with_) ** 2) / (2 * variance)
    # A case that every shadow holds, or none, is not judged.
    seen = inside.any(axis=0) & (~inside).any(axis=0)
    return np.where(seen, found, 0.0)


def _means(values: NDArray[np.float64], taken: NDArray[np.bool_]) -> NDArray[np.float64]:
    count = taken.sum(axis=0)
    found: NDArray[np.float64] = np.where(taken, values, 0.0).sum(axis=0) / np.maximum(count, 1)
    return found
