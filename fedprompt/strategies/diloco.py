"""DiLoCo's outer step: Douillard et al. 2023, arXiv 2311.08105, algorithm 1: Nesterov momentum over the updates' mean.

Sites take many AdamW steps of their own between two rounds. What they send is minus the paper's outer gradient.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from fedprompt.strategies.fedavg import moved
from fedprompt.strategies.fedavgm import with_momentum
from fedprompt.strategies.strategy import Aggregate, Options, Rate, Share, State, Strategy, Update

__all__ = ["DiLoCo"]


class Outer(Options):
    """The outer learning rate and Nesterov's momentum, as in the paper's section 3."""

    lr: Rate = 0.7
    momentum: Share = 0.9


class DiLoCo(Strategy):
    """``v <- momentum v + mean``, then a step of ``lr (mean + momentum v)``; ``v`` is the state. Streams."""

    name = "diloco"
    options = Outer
    needs = "sum"

    def aggregate(
        self, start: NDArray[np.float32], updates: Iterable[Update], options: Mapping[str, float], state: State
    ) -> Aggregate:
        """Return ``start + lr (mean + momentum v)``.

        Raises:
            FederationError: no updates, no cases among them, or shapes that differ.
        """
        mean, velocity = with_momentum(start, updates, options["momentum"], state)
        return Aggregate(moved(start, options["lr"] * (mean + options["momentum"] * velocity)), {"velocity": velocity})
