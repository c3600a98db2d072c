"""Squared distances between all pairs of updates, as one matrix product a block.

``|a - b|^2 = |a|^2 + |b|^2 - 2ab``, the updates taken from their coordinate-wise median: it lies among those that do
not lie, so one huge update cannot eat the digits in which the others differ. float64 up to ``EXACT`` updates; beyond,
the products are float32, whose relative error of about 1e-6 is far below what sets one site apart from thousands.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fedprompt.strategies.median import median_of

__all__ = ["squared_distances"]

EXACT = 512
BLOCK = 1024


def squared_distances(deltas: Sequence[NDArray[np.float32]]) -> NDArray[np.floating]:
    """Return [n, n] squared Euclidean distances, float64 or float32, 0 on the diagonal.

    A distance that the type cannot hold is infinite: such an update is far from all.
    """
    count = len(deltas)
    dtype = np.float64 if count <= EXACT else np.float32
    centre = median_of(deltas).reshape(-1)
    found = np.empty((count, count), dtype=dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        for first in range(0, count, BLOCK):
            rows = _block(deltas, first, centre, dtype)
            for second in range(first, count, BLOCK):
                columns = rows if second == first else _block(deltas, second, centre, dtype)
                part = rows @ columns.T
                part *= -2
                part += np.einsum("ij,ij->i", rows, rows)[:, None]
                part += np.einsum("ij,ij->i", columns, columns)[None, :]
                np.nan_to_num(part, copy=False, nan=np.inf, posinf=np.inf, neginf=np.inf)
                np.maximum(part, 0, out=part)
                found[first : first + BLOCK, second : second + BLOCK] = part
                if second != first:
                    found[second : second + BLOCK, first : first + BLOCK] = part.T
    # Rounding aside a product's two halves agree; here they do to the last bit.
    for place in range(count):
        found[place, :place] = found[:place, place]
    np.fill_diagonal(found, 0)
    return found


def _block(
    deltas: Sequence[NDArray[np.float32]], first: int, centre: NDArray[np.float64], dtype: type
) -> NDArray[np.floating]:
    some = deltas[first : first + BLOCK]
    rows: NDArray[np.floating] = np.empty((len(some), centre.size), dtype=dtype)
    for place, delta in enumerate(some):
        np.subtract(delta.reshape(-1), centre, out=rows[place], casting="same_kind")
    return rows
