"""Clipping: no site's update is longer than an agreed norm, so that none can drag the average at will.

The update as a whole is scaled (flat clipping; Abadi et al. 2016, arXiv 1607.00133, algorithm 1).
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["clip"]


def clip(update: NDArray[np.float32], most: float) -> NDArray[np.float32]:
    """Return the update ([tokens, width] float32) scaled so that its Euclidean norm is at most ``most``.

    Raises:
        ValueError: ``most`` is not positive.
    """
    if not most > 0:
        raise ValueError(f"a clipping norm is positive, not {most}")
    norm = float(np.linalg.norm(update.astype(np.float64)))
    if norm <= most:
        return update
    # The next smaller float32 factor keeps rounding from lifting the norm above the bound.
    factor = np.nextafter(np.float32(most / norm), np.float32(0.0))
    return np.asarray(update * factor, dtype=np.float32)
