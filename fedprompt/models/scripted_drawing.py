"""In which order the shipped fake takes its continuations: the likeliest first, or as a seed draws them."""

import numpy as np
from numpy.typing import NDArray

from fedprompt.models.protocols import Decoding
from fedprompt.models.scripted_words import digest_of

__all__ = ["continuations_in_order"]


def continuations_in_order(scores: NDArray[np.float64], decoding: Decoding, written: str) -> NDArray[np.int64]:
    """Return the continuations' places, the likeliest first, or as they are drawn without putting any back.

    Drawn by the Gumbel-top-k trick: Kool, van Hoof and Welling 2019, arXiv 1903.06059.
    """
    if decoding.greedy:
        return np.argsort(-scores, kind="stable")
    with np.errstate(over="ignore"):
        scaled = (scores - scores.max()) / decoding.temperature
    weights = np.exp(scaled)
    order = np.argsort(-weights, kind="stable")
    before = np.cumsum(weights[order] / weights.sum()) - weights[order] / weights.sum()
    kept = order[before < decoding.top_p]
    rng = np.random.default_rng([decoding.seed, int.from_bytes(digest_of(written)[:8], "little")])
    drawn: NDArray[np.int64] = kept[np.argsort(-(scaled[kept] + rng.gumbel(size=len(kept))), kind="stable")]
    return drawn
