"""What a round moves: named float32 arrays bound to one model, with one array of numbers that all else works on.

A soft prompt is one of them, an adapter another. Strategies, clipping, rounding, keeping, replay and the wire see
``values`` alone and never ask what they stand for; ``with_values`` makes the same thing of other numbers.
"""

from collections.abc import Mapping
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tensors"]


@runtime_checkable
class Tensors(Protocol):
    """Numbers that tuning changes. Invariant: ``t.with_values(t.values)`` equals ``t``, to the bit."""

    @property
    def kind(self) -> str:
        """What it is called in the bank: ``soft``, ``adapter``."""
        ...

    @property
    def model(self) -> str:
        """The digest of the base model that it was made for."""
        ...

    @property
    def values(self) -> NDArray[np.float32]:
        """What a round moves: [tokens, width] float32 of a soft prompt, [size] float32 of anything else."""
        ...

    def with_values(self, values: NDArray[np.float32]) -> Self:
        """Return the same with other numbers, of the shape of :attr:`values`.

        Raises:
            PromptError: another shape, or a value that is not finite.
        """
        ...

    def canonical(self) -> Mapping[str, Any]:
        """Return the JSON part of its identity."""
        ...

    def content(self) -> bytes:
        """Return the bytes that stand beside the JSON in its identity."""
        ...

    def check_model(self, digest: str, name: str, width: int) -> None:
        """Refuse a model that it was not tuned for.

        Raises:
            ModelMismatch: the digests differ.
        """
        ...
