"""A soft prompt: vectors in a model's input-embedding space, bound to that one model by its digest.

Invariant: the array is contiguous, little-endian float32, finite, read-only, and within the size bounds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ModelMismatch, PromptError

__all__ = ["MAX_TOKENS", "MAX_WIDTH", "SoftPrompt"]

MAX_TOKENS = 512
MAX_WIDTH = 32_768


@dataclass(frozen=True, eq=False)
class SoftPrompt:
    """Implements ``Tensors``: ``vectors``: [tokens, width] float32; ``model``: digest of the model they were made for.

    Raises:
        PromptError: wrong number of dimensions, no tokens, too large, or values that are not finite.
    """

    vectors: NDArray[np.float32]
    model: str

    def __post_init__(self) -> None:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused below
            vectors = np.ascontiguousarray(self.vectors, dtype="<f4")
        if vectors.ndim != 2 or not 1 <= vectors.shape[0] <= MAX_TOKENS or not 1 <= vectors.shape[1] <= MAX_WIDTH:
            raise PromptError(
                f"a soft prompt is [tokens, width] with 1 to {MAX_TOKENS} tokens, not {vectors.shape}",
                code="wrong-shape",
            )
        if not np.isfinite(vectors).all():
            raise PromptError("a soft prompt holds a value that is not a finite number", code="not-finite")
        if vectors is self.vectors or np.shares_memory(vectors, self.vectors):
            vectors = vectors.copy()
        vectors.setflags(write=False)
        object.__setattr__(self, "vectors", vectors)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SoftPrompt)
            and self.model == other.model
            and self.vectors.shape == other.vectors.shape
            and self.vectors.tobytes() == other.vectors.tobytes()
        )

    def __hash__(self) -> int:
        return hash((self.model, self.vectors.tobytes()))

    @property
    def tokens(self) -> int:
        """How many positions it takes."""
        return int(self.vectors.shape[0])

    @property
    def width(self) -> int:
        """The model's embedding width."""
        return int(self.vectors.shape[1])

    @property
    def kind(self) -> str:
        """``soft``."""
        return "soft"

    @property
    def values(self) -> NDArray[np.float32]:
        """What a round moves: the vectors, [tokens, width] float32."""
        return self.vectors

    def with_values(self, values: NDArray[np.float32]) -> "SoftPrompt":
        """Return a soft prompt of other vectors of this shape for the same model.

        Raises:
            PromptError: another shape, or a value that is not finite.
        """
        if values.shape != self.vectors.shape:
            raise PromptError(
                f"the soft prompt is {self.tokens} x {self.width} and the values are {values.shape}", code="wrong-shape"
            )
        return SoftPrompt(values, self.model)

    def canonical(self) -> dict[str, Any]:
        """Return the JSON part of its identity."""
        return {"model": self.model, "tokens": self.tokens, "width": self.width}

    def content(self) -> bytes:
        """Return a zero byte and the vectors' little-endian float32 bytes."""
        return b"\0" + self.vectors.tobytes()

    def check_model(self, digest: str, name: str, width: int) -> None:
        """Refuse a model that this soft prompt was not tuned for.

        Raises:
            ModelMismatch: the digests or the widths differ.
        """
        if self.model == digest:
            return
        another = self.width != width
        if another:
            why = f"it has width {self.width} and {name} has width {width}, so it is another model"
        else:
            why = "the width agrees, so it is a quantised copy, another revision or another tokenizer of such a model"
        raise ModelMismatch(
            f"the soft prompt was tuned for the model {self.model[:19]} and not for {name} ({digest[:19]}): {why}; "
            "load the model it was tuned for, or tune it anew on this one",
            code="another-width" if another else "another-revision",
        )
