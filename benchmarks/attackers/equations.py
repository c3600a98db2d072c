"""Answers as linear equations in who is a member, solved by least squares under what is known beforehand.

A sum over a site's cases is the sum over the candidates of what each adds, times whether it is there. Each candidate is
a member with the same chance beforehand, so the best linear guess is the posterior mean of a Gaussian with that mean
and variance (Tikhonov's regularisation). Where there are as many exact equations as candidates, it is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Equation", "solve"]


@dataclass(frozen=True, eq=False)
class Equation:
    """``adds``: [candidates], what each adds if it is a member; ``told``: the sum; ``spread``: the told sum's error."""

    adds: NDArray[np.float64]
    told: float
    spread: float = 0.0


def solve(equations: Sequence[Equation], candidates: int, members: int) -> NDArray[np.float64]:
    """Return [candidates], how much each looks like a member: 1 one that is, 0 one that is not.

    Args:
        equations: what was told; none of them gives everybody the same guess.
        members: how many the site says that it has.
    """
    chance = members / candidates
    rows = np.array([np.ones(candidates), *(one.adds for one in equations)])
    told = np.array([float(members), *(one.told for one in equations)])
    noise = np.array([0.0, *(one.spread**2 for one in equations)])
    variance = chance * (1 - chance)
    covariance = variance * rows @ rows.T + np.diag(noise + 1e-9)
    found: NDArray[np.float64] = (
        chance + variance * rows.T @ np.linalg.lstsq(covariance, told - chance * rows.sum(axis=1), rcond=1e-12)[0]
    )
    return found
