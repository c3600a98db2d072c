"""An empirical lower bound on epsilon from one run: Steinke et al. 2023, arXiv 2305.08846, theorem 5.2.

Each case was in or out by a fair coin of its own. Whoever guesses ``guesses`` of them and gets ``right`` right rules
out every (epsilon, delta) under which so many right guesses are too unlikely (appendix D's program).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["OneRun", "chance_of", "epsilon_below", "one_run"]

SHARES = (0.1, 0.25, 0.5, 1.0)  # of the cases that are guessed, the surest first; fixed beforehand
LARGEST = 50.0


@dataclass(frozen=True)
class OneRun:
    """With 95 % confidence epsilon is at least ``epsilon``: ``right`` of ``guesses`` guesses over ``cases`` cases."""

    epsilon: float
    right: int
    guesses: int
    cases: int


def chance_of(cases: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """Return the largest probability of so many right guesses under (epsilon, delta)."""
    from scipy.stats import binom

    share = 1 / (1 + math.exp(-epsilon))
    whole = float(binom.sf(right - 1, guesses, share))
    if not delta:
        return min(1.0, whole)
    below = np.cumsum(binom.pmf(np.arange(right - 1, -1, -1), guesses, share))
    steepest = float((below / np.arange(1, right + 1)).max()) if right else 0.0
    return min(1.0, whole + steepest * delta * 2 * cases)


def epsilon_below(cases: int, guesses: int, right: int, delta: float = 0.0, level: float = 0.95) -> float:
    """Return the largest epsilon that so many right guesses rule out; 0 where they rule out none.

    Raises:
        ValueError: more right than guessed, or more guessed than cases.
    """
    if not 0 <= right <= guesses <= cases:
        raise ValueError(f"{right} right of {guesses} guesses over {cases} cases cannot be")
    low, high = 0.0, 1.0
    if guesses == 0 or chance_of(cases, guesses, right, 0.0, delta) >= 1 - level:
        return 0.0
    while high < LARGEST and chance_of(cases, guesses, right, high, delta) < 1 - level:
        high += 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if chance_of(cases, guesses, right, middle, delta) < 1 - level else (low, middle)
    return low


def one_run(scores: NDArray[np.float64], inside: NDArray[np.bool_], delta: float = 0.0) -> OneRun:
    """Return the bound from guesses by score: the highest are said to be in, the lowest out.

    Several numbers of guesses are tried, each at a level that makes up for it (Bonferroni).

    Args:
        scores: [cases], higher is more like a member.
        inside: [cases], each by a coin of its own.
        delta: of the (epsilon, delta) that is looked at.
    """
    order, cases = np.argsort(scores, kind="stable"), len(scores)
    best = OneRun(0.0, 0, 0, cases)
    for share in SHARES:
        half = int(share * cases) // 2
        if not half:
            continue
        right = int(inside[order[-half:]].sum() + (~inside[order[:half]]).sum())
        found = epsilon_below(cases, 2 * half, right, delta, 1 - 0.05 / len(SHARES))
        if found > best.epsilon or not best.guesses:
            best = OneRun(found, right, 2 * half, cases)
    return best
