"""A tokenizer of whole words, and texts of made-up words, for tests that need no model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fedprompt.corpora.preparing import Corpus, prepare

KEY = bytes(range(32))


class Words:
    """Numbers words as they come; 0 ends a document."""

    vocabulary, end = 1 << 16, 0

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[self.known.setdefault(word, len(self.known) + 1) for word in text.split()] for text in texts]


def sentences(count: int, seed: int, length: int = 40) -> list[str]:
    """Return texts of ``length`` words each, none like another, some words far more common."""
    rng = np.random.default_rng(seed)
    return [" ".join(f"w{int(2000 * word**3)}" for word in rng.random(length)) for _ in range(count)]


def prepared(paths: Sequence[Path], folder: Path, words: Words | None = None, **more: object) -> Corpus:
    """Prepare text with the tokenizer of words; a tenth is held out."""
    kept: dict[str, object] = {"tokenizer_digest": "words", "key": KEY, "held_out": 0.1, **more}
    return prepare(paths, folder, words or Words(), **kept)  # type: ignore[arg-type]
