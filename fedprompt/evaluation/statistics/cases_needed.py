"""How many labelled cases it would take to reach a level, read off a curve of accuracy against their number.

The curve is made to rise (isotonic regression: pool adjacent violators, Ayer et al. 1955, Annals of Mathematical
Statistics 26:641-647), since another case costs nothing on average, and is straight between two points over the
logarithm of the number. Invariant: nothing is said beyond the last point.
"""

import math
from collections.abc import Sequence

__all__ = ["cases_needed"]


def cases_needed(counts: Sequence[int], values: Sequence[float], level: float) -> float | None:
    """Return where the risen curve first reaches a level, None where its last point is below it.

    Args:
        counts: numbers of cases, rising.
        values: the accuracy at each.
        level: the accuracy that is wanted; one that the first point reaches needs no more cases than that has.

    Raises:
        ValueError: there is no point, or the counts do not rise.
    """
    if not counts or len(counts) != len(values) or list(counts) != sorted(set(counts)):
        raise ValueError("a curve has a value for each of some rising numbers of cases")
    risen = _risen(values)
    if level > risen[-1]:
        return None
    place = next(at for at, value in enumerate(risen) if value >= level)
    if place == 0:
        return float(counts[0])
    below, above = risen[place - 1], risen[place]
    part = (level - below) / (above - below)
    # One case more on both sides, so that the logarithm of none is there.
    low, high = math.log(counts[place - 1] + 1), math.log(counts[place] + 1)
    return math.exp(low + part * (high - low)) - 1


def _risen(values: Sequence[float]) -> list[float]:
    """Return the nearest values that never fall, every point of the same weight."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (first, many), (last, more) = blocks[-2], blocks[-1]
            blocks[-2:] = [((first * many + last * more) / (many + more), many + more)]
    return [value for value, many in blocks for _ in range(many)]
