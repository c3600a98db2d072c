"""A release whose noise is known, to see whether the audit would notice noise that is too small.

The sum of the members' slopes, each cut to length 1, with Gaussian noise: the mechanism of Dwork and Roth 2014,
appendix A, at sensitivity 1 (one case added or taken away). The audit of
the real prompt is asked about it too.
"""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["noise_for", "released_scores"]


def noise_for(epsilon: float, delta: float) -> float:
    """Return the deviation that hides one case of length 1 (theorem A.1; ``epsilon`` at most 1)."""
    return math.sqrt(2 * math.log(1.25 / delta)) / epsilon


def released_scores(
    slopes: NDArray[np.float32], inside: NDArray[np.bool_], deviation: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return [cases], how much each looks like part of one noised sum: its least-squares share.

    Args:
        slopes: [cases, values].
        inside: [cases], whose slopes are summed.
        deviation: of the noise, where each slope has length 1 at most.
        rng: draws the noise.
    """
    unit = slopes.astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    told = unit[inside].sum(axis=0) + deviation * rng.standard_normal(unit.shape[1])
    inner = unit @ unit.T
    ridge = max(deviation, 1e-3) ** 2 * 4.0  # a share of 0 or 1 has variance 1/4
    found: NDArray[np.float64] = np.linalg.solve(
        inner + ridge * np.eye(len(inner)), unit @ (told - unit.sum(axis=0) / 2)
    )
    return found
