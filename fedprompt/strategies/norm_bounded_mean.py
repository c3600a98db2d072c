"""Norm-bounded mean: Sun et al. 2019, arXiv 1911.07963, section 4: long updates are cut before they are averaged."""

from collections.abc import Iterable, Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedprompt.strategies.clipping import clip
from fedprompt.strategies.fedavg import moved, weighted_mean
from fedprompt.strategies.strategy import Aggregate, Options, State, Strategy, Update, in_site_order

__all__ = ["NormBoundedMean"]


class Bounded(Options):
    """The longest an update may be (Euclidean norm)."""

    norm: Annotated[float, Field(gt=0, le=1e6)] = 1.0


class NormBoundedMean(Strategy):
    """No site moves the mean by more than ``norm / n``: each counts once. Streams."""

    name = "norm-bounded-mean"
    options = Bounded

    def aggregate(
        self, start: NDArray[np.float32], updates: Iterable[Update], options: Mapping[str, float], state: State
    ) -> Aggregate:
        """Return ``start`` plus the mean of the updates, none longer than ``norm``.

        Raises:
            FederationError: no updates, or shapes that differ.
        """
        short = (
            Update(update.site, clip(update.delta, options["norm"]), 1) for update in in_site_order(start, updates)
        )
        return Aggregate(moved(start, weighted_mean(start, short)))
