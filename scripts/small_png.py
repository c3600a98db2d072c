"""Makes a picture of a page small without changing its colours: the frequent ones stay to the bit.

Text has hundreds of shades at its edges. A shade takes the most frequent colour that is near it in every channel, and
near is as little as 256 colours allow. Where even ``FARTHEST`` is not enough the picture stays as it is.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["FARTHEST", "shrunk"]

STEPS = (0, 2, 4, 6, 8, 10, 12)
FARTHEST = STEPS[-1]  # of 255
MOST = 256


def shrunk(picture: Image.Image) -> Image.Image:
    """Return the picture with a palette of 256 colours, or in all its colours where that moved one too far."""
    pixels = np.asarray(picture.convert("RGB")).astype(np.int32)
    packed = (pixels[..., 0] << 16) | (pixels[..., 1] << 8) | pixels[..., 2]
    found, place, count = np.unique(packed.ravel(), return_inverse=True, return_counts=True)
    order = np.argsort(-count, kind="stable")
    colours = np.stack([found >> 16, (found >> 8) & 255, found & 255], 1)[order]
    for step in STEPS:
        owner = _owners(colours, step)
        if owner is not None:
            break
    else:
        return picture.convert("RGB")
    chosen = colours[np.unique(owner)]  # each is its own owner
    index = np.empty(len(found), np.uint8)
    index[order] = np.searchsorted(np.unique(owner), owner)
    small = Image.fromarray(index[place].reshape(packed.shape))
    small.putpalette(chosen.astype(np.uint8).tobytes())
    return small


def _owners(colours: NDArray[np.int32], step: int) -> NDArray[np.int64] | None:
    """Return for each colour, the frequent first, the place of what stands for it; None if those are too many."""
    owner = np.full(len(colours), -1, np.int64)
    for _ in range(MOST):
        left = np.flatnonzero(owner < 0)
        if not len(left):
            return owner
        near = left[np.abs(colours[left] - colours[left[0]]).max(1) <= step]
        owner[near] = left[0]
    return owner if (owner >= 0).all() else None
