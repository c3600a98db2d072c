"""What is asked of a model's vocabulary: which of its words lie near to vectors, and how words are written and read.

Tokens are the model's own numbers. Only models of this machine have a vocabulary that can be looked in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["By", "Nearest", "Vocabulary", "Worded"]

By = Literal["cosine", "euclid", "dot"]


@dataclass(frozen=True, eq=False)
class Nearest:
    """Of each vector the nearest tokens, nearest first.

    ``tokens``: [rows, count] int64; ``likeness``: [rows, count] float64, the cosine, the distance negated, or the
    product.
    """

    tokens: NDArray[np.int64]
    likeness: NDArray[np.float64]


class Vocabulary(Protocol):
    """The words of a model and their input embeddings."""

    def nearest(self, vectors: NDArray[np.float32], count: int, by: By, *, plain: bool = True) -> Nearest:
        """Return the ``count`` tokens nearest to each row of [rows, width] by input embedding, or all if fewer.

        ``plain`` leaves out control tokens, and those that alone are no printable text or are not read as themselves.
        """
        ...

    def vectors(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Return the tokens' input embeddings, [tokens, width] float32."""
        ...

    def spelt(self, tokens: Sequence[int]) -> str:
        """Return the text that the tokens are written as."""
        ...

    def reads_back(self, tokens: Sequence[int]) -> bool:
        """Return whether the tokens' text is read as these very tokens, and spells no control token."""
        ...


@runtime_checkable
class Worded(Protocol):
    """A model with a vocabulary."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The model's words."""
        ...
