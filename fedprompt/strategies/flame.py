"""FLAME: Nguyen et al. 2022, arXiv 2101.02281, algorithm 1: updates that point elsewhere than most are left out.

HDBSCAN groups the updates by the cosine of their angles; a group holds more than half of them, so that a minority forms
none. The admitted updates are cut to the median length of all, and averaged. The paper then adds noise against what
is left of a backdoor; here none is added, since a round that is replayed gives the same numbers.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fedprompt.strategies.clipping import clip
from fedprompt.strategies.columns import collected
from fedprompt.strategies.fedavg import moved
from fedprompt.strategies.strategy import Aggregate, Options, State, Strategy, Update

__all__ = ["Flame", "admitted"]


class Grouped(Options):
    """Nothing to say: how many may lie follows from the number of sites."""

    def least(self) -> int:
        """Three updates are the fewest among which two form a majority."""
        return 3


class Flame(Strategy):
    """Leaves out a minority that points elsewhere, and bounds the length of the others. Each site counts once."""

    name = "flame"
    robust = True
    options = Grouped

    def aggregate(
        self, start: NDArray[np.float32], updates: Iterable[Update], options: Mapping[str, float], state: State
    ) -> Aggregate:
        """Return ``start`` plus the mean of the admitted updates, none longer than the median of all.

        Raises:
            FederationError: fewer than three updates, or shapes that differ.
        """
        found = collected(start, updates, 3, self.name)
        deltas = [update.delta for update in found]
        with np.errstate(over="ignore"):
            norms = np.array([np.linalg.norm(delta.astype(np.float64)) for delta in deltas])
        middle, total = float(np.median(norms)), np.zeros(start.shape, dtype=np.float64)
        kept = admitted(deltas)
        for place in kept:
            total += clip(deltas[place], middle) if middle > 0 else deltas[place]
        return Aggregate(moved(start, total / len(kept)))


def admitted(deltas: Sequence[NDArray[np.float32]]) -> list[int]:
    """Return the places of the updates in the largest group by direction; all where no group is a majority."""
    from sklearn.cluster import HDBSCAN

    count = len(deltas)
    rows = np.stack([delta.reshape(-1).astype(np.float64) for delta in deltas])
    sizes = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, sizes, out=np.zeros_like(rows), where=sizes > 0)
    apart = np.maximum(0.0, 1.0 - unit @ unit.T)
    np.fill_diagonal(apart, 0.0)
    apart = (apart + apart.T) / 2
    groups = HDBSCAN(
        min_cluster_size=count // 2 + 1, min_samples=1, metric="precomputed", allow_single_cluster=True, copy=True
    ).fit_predict(apart)
    inside = [place for place, group in enumerate(groups) if group >= 0]
    return inside or list(range(count))
