"""Counts with noise, and scores made of them: whole numbers all through, so that no digit tells what was noised.

A count is scaled to a grid on which it and the noise are whole numbers (``privacy.rounded_noise``), and what comes out
is rounded to a whole count, which is post-processing. A score keeps its form: its right answers are the noised count,
cut to what is possible, over the split's size as it was told, and the variance that the noise adds is in
``group_squares``, from which all intervals and comparisons are made. Invariant: what a score says follows from noised
numbers and public ones alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from fedprompt.privacy.rounded_noise import WIDTH, RandomBytes, rounded_noise
from fedprompt.study.score import Comparison, Score

__all__ = ["CountNoise", "noised_comparison", "noised_counts", "noised_score"]


@dataclass(frozen=True)
class CountNoise:
    """What noised numbers carry.

    Attributes:
        size: the width of the noise on a split's size, in cases.
        count: the same of a count of right answers.
        longest: the most cases of one unit.
    """

    size: float
    count: float
    longest: int

    def variance(self, share: float) -> float:
        """Return the variance of a count that is this share of a size: its own noise, and that of the size."""
        return self.count**2 + (share * self.size) ** 2


def noised_counts(values: Sequence[int], noise: float, random: RandomBytes) -> tuple[int, ...]:
    """Return whole numbers with noise of ``noise`` at least on each; they may be below zero.

    Raises:
        ValueError: the noise is wider than the grid.
    """
    steps = floor(WIDTH / noise)  # of one count
    if steps < 1:
        raise ValueError(f"noise of {noise:g} counts is wider than {WIDTH}")
    drawn = rounded_noise(len(values), random).tolist()
    return tuple(
        (2 * (value * steps + extra) + steps) // (2 * steps) for value, extra in zip(values, drawn, strict=True)
    )


def noised_score(score: Score, n: int, right: int, noise: CountNoise) -> Score:
    """Return a score as it leaves: of ``score`` nothing but what it is of.

    Args:
        score: names prompt, split and method.
        n: the split's size as it was told.
        right: the noised count of right answers.
        noise: what is on both.
    """
    total = float(min(max(right, 0), n))
    groups, spread = _groups(n, noise), total - total * total / n
    squares = noise.longest * spread + noise.variance(total / n)
    changes = {"n": n, "total": total, "squares": total, "groups": groups, "group_squares": squares}
    return score.model_copy(update={**changes, "confusion": (), "bins": ()})


def noised_comparison(pair: Comparison, n: int, better: int, worse: int, noise: CountNoise) -> Comparison:
    """Return a comparison as it leaves.

    Args:
        pair: names the prompts and the split.
        n: the split's size as it was told.
        better: the noised count of cases that only the first prompt answers right.
        worse: the same of the second.
        noise: what is on them.
    """
    larger = min(max(better, worse, 0), n)
    smaller = min(max(min(better, worse), 0), n - larger)
    better, worse = (larger, smaller) if better >= worse else (smaller, larger)
    total, squares = float(better - worse), float(better + worse)
    spread = noise.longest * (squares - total * total / n) + 2 * noise.variance(total / n)
    changes = {"n": n, "total": total, "squares": squares, "better": better, "worse": worse}
    return pair.model_copy(update={**changes, "groups": _groups(n, noise), "group_squares": spread})


def _groups(n: int, noise: CountNoise) -> int:
    """Return how many units so many cases form at least."""
    return ceil(n / noise.longest)
