"""What a scorer is: a name, and a judgement of one output against one answer.

Invariant: a reason is a fixed sentence about the comparison and never quotes the output or the answer, so
that it may be counted and shown.
"""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Scored", "Scorer"]


@dataclass(frozen=True)
class Scored:
    """A value in [0, 1], or None where the case could not be judged, and why."""

    value: float | None
    reason: str


class Scorer(Protocol):
    """Judges one output."""

    @property
    def name(self) -> str:
        """What a study file calls it."""

    def score(self, output: str, answer: str) -> Scored:
        """Return how well the output meets the answer."""
