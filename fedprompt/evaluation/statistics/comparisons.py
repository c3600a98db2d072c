"""Prompts against one of them on a site's own cases: differences, p-values, and these corrected for their number.

Right and wrong answers: the exact test of McNemar (``pairs``). Other values, and cases in groups: the paired bootstrap
(Efron and Tibshirani 1993, chapter 16; for language models Berg-Kirkpatrick et al. 2012, D12-1091), with whole groups
resampled. Holm's correction (``holm``) goes over all prompts. Invariant: swapping the two prompts of a pair negates
difference and interval and keeps the p-value.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.statistics.bootstrap import MOST_AT_ONCE, group_sums
from fedprompt.evaluation.statistics.holm import holm
from fedprompt.evaluation.statistics.intervals import Estimate, around
from fedprompt.evaluation.statistics.pairs import mcnemar_exact
from fedprompt.evaluation.statistics.site_means import DRAWS

__all__ = ["Compared", "PairedTest", "compare_with", "paired_bootstrap"]


@dataclass(frozen=True)
class PairedTest:
    """``difference``: mean of first minus second and its interval; ``pvalue``: two-sided, that there is none."""

    difference: Estimate
    pvalue: float


@dataclass(frozen=True)
class Compared:
    """One prompt against the reference over the ``n`` cases that both have; ``adjusted`` is Holm's p-value."""

    n: int
    difference: Estimate
    test: Literal["mcnemar", "bootstrap"]
    pvalue: float
    adjusted: float


def paired_bootstrap(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    rng: np.random.Generator,
    groups: Sequence[Hashable | None] | None = None,
    draws: int = DRAWS,
    level: float = 0.95,
) -> PairedTest | None:
    """Return the paired difference, or None where fewer than two groups have both values.

    The p-value is twice the share of draws on the far side of zero, and never below two to the power of 1 - m over m
    groups that differ: no test of signs could be surer.

    Args:
        first: [cases] float64, NaN where a case has no value.
        second: [cases] float64, the same cases.
        rng: random numbers.
        groups: each case's group, or None where it has none.
        draws: bootstrap draws.
        level: coverage.

    Raises:
        ValueError: lengths differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"{first.shape[0]} and {second.shape[0]} values: a pair is over the same cases")
    found = group_sums(first - second, groups)
    if found.sizes.size < 2:
        return None
    from scipy.stats import bootstrap  # takes a second to import, which a page need not wait for

    drawn = bootstrap(
        (found.totals, found.sizes),
        lambda totals, sizes, axis: totals.sum(axis=axis) / sizes.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=draws,
        batch=max(1, MOST_AT_ONCE // found.sizes.size),
        method="percentile",
        rng=rng,
    ).bootstrap_distribution
    tail = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    least = 2.0 ** (1 - int((found.totals != 0).sum()))
    pvalue = min(1.0, max(least, 2 * (tail + 1) / (draws + 1)))
    return PairedTest(around(found.mean, drawn, level), pvalue)


def compare_with(
    reference: NDArray[np.float64],
    others: Mapping[str, NDArray[np.float64]],
    rng: np.random.Generator,
    groups: Sequence[Hashable | None] | None = None,
    draws: int = DRAWS,
    level: float = 0.95,
) -> dict[str, Compared | None]:
    """Compare each prompt with the reference; a prompt that shares fewer than two cases with it is None.

    Args:
        reference: [cases] float64, NaN where a case has no value.
        others: prompt -> [cases] float64, the same cases.
        rng: random numbers; each prompt has its own, so that others beside it change nothing but ``adjusted``.
        groups: each case's group, or None where it has none.
        draws: bootstrap draws.
        level: coverage.

    Raises:
        ValueError: lengths differ.
    """
    seed = int(rng.integers(2**63))
    grouped = groups is not None and any(group is not None for group in groups)
    tests: dict[str, tuple[int, PairedTest, Literal["mcnemar", "bootstrap"]]] = {}
    for name, values in others.items():
        test = paired_bootstrap(values, reference, np.random.default_rng(seed), groups, draws, level)
        if test is None:
            continue
        difference = values - reference
        both = ~np.isnan(difference)
        kind: Literal["mcnemar", "bootstrap"] = "bootstrap"
        if not grouped and np.isin(values[both], (0, 1)).all() and np.isin(reference[both], (0, 1)).all():
            kind = "mcnemar"
            exact = mcnemar_exact(int((difference[both] > 0).sum()), int((difference[both] < 0).sum()))
            test = PairedTest(test.difference, exact)
        tests[name] = (int(both.sum()), test, kind)
    adjusted = dict(zip(tests, holm([test.pvalue for _, test, _ in tests.values()]), strict=True))
    found: dict[str, Compared | None] = dict.fromkeys(others)
    for name, (n, test, kind) in tests.items():
        found[name] = Compared(n, test.difference, kind, test.pvalue, adjusted[name])
    return found
