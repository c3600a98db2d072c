"""What a strategy is: a way to make one soft prompt out of the sites' updates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Strategy", "Update"]


@dataclass(frozen=True, eq=False)
class Update:
    """One site's answer: ``delta`` [tokens, width] float32 from the round's start, over ``cases`` cases."""

    site: str
    delta: NDArray[np.float32]
    cases: int


class Strategy(Protocol):
    """One algorithm; a new one is one file and one line in ``registry``."""

    name: str

    def aggregate(
        self, start: NDArray[np.float32], updates: Sequence[Update], options: Mapping[str, float]
    ) -> NDArray[np.float32]:
        """Return the next global vectors ([tokens, width] float32)."""
        ...
