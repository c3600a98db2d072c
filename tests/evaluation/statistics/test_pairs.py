"""Paired differences over sites, McNemar's exact test, and the cases it needs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar

from fedprompt.evaluation.statistics.intervals import Estimate
from fedprompt.evaluation.statistics.pairs import PairCounts, mcnemar_exact, paired_difference, power_cases

DRAWS = 400

pairs = st.integers(1, 300).flatmap(
    lambda n: st.integers(0, n).flatmap(lambda b: st.integers(0, n - b).map(lambda w: PairCounts(n, b, w)))
)


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_paired_difference_has_the_multinomial_spread() -> None:
    # 30 better and 10 worse of 200: 0.1, variance (0.2 - 0.01) / 200, so 1.96 * 0.03082 = 0.0604.
    found = paired_difference([PairCounts(200, 30, 10)], rng(), 40_000)
    assert found is not None
    assert found.value == pytest.approx(0.1)
    assert found.low == pytest.approx(0.1 - 0.0604, abs=0.006)
    assert found.high == pytest.approx(0.1 + 0.0604, abs=0.006)
    assert found.excludes_zero


def test_sites_count_alike_in_a_paired_difference() -> None:
    found = paired_difference([PairCounts(10, 2, 0), PairCounts(1000, 0, 100)], rng(), DRAWS)
    assert found is not None
    assert found.value == pytest.approx((0.2 - 0.1) / 2)


@settings(deadline=None)
@given(st.lists(pairs, min_size=1, max_size=5), st.integers(0, 99), st.randoms(use_true_random=False))
def test_a_swapped_pair_negates_and_order_changes_nothing(sites: list[PairCounts], seed: int, order: object) -> None:
    found = paired_difference(sites, rng(seed), DRAWS)
    swapped = paired_difference([pair.swapped() for pair in sites], rng(seed), DRAWS)
    assert found is not None
    assert swapped is not None
    assert -swapped.value == pytest.approx(found.value, abs=1e-12)
    assert -swapped.high == pytest.approx(found.low, abs=1e-12)
    assert -swapped.low == pytest.approx(found.high, abs=1e-12)
    assert found.low <= found.value <= found.high
    shuffled = list(sites)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert paired_difference(shuffled, rng(seed), DRAWS) == found


def test_no_pairs_is_none_and_counts_that_do_not_fit_are_refused() -> None:
    assert paired_difference([], rng()) is None
    assert paired_difference([PairCounts(0, 0, 0)], rng()) is None
    with pytest.raises(ValueError, match="do not fit"):
        PairCounts(3, 2, 2)


def test_two_equal_prompts_do_not_differ() -> None:
    assert paired_difference([PairCounts(50, 0, 0)], rng(), DRAWS) == Estimate(0.0, 0.0, 0.0)


def test_mcnemars_p_value_by_hand() -> None:
    # 9 against 1: 2 * (1 + 10) / 2^10.
    assert mcnemar_exact(9, 1) == pytest.approx(22 / 1024)
    assert mcnemar_exact(0, 0) == 1.0


@settings(deadline=None)
@given(st.integers(0, 80), st.integers(0, 80))
def test_mcnemar_agrees_with_statsmodels(better: int, worse: int) -> None:
    oracle = mcnemar([[5, better], [worse, 5]], exact=True).pvalue if better + worse else 1.0
    assert mcnemar_exact(better, worse) == pytest.approx(oracle, abs=1e-9)
    assert mcnemar_exact(better, worse) == mcnemar_exact(worse, better)


def test_cases_needed_by_hand() -> None:
    # Shares 0.2 and 0.1: (1.959964 * sqrt(0.3) + 0.841621 * sqrt(0.29))^2 / 0.01
    # = (1.073516 + 0.453226)^2 / 0.01 = 233.1, so 234.
    assert power_cases(0.2, 0.1) == 234
    assert power_cases(0.1, 0.2) == 234


def test_the_cases_needed_give_about_the_power_asked_for() -> None:
    n = power_cases(0.15, 0.05)
    drawn = rng().multinomial(n, [0.15, 0.05, 0.8], size=4000)
    better, worse = drawn[:, 0].astype(float), drawn[:, 1].astype(float)
    # McNemar's statistic without continuity correction, for which the formula is made;
    # 3.8415 is chi-square's 95 % point.
    found = (better - worse) ** 2 / (better + worse) > 3.8415
    assert found.mean() == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("shares", [(0.1, 0.1), (0.8, 0.3), (-0.1, 0.2)])
def test_cases_needed_refuses_shares_that_tell_nothing(shares: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="two different shares"):
        power_cases(*shares)
