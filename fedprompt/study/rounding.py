"""How coarse a score of a prompt is that a hub brings, and how much a number of exact questions tells.

A right answer of a member adds to a count. Among ``n`` members and as many others, a hub that can foresee nothing sees
a count vary with variance ``n / 8`` at most. Rounding it to a multiple of about the square root of ``n`` (an error of
variance ``n / 12``) hides two fifths of what it tells, and adds less to a score's error than its cases do.
"""

from math import ceil, erf, sqrt

__all__ = ["SHARE", "nearest_of", "told_apart"]

SHARE = 15  # of so many cases a split answers one exact question by default


def nearest_of(cases: int) -> int:
    """Return the number of which counts over so many cases leave as multiples, at least 1."""
    return max(1, ceil(sqrt(cases)))


def told_apart(questions: int, cases: int) -> float:
    """Return how often a case of a split looks more like one than another text does, at most: 0.5 is guessing.

    It is what the best linear guess gets (equally many members and others, answers that nobody can foresee): of
    ``2 cases`` unknowns, ``questions`` sums explain a part ``p = questions / (2 cases)`` of the variance, which leaves
    members and others ``2 sqrt(p / (1 - p))`` deviations apart.

    Args:
        questions: how many are answered, each as an exact sum.
        cases: independent ones of the split.
    """
    part = questions / (2 * max(1, cases))
    if part >= 1:
        return 1.0
    return 0.5 * (1 + erf(sqrt(part / (1 - part))))
