"""Clipping: no site's update is longer than an agreed norm, so that none can drag the average at will.

The update as a whole is scaled (flat clipping; Abadi et al. 2016, arXiv 1607.00133, algorithm 1).
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["clip"]


def clip(update: NDArray[np.float32], most: float) -> NDArray[np.float32]:
    """Return the update (float32, any shape) scaled so that its Euclidean norm is at most ``most``.

    Raises:
        ValueError: ``most`` is not positive.
    """
    if not most > 0:
        raise ValueError(f"a clipping norm must be positive, not {most}")
    norm = float(np.linalg.norm(update.astype(np.float64)))
    if norm <= most:
        return update
    # A hair below the bound for the norm's own rounding, and rounded towards zero, so that nothing lifts it above.
    wanted = update.astype(np.float64) * (most / norm * (1 - 1e-12))
    clipped = wanted.astype(np.float32)
    over = np.abs(clipped.astype(np.float64)) > np.abs(wanted)
    return np.where(over, np.nextafter(clipped, np.float32(0.0)), clipped)
