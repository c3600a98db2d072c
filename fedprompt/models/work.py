"""What was asked of a model and what it computed: counts that add up, and how near they come to the machine's bound.

The bound is the matrix product that ``matrix_product`` measures. Counted against it are the products of the
layers alone; attention, norms and the head are the model's to pay. A backward pass has one product for each of the
forward pass's, since weights are frozen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fedprompt.models.matrix_product import matrix_product
from fedprompt.models.protocols import ModelInfo

__all__ = ["Work", "unshared"]


@dataclass(frozen=True)
class Work:
    """Tokens asked for, tokens computed, seconds in the model; ``passed`` counts a token once a forward or backward."""

    tokens: int = 0
    distinct: int = 0
    seconds: float = 0.0
    passed: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.tokens + other.tokens,
            self.distinct + other.distinct,
            self.seconds + other.seconds,
            self.passed + other.passed,
        )

    @property
    def share_ratio(self) -> float:
        """Tokens computed over tokens asked for; the lower, the more was computed only once."""
        return self.distinct / self.tokens if self.tokens else 1.0

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens computed a second, None where nothing was."""
        return self.distinct / self.seconds if self.seconds and self.distinct else None

    def part_of_product(self, info: ModelInfo) -> float | None:
        """Return which part of the machine's matrix product was reached; None where nothing was computed or counted."""
        if info.products is None or not (self.passed and self.seconds):
            return None
        reached = 2 * info.products * self.passed / self.seconds / 1e9
        return reached / matrix_product(info.settings.dtype, info.settings.device)


def unshared(sequences: Sequence[Sequence[int]]) -> list[int]:
    """Return of each sequence how many of its tokens no other begins with too, what is shared counted once.

    They add up to the tokens of the sequences' radix tree.
    """
    found = [0] * len(sequences)
    before: tuple[int, ...] = ()
    for place in sorted(range(len(sequences)), key=lambda place: tuple(sequences[place])):
        now = tuple(sequences[place])
        pairs = enumerate(zip(before, now, strict=False))
        same = next((k for k, (one, other) in pairs if one != other), min(len(before), len(now)))
        found[place], before = len(now) - same, now
    return found
