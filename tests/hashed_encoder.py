"""An encoder for tests: a word's vector follows from its letters, a text's is the sum of its words', of length 1."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXAMPLES", "HashedEncoder"]

WIDTH = 24
EXAMPLES = tuple(
    f"{first} {second} number {place}"
    for place, (first, second) in enumerate(
        (a, b) for a in ("wonderful", "terrible", "great", "awful", "useful") for b in ("film", "book", "song", "meal")
    )
)


class HashedEncoder:
    """Implements ``models.protocols.Encoder``."""

    width = WIDTH

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return [texts, width] float32."""
        found = np.array([sum((_word(word) for word in text.split()), np.zeros(WIDTH)) for text in texts])
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def _word(word: str) -> NDArray[np.float64]:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(WIDTH)
