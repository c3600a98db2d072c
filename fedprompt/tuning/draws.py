"""Which cases each step takes: in epochs without replacement, so that a small split is used evenly.

Invariant: so many steps from the beginning draw ``min(cases, steps * batch)`` distinct cases, whatever the generator.
"""

from collections.abc import Sequence

import numpy as np

__all__ = ["drawn", "next_rows"]


def next_rows(queue: Sequence[int], cases: int, batch: int, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Return the rows of the next step, and the queue after it.

    Args:
        queue: what is left of the epoch.
        cases: how many there are.
        batch: rows a step; all cases where there are fewer.
        rng: orders the next epoch.
    """
    size, left = min(batch, cases), list(queue)
    if len(left) < size:
        fresh = [int(i) for i in rng.permutation(cases)]
        # What is left of the last epoch comes once more at this one's end, never twice in a batch.
        held = set(left)
        left += sorted(fresh, key=lambda i: i in held)
    return left[:size], left[size:]


def drawn(cases: int, batch: int, steps: int, rng: np.random.Generator) -> frozenset[int]:
    """Return the rows that so many steps draw in all, from the beginning."""
    found: set[int] = set()
    queue: list[int] = []
    for _ in range(steps):
        rows, queue = next_rows(queue, cases, batch, rng)
        found.update(rows)
    return frozenset(found)
