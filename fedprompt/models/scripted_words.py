"""What the shipped fake reads: a small lexicon of sentiment, and vectors that hashes of words give.

The same text gives the same numbers on every machine.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fedprompt.models.vocabulary import By, Nearest

__all__ = [
    "NEGATIVE",
    "POSITIVE",
    "SIZE",
    "TOKEN",
    "WIDTH",
    "Context",
    "Lexicon",
    "context_of",
    "digest_of",
    "direction",
    "embedding",
    "words_of",
]

WIDTH = 16
SIZE = 0.1  # input embeddings are small, as in real models, so that usual learning rates move them
_POSITIVE = (
    "amazing awesome beautiful best better brilliant charming clear delight delightful easy enjoy "
    "enjoyed excellent fantastic fine fun funny glad good great happy helpful impressive like liked "
    "love loved lovely nice perfect pleasant positive recommend right smart strong superb thanks true "
    "useful well win wonderful worth yes"
)
_NEGATIVE = (
    "angry annoying awful bad boring broken cheap crash damage dead dull dumb fail failed failure false "
    "hate hated horrible hurt lame lost mess negative no pain poor problem sad slow stupid terrible "
    "ugly unhappy unpleasant useless waste weak worse worst wrong"
)
POSITIVE = frozenset(_POSITIVE.split())
NEGATIVE = frozenset(_NEGATIVE.split())
NEGATION = frozenset(("not", "never", "nor", "hardly", "t"))  # "t" as in "don't"
TOKEN = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")


@dataclass(frozen=True)
class Context:
    """``sentiment`` in [-1, 1] and ``fixed``: the part of h ([width] float64) that no soft prompt moves."""

    sentiment: float
    fixed: NDArray[np.float64]


class Lexicon:
    """The lexicon's words, each after a space; all are plain."""

    def __init__(self) -> None:
        self._words = [f" {word}" for word in sorted(POSITIVE | NEGATIVE)]

    def nearest(self, vectors: NDArray[np.float32], count: int, by: By, *, plain: bool = True) -> Nearest:
        """Return the ``count`` words nearest to each row of [rows, width], or all if fewer."""
        wanted, rows = np.asarray(vectors, np.float64), self.vectors(range(len(self._words))).astype(np.float64)
        likeness = wanted @ rows.T
        if by == "cosine":
            likeness /= np.linalg.norm(rows, axis=1) * np.maximum(np.linalg.norm(wanted, axis=1), 1e-12)[:, None]
        elif by == "euclid":
            likeness = -np.linalg.norm(wanted[:, None] - rows[None], axis=2)
        order = np.argsort(-likeness, axis=1, kind="stable")[:, :count]
        return Nearest(order, np.take_along_axis(likeness, order, axis=1))

    def vectors(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Return the words' input embeddings, [tokens, width] float32."""
        return (SIZE * np.stack([embedding(self._words[token]) for token in tokens])).astype(np.float32)

    def spelt(self, tokens: Sequence[int]) -> str:
        """Return the words one after the other."""
        return "".join(self._words[token] for token in tokens)

    def reads_back(self, tokens: Sequence[int]) -> bool:
        """Return whether the words' text is read as these words."""
        return TOKEN.findall(self.spelt(tokens)) == [self._words[token] for token in tokens]


@lru_cache(maxsize=65_536)
def context_of(text: str) -> Context:
    """Return what a text says by the lexicon, with a bias that its end gives and noise that all of it gives."""
    tokens = [token.strip().lower() for token in TOKEN.findall(text)]
    verdict = 0.0
    for place, token in enumerate(tokens):
        sign = (token in POSITIVE) - (token in NEGATIVE)
        if sign and any(before in NEGATION for before in tokens[max(0, place - 3) : place]):
            sign = -sign
        # What comes last weighs most, so that demonstrations do not drown the case.
        verdict += sign * 0.97 ** (len(tokens) - 1 - place)
    sentiment = float(np.tanh(verdict))
    tail = "".join(tokens[-3:])
    clarity = 0.5 + (int.from_bytes(digest_of(tail)[:2], "little") / 65_535)
    bias = 0.45 * embedding("tail " + tail)
    noise = 0.2 / clarity * embedding("noise " + text)
    return Context(sentiment, 2.0 * clarity * sentiment * direction("sentiment") + bias + noise)


def words_of(words: Sequence[str]) -> NDArray[np.float64]:
    """Return [words, width]: sentiment words lie along the sentiment, others where a hash says."""
    rows = []
    for word in words:
        plain = word.strip().lower()
        sign = (plain in POSITIVE) - (plain in NEGATIVE)
        rows.append(sign * direction("sentiment") + 0.25 * embedding("word " + plain))
    return np.stack(rows)


@lru_cache(maxsize=16)
def direction(name: str) -> NDArray[np.float64]:
    """Return a [width] vector of length 1 that a name gives."""
    vector = embedding("direction " + name)
    unit: NDArray[np.float64] = vector / np.linalg.norm(vector)
    return unit


@lru_cache(maxsize=65_536)
def embedding(token: str) -> NDArray[np.float64]:
    """Return [width] values in [-1, 1) made of a token's hash."""
    values: NDArray[np.float64] = np.frombuffer(digest_of(token), dtype="<i2").astype(np.float64) / 32_768
    return values


def digest_of(token: str) -> bytes:
    """Return two bytes a number of the width."""
    return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=2 * WIDTH).digest()
