"""Holm's correction for many tests: Holm (1979), Scandinavian Journal of Statistics 6:65-70.

Invariant: an adjusted p-value is never less than the one given, nor more than 1, and their order stays.
"""

from collections.abc import Sequence

__all__ = ["holm"]


def holm(pvalues: Sequence[float]) -> tuple[float, ...]:
    """Return the adjusted p-values in the order given; empty for none.

    Raises:
        ValueError: a p-value lies outside [0, 1] or is not a number.
    """
    if any(not 0 <= p <= 1 for p in pvalues):
        raise ValueError("p-values lie between 0 and 1")
    adjusted = [0.0] * len(pvalues)
    highest = 0.0
    for rank, at in enumerate(sorted(range(len(pvalues)), key=lambda i: pvalues[i])):
        highest = max(highest, min(1.0, (len(pvalues) - rank) * pvalues[at]))
        adjusted[at] = highest
    return tuple(adjusted)
