"""The learning rate by step: linear warm-up, then constant or a half cosine to zero.

The cosine is that of Loshchilov and Hutter 2017 (arXiv 1608.03983, eq. 5) without restarts.
"""

import math
from dataclasses import dataclass
from typing import Literal

from fedprompt.errors import TuningError

__all__ = ["Schedule"]


@dataclass(frozen=True)
class Schedule:
    """How the rate goes.

    ``warmup`` steps rise to the full rate; a ``cosine`` ends at zero after ``total`` steps; ``first`` steps were taken
    before, in earlier rounds.

    Raises:
        TuningError: a cosine without its end, a warm-up longer than the whole, or fewer than no steps before.
    """

    kind: Literal["constant", "cosine"] = "constant"
    warmup: int = 0
    total: int | None = None
    first: int = 0

    def __post_init__(self) -> None:
        if self.first < 0:
            raise TuningError(
                f"{self.first} steps cannot have been taken before; rounds are counted from 1", code="steps-before"
            )
        if self.kind == "cosine" and self.total is None:
            raise TuningError("a cosine schedule needs the number of steps in all", code="steps-unknown")
        if self.warmup < 0 or (self.total is not None and self.warmup > self.total):
            raise TuningError(
                f"a warm-up of {self.warmup} steps does not fit into {self.total} steps", code="warm-up-too-long"
            )

    def factor(self, step: int) -> float:
        """Return what the learning rate is multiplied by at ``step``, counted from 1."""
        at = self.first + step
        if at <= self.warmup:
            return at / self.warmup
        if self.kind == "constant" or self.total is None:
            return 1.0
        done = (at - 1 - self.warmup) / max(1, self.total - self.warmup)
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
