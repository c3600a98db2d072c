"""How sure a mean over cases is, by resampling them: the BCa bootstrap (Efron 1987, JASA 82:171-185), by scipy.

Where cases come in groups, whole groups are resampled (Davison and Hinkley 1997, section 3.8). Invariant: the interval
lies within [0, 1] and holds the mean. Values that do not differ have no bootstrap; Wilson's interval stands in, since
no values in [0, 1] vary more than zeros and ones of the same mean.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.statistics.intervals import Estimate, checked_level, wilson
from fedprompt.evaluation.statistics.site_means import DRAWS

__all__ = ["GroupSums", "bootstrap_mean", "group_sums"]

MOST_AT_ONCE = 4_000_000  # resampled values held at a time


@dataclass(frozen=True, eq=False)
class GroupSums:
    """``totals`` and ``sizes``: [groups] float64, the sum and the number of the values of each group."""

    totals: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """The mean over all cases."""
        return float(self.totals.sum() / self.sizes.sum())

    @property
    def alike(self) -> bool:
        """Whether the groups' means do not differ, so that resampling them shows nothing."""
        means = self.totals / self.sizes
        return bool(np.ptp(means) <= 1e-12)


def group_sums(values: NDArray[np.float64], groups: Sequence[Hashable | None] | None = None) -> GroupSums:
    """Return the sums of the values that there are (no NaN), by group.

    Args:
        values: [cases] float64.
        groups: each case's group; None for a case that is a group of its own, or where no case has one.

    Raises:
        ValueError: values and groups differ in length.
    """
    if groups is not None and len(groups) != len(values):
        raise ValueError(f"{len(values)} values came with {len(groups)} groups")
    named: list[Hashable | None] = [None] * len(values) if groups is None else list(groups)
    keys = [(place, None) if group is None else (-1, group) for place, group in enumerate(named)]
    known = ~np.isnan(values)
    places: dict[tuple[int, Hashable | None], int] = {}
    index = np.array([places.setdefault(key, len(places)) for key, kept in zip(keys, known, strict=True) if kept], int)
    return GroupSums(
        totals=np.bincount(index, weights=values[known], minlength=len(places)).astype(np.float64),
        sizes=np.bincount(index, minlength=len(places)).astype(np.float64),
    )


def bootstrap_mean(
    values: NDArray[np.float64],
    rng: np.random.Generator,
    groups: Sequence[Hashable | None] | None = None,
    draws: int = DRAWS,
    level: float = 0.95,
) -> Estimate | None:
    """Return the mean of values in [0, 1] with its interval, or None where there are none.

    Args:
        values: [cases] float64; NaN where a case could not be judged.
        rng: random numbers.
        groups: as for :func:`group_sums`.
        draws: bootstrap draws.
        level: coverage.

    Raises:
        ValueError: a value outside [0, 1], or a level outside (0, 1).
    """
    checked_level(level)
    found = group_sums(values, groups)
    if not found.sizes.size:
        return None
    if np.nanmin(values) < 0 or np.nanmax(values) > 1:
        raise ValueError("a score lies between 0 and 1")
    mean = min(1.0, max(0.0, found.mean))
    if found.alike:
        size = found.sizes.size
        interval = wilson(mean * size, size, level)
        return Estimate(mean, interval.low, interval.high)
    from scipy.stats import bootstrap  # takes a second to import, which a page need not wait for

    result = bootstrap(
        (found.totals, found.sizes),
        lambda totals, sizes, axis: totals.sum(axis=axis) / sizes.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=draws,
        batch=max(1, MOST_AT_ONCE // found.sizes.size),
        confidence_level=level,
        method="BCa",
        rng=rng,
    ).confidence_interval
    return Estimate(mean, max(0.0, min(mean, float(result.low))), min(1.0, max(mean, float(result.high))))
