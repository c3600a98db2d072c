"""Means over sites are unweighted and their bootstrap has the binomial spread."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedprompt.evaluation.statistics.site_means import mean_over_sites

DRAWS = 400

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_mean_is_over_sites_and_not_over_cases() -> None:
    found = mean_over_sites([(10, 10), (100, 200)], rng(), DRAWS)
    assert found is not None
    assert found.value == 0.75


def test_the_bootstrap_has_the_binomial_spread() -> None:
    # Mean of 0.8 of 100 and 0.6 of 150: variance (0.0016 + 0.0016) / 4 = 0.0008, so 1.96 * 0.02828 = 0.0554.
    found = mean_over_sites([(80, 100), (90, 150)], rng(), 40_000)
    assert found is not None
    assert found.low == pytest.approx(0.7 - 0.0554, abs=0.004)
    assert found.high == pytest.approx(0.7 + 0.0554, abs=0.004)


@settings(deadline=None)
@given(st.lists(counts, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_sites_changes_nothing(sites: list[tuple[int, int]], order: object) -> None:
    shuffled = list(sites)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert mean_over_sites(sites, rng(), DRAWS) == mean_over_sites(shuffled, rng(), DRAWS)


def test_no_sites_or_no_cases_is_none() -> None:
    assert mean_over_sites([], rng()) is None
    assert mean_over_sites([(3, 4), (0, 0)], rng()) is None
    with pytest.raises(ValueError, match="5 of 4"):
        mean_over_sites([(5, 4)], rng())
    with pytest.raises(ValueError, match="at least one draw"):
        mean_over_sites([(1, 4)], rng(), 0)
