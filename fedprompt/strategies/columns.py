"""Updates side by side, a block of coordinates at a time, so that a robust mean needs little beside its input.

Robust strategies count each site once: a number of cases is a site's own claim, and a site that lies would claim many.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import FederationError
from fedprompt.strategies.strategy import Update, in_site_order

__all__ = ["by_coordinate", "collected"]

BLOCK_VALUES = 8 * 1024 * 1024
TILE = 64


def collected(start: NDArray[np.float32], updates: Iterable[Update], least: int, name: str) -> list[Update]:
    """Return the updates by site.

    Raises:
        FederationError: fewer than ``least``, a shape that differs, or a site with two.
    """
    found = list(in_site_order(start, updates))
    if len(found) < max(1, least):
        raise FederationError(
            f"with these options {name} needs {max(1, least)} updates, but got {len(found)}; add sites, or "
            "lower the number of liars in the study",
            code="too-few-updates",
        )
    return found


def by_coordinate(
    deltas: Sequence[NDArray[np.float32]], reduce: Callable[[NDArray[np.float32]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return one value a coordinate, shaped as the deltas.

    Args:
        deltas: arrays of one shape, float32.
        reduce: makes [coordinates] float64 of [coordinates, updates] float32, which it may rearrange.
    """
    flat = [np.ascontiguousarray(delta).reshape(-1) for delta in deltas]
    size = flat[0].size
    found = np.empty(size, dtype=np.float64)
    width = max(1, min(size, BLOCK_VALUES // len(flat)))
    rows = np.empty((min(TILE, len(flat)), width), dtype=np.float32)
    for low in range(0, size, width):
        high = min(size, low + width)
        block = np.empty((high - low, len(flat)), dtype=np.float32)
        # Tile by tile, so that what is read and what is written both lie close together.
        for first in range(0, len(flat), TILE):
            some = flat[first : first + TILE]
            for place, values in enumerate(some):
                rows[place, : high - low] = values[low:high]
            block[:, first : first + len(some)] = rows[: len(some), : high - low].T
        found[low:high] = reduce(block)
    return found.reshape(deltas[0].shape)
