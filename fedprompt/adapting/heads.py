"""The regression that a site shares as a head, and the noise that hides which cases it was fitted on.

Multinomial logistic regression with a penalty, sum of losses + |w|^2 / (2 strength), on unit vectors in a few public
directions of an encoder's space. The log class shares stand beside the scores while it is fitted, so that a head holds
no site's mix of classes. Then Gaussian noise is added (output perturbation: Chaudhuri, Monteleoni and Sarwate 2011,
JMLR 12:1069-1109): the objective is 1/strength-strongly convex and one case's gradient is at most sqrt(2) long, so
that with the number of cases of each class held, one case moves the weights by sqrt(2) x strength at most. With noise
x strength as the standard deviation, nobody who knows all other cases tells whether one was there with an area under
the curve above Phi(1 / noise) (Dong, Roth and Su 2022, JRSS B 84:3-37: Gaussian differential privacy).

Invariant: directions follow from public examples alone; equal arrays and an equal secret give an equal head.
"""

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.log_probabilities import normalised

__all__ = [
    "directions_of",
    "fit_head",
    "head_features",
    "head_table",
    "largest_area",
    "log_shares",
    "longest_head",
    "same_directions",
    "with_noise",
]

SMOOTHING = 0.1  # cases of each class beside those that are there, so that a class without one has a share
GRID = 64  # weights are rounded to this part of the noise, so that no last digit tells what was added
TAIL = 8.0  # standard deviations beyond what the noise's norm is on average
AGREE = 1e-2


def directions_of(vectors: NDArray[np.float32], many: int) -> NDArray[np.float32]:
    """Return [1 + many, width] float32: the mean of public vectors, then the directions in which they differ most.

    Args:
        vectors: [examples, width], more examples than directions.
        many: how many directions.

    Raises:
        ValueError: they do not span so many.
    """
    given = np.asarray(vectors, dtype=np.float64)
    mean = given.mean(axis=0)
    _, sizes, axes = np.linalg.svd(given - mean, full_matrices=False)
    if len(sizes) < many or sizes[many - 1] <= 1e-6 * max(sizes[0], 1e-12):
        raise ValueError(f"{len(given)} examples do not span {many} directions")
    return np.vstack([mean, axes[:many]]).astype(np.float32)


def same_directions(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether two sets of directions have the same mean and span the same space, however they are turned in it."""
    if one.shape != other.shape:
        return False
    a, b = one.astype(np.float64), other.astype(np.float64)
    straight = np.abs(b[1:] @ b[1:].T - np.eye(len(b) - 1)).max() <= AGREE
    spans = np.abs(a[1:].T @ a[1:] - b[1:].T @ b[1:]).max() <= AGREE
    return bool(straight and spans and np.abs(a[0] - b[0]).max() <= AGREE)


def head_features(vectors: NDArray[np.float32], directions: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return [cases, directions] rows of length 1 (of zeros, where a vector has no part in any direction)."""
    turned = (np.asarray(vectors, dtype=np.float64) - directions[0]) @ directions[1:].astype(np.float64).T
    lengths = np.linalg.norm(turned, axis=1, keepdims=True)
    return np.asarray(np.divide(turned, lengths, out=np.zeros_like(turned), where=lengths > 0))


def fit_head(
    features: NDArray[np.float64], answers: NDArray[np.int64], labels: int, strength: float
) -> NDArray[np.float64]:
    """Return [labels, directions] weights of the penalised regression, with the class shares taken out.

    Args:
        features: [cases, directions], rows of length 1 at most.
        answers: [cases], each a label's place.
        labels: how many there are; one without a case is allowed.
        strength: of the cases against the penalty.

    Raises:
        ValueError: shapes do not fit, or an answer is no label.
    """
    from scipy.optimize import minimize

    if features.ndim != 2 or answers.shape != features.shape[:1] or not len(answers):
        raise ValueError(f"answers of shape {answers.shape} do not fit features of shape {features.shape}")
    if answers.min() < 0 or answers.max() >= labels:
        raise ValueError("an answer is no label")
    shares, truth = log_shares(answers, labels), np.eye(labels)[answers]
    shape = (labels, features.shape[1])

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(shape)
        told = normalised(features @ weights.T + shares)
        slope = strength * (np.exp(told) - truth).T @ features + weights
        return float(-strength * (told * truth).sum() + 0.5 * (flat @ flat)), slope.ravel()

    options = {"maxiter": 2_000, "ftol": 1e-15, "gtol": 1e-7}
    found = minimize(loss, np.zeros(labels * features.shape[1]), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x, dtype=np.float64).reshape(shape)


def log_shares(answers: NDArray[np.int64], labels: int) -> NDArray[np.float64]:
    """Return [labels] logarithms of how common each is, none without a share."""
    counts = np.bincount(answers, minlength=labels) + SMOOTHING
    return np.asarray(np.log(counts / counts.sum()))


def with_noise(weights: NDArray[np.float64], strength: float, noise: float, secret: bytes) -> NDArray[np.float32]:
    """Return weights with Gaussian noise of standard deviation ``noise x strength``, rounded; float32.

    Args:
        weights: [labels, directions].
        strength: they were fitted with.
        noise: how many times that.
        secret: what the noise follows from, which nobody else knows.
    """
    from scipy.special import ndtri

    drawn = np.frombuffer(hashlib.shake_256(secret).digest(8 * weights.size), dtype="<u8").reshape(weights.shape)
    even = ((drawn >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    spread = noise * strength
    grid = spread / GRID
    return np.asarray(np.round((weights + spread * ndtri(even)) / grid) * grid, dtype=np.float32)


def longest_head(strength: float, noise: float, cases: int, labels: int, many: int) -> float:
    """Return the largest norm that a fitted head with its noise has.

    The minimum is no worse than no head at all, whose loss is a case's at most log(labels) and what smoothing adds; nor
    is it farther out than all gradients together. The noise's norm is longer than this once in more than 10^9 heads.
    """
    worst = cases * (math.log(labels) + math.log1p(labels * SMOOTHING / cases))
    fitted = min(math.sqrt(2) * strength * cases, math.sqrt(2 * strength * worst))
    return fitted + noise * strength * (math.sqrt(labels * many) * (1 + 1 / GRID) + TAIL)


def largest_area(noise: float) -> float:
    """Return the area under the curve that no test of whether one case was there exceeds, whatever it knows else."""
    from scipy.special import ndtr

    return float(ndtr(1 / noise))


def head_table(
    weights: NDArray[np.float32], directions: NDArray[np.float32], vectors: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return [cases, labels] log-probabilities that a head gives to the encoder's vectors [cases, width]."""
    return normalised(head_features(vectors, directions) @ weights.astype(np.float64).T)
