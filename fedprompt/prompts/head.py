"""A head: a regression on a sentence encoder's vectors that sites fitted together, which sorts cases without the model.

``weights`` say how much each of a few directions of the encoder's space speaks for each label; ``directions`` are the
mean vector and those directions, found on public examples alone. It is bound to one encoder by that one's digest, and
to the fields whose text is read. Invariant: every number is finite, and the shapes fit each other.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints

from fedprompt.boundary.closed import Closed
from fedprompt.errors import PromptError
from fedprompt.prompts.ids import canonical_json, content_id

__all__ = ["LARGEST_HEAD", "MOST_DIRECTIONS", "MOST_ENCODED", "Head", "HeadBody", "text_of"]

MOST_DIRECTIONS, MOST_ENCODED = 64, 4096
LARGEST_HEAD = 1e4  # the norm of the weights; of directions each is of length 1
NEARLY = 1e-3

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Numbers = Annotated[str, StringConstraints(max_length=2_000_000)]


class HeadBody(Closed):
    """A head as JSON: ``weights`` and ``directions`` are base64 of little-endian float32, row by row.

    ``many``: the directions.
    """

    fields: Annotated[tuple[Name, ...], Field(min_length=1, max_length=64)]
    labels: Annotated[tuple[Name, ...], Field(min_length=2, max_length=256)]
    encoder: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    many: Annotated[int, Field(ge=1, le=MOST_DIRECTIONS)]
    weights: Numbers
    directions: Numbers

    def head(self) -> "Head":
        """Return the head.

        Raises:
            PromptError: its numbers cannot be those of one.
        """
        weights, directions = _unpacked(self.weights, len(self.labels)), _unpacked(self.directions, 1 + self.many)
        return Head(self.fields, self.labels, self.encoder, weights, directions)


@dataclass(frozen=True, eq=False)
class Head:
    """``weights`` [labels, directions] and ``directions`` [1 + directions, width], the mean first; both float32.

    Raises:
        PromptError: shapes or numbers cannot be those of a head.
    """

    fields: tuple[str, ...]
    labels: tuple[str, ...]
    encoder: str
    weights: NDArray[np.float32]
    directions: NDArray[np.float32]

    def __post_init__(self) -> None:
        many, width = self.weights.shape[1:] if self.weights.ndim == 2 else (0,), self.directions.shape[1:]
        fits = self.weights.ndim == self.directions.ndim == 2 and len(self.weights) == len(self.labels)
        if not fits or not 1 <= many[0] <= MOST_DIRECTIONS or len(self.directions) != 1 + many[0]:
            raise PromptError("a head's weights, directions and labels do not match in size", code="wrong-shape")
        if not 1 <= width[0] <= MOST_ENCODED:
            raise PromptError(f"a head reads vectors of 1 to {MOST_ENCODED:,} numbers", code="wrong-shape")
        if not (np.isfinite(self.weights).all() and np.isfinite(self.directions).all()):
            raise PromptError("a head has a value that is not a finite number", code="not-finite")
        axes = self.directions[1:].astype(np.float64)
        straight = np.abs(axes @ axes.T - np.eye(len(axes))).max() <= NEARLY
        if not straight or np.linalg.norm(self.directions[0].astype(np.float64)) > 1 + NEARLY:
            raise PromptError("a head's directions must have length 1 and be orthogonal", code="out-of-range")
        if np.linalg.norm(self.weights.astype(np.float64)) > LARGEST_HEAD:
            raise PromptError(f"the norm of a head's weights is above {LARGEST_HEAD:g}", code="out-of-range")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Head) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    @cached_property
    def id(self) -> str:
        """``e1:`` and a digest of its content."""
        return content_id("e1", canonical_json(self.body().model_dump(mode="json")))

    def body(self) -> HeadBody:
        """Return it as JSON."""
        return HeadBody(
            fields=self.fields,
            labels=self.labels,
            encoder=self.encoder,
            many=int(self.weights.shape[1]),
            weights=_packed(self.weights),
            directions=_packed(self.directions),
        )


def text_of(fields: Mapping[str, str], names: Sequence[str]) -> str:
    """Return the text that the encoder reads of a case: its fields below each other.

    Raises:
        PromptError: a field is missing.
    """
    if missing := [name for name in names if name not in fields]:
        raise PromptError(f"the case has no field '{missing[0]}'", code="field-missing")
    return "\n".join(fields[name] for name in names)


def _packed(numbers: NDArray[np.float32]) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers, dtype="<f4").tobytes()).decode()


def _unpacked(text: str, rows: int) -> NDArray[np.float32]:
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise PromptError("a head's numbers are not in base64", code="not-well-formed") from error
    if rows < 1 or not raw or len(raw) % (4 * rows):
        raise PromptError("a head's numbers do not match its labels and directions", code="wrong-shape")
    return np.frombuffer(raw, dtype="<f4").reshape(rows, -1).astype(np.float32)
