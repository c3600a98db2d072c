"""The room's statistics against hand-made numbers, published ones, and statsmodels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from fedprompt.evaluation import statistics
from fedprompt.evaluation.statistics import (
    CalibrationCounts,
    Estimate,
    PairCounts,
    balanced_accuracy,
    beta_summary,
    calibration_error,
    cluster_variance,
    effective_n,
    holm,
    macro_f1,
    mcnemar_exact,
    mean_over_sites,
    paired_difference,
    power_cases,
    random_effects,
    smoothed_variance,
    wilson,
    worst_site,
)

DRAWS = 400

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
pairs = st.integers(1, 300).flatmap(
    lambda n: st.integers(0, n).flatmap(lambda b: st.integers(0, n - b).map(lambda w: PairCounts(n, b, w)))
)


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


# Wilson


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17:857-872, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_newcombes_published_intervals(k: int, n: int, low: float, high: float) -> None:
    found = wilson(k, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@settings(deadline=None)
@given(counts, st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_wilson_agrees_with_statsmodels_and_holds_its_estimate(count: tuple[int, int], level: float) -> None:
    k, n = count
    found = wilson(k, n, level)
    low, high = proportion_confint(k, n, alpha=1 - level, method="wilson")
    assert found.low == pytest.approx(low, abs=1e-9)
    assert found.high == pytest.approx(high, abs=1e-9)
    assert 0 <= found.low <= k / n <= found.high <= 1


@pytest.mark.parametrize(("k", "n", "level"), [(0, 0, 0.95), (3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)])
def test_wilson_refuses_what_has_no_interval(k: int, n: int, level: float) -> None:
    with pytest.raises(ValueError, match=r"interval|level"):
        wilson(k, n, level)


# Groups


def residual_squares(groups: list[list[int]]) -> tuple[int, float, float, int, float]:
    values = [value for group in groups for value in group]
    mean = sum(values) / len(values)
    squares = sum(sum(value - mean for value in group) ** 2 for group in groups)
    return len(values), sum(values), sum(v * v for v in values), len(groups), squares


def test_copies_of_a_case_count_about_once() -> None:
    # 4 groups of 5 copies, half of them right: residual sums are 2.5 each, so the variance of the mean is
    # 4/3 * 4 * 6.25 / 400 = 1/12, independent cases have s^2 / n
    # with s^2 = 5/19; so n is 5/19 over 1/12.
    n, total, squares, groups, group_squares = residual_squares([[1] * 5, [1] * 5, [0] * 5, [0] * 5])
    assert cluster_variance(n, groups, group_squares) == pytest.approx(1 / 12)
    assert effective_n(n, total, squares, groups, group_squares) == pytest.approx(5 / 19 * 12)


def test_without_groups_every_case_counts() -> None:
    n, total, squares, groups, group_squares = residual_squares([[1], [0], [0], [1], [1]])
    assert effective_n(n, total, squares, groups, group_squares) == 5
    # The textbook variance of a mean: s^2 / n with s^2 = 0.3.
    assert cluster_variance(n, groups, group_squares) == pytest.approx(0.3 / 5)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=6), min_size=1, max_size=12))
def test_an_effective_size_lies_between_one_and_n(groups: list[list[int]]) -> None:
    found = effective_n(*residual_squares(groups))
    assert found is not None
    assert 1 <= found <= sum(map(len, groups))


def test_groups_where_nothing_can_be_told_are_counted_with_care() -> None:
    assert effective_n(0, 0, 0, 0, 0) is None
    assert effective_n(6, 3, 3, 1, 0) == 1
    assert effective_n(6, 6, 6, 3, 0) == 3
    assert cluster_variance(6, 1, 0) is None
    with pytest.raises(ValueError, match="groups"):
        effective_n(3, 1, 1, 4, 0)


# Mean and worst over sites


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
    worst = worst_site(sites, rng(), DRAWS)
    assert worst == worst_site(shuffled, rng(), DRAWS)
    assert worst is not None
    assert worst.value == min(k / n for k, n in sites)
    assert 0 <= worst.low <= worst.value <= worst.high <= 1


def test_no_sites_or_no_cases_is_none() -> None:
    assert mean_over_sites([], rng()) is None
    assert worst_site([(3, 4), (0, 0)], rng()) is None
    with pytest.raises(ValueError, match="5 of 4"):
        mean_over_sites([(5, 4)], rng())
    with pytest.raises(ValueError, match="at least one draw"):
        mean_over_sites([(1, 4)], rng(), 0)


# Ranking


def test_beta_draws_have_jeffreys_interval_on_one_site() -> None:
    # Beta(20.5, 5.5) has its 2.5 % and 97.5 % points at 0.6134 and 0.9172 (scipy.stats.beta.ppf).
    from scipy.stats import beta

    found = beta_summary({"p": {"s": (20, 25)}}, rng(), 100_000)["p"]
    assert found.mean.value == found.worst.value == 0.8
    assert (found.mean.low, found.mean.high) == pytest.approx(beta.ppf([0.025, 0.975], 20.5, 5.5), abs=0.004)
    assert found.best == 1.0


def test_a_clearly_better_prompt_is_surely_best_and_equals_share() -> None:
    clear = beta_summary({"a": {"s": (90, 100)}, "b": {"s": (50, 100)}}, rng(), DRAWS)
    assert clear["a"].best == 1.0
    equal = beta_summary({"a": {"s": (50, 100)}, "b": {"s": (50, 100)}}, rng(), 20_000)
    assert equal["a"].best == pytest.approx(0.5, abs=0.02)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), st.tuples(counts, counts), min_size=1))
def test_ranking_does_not_depend_on_order_and_probabilities_sum_to_one(
    by_prompt: dict[str, tuple[tuple[int, int], tuple[int, int]]],
) -> None:
    forward = {p: {"s": one, "t": two} for p, (one, two) in by_prompt.items()}
    backward = {p: {"t": two, "s": one} for p, (one, two) in reversed(by_prompt.items())}
    found = beta_summary(forward, rng(), DRAWS)
    assert found == beta_summary(backward, rng(), DRAWS)
    assert math.fsum(summary.best for summary in found.values()) == pytest.approx(1)
    for summary in found.values():
        assert summary.mean.low <= summary.mean.value <= summary.mean.high
        assert summary.worst.low <= summary.worst.value <= summary.worst.high
        assert summary.worst.value <= summary.mean.value + 1e-12


def test_a_prompt_that_a_site_did_not_score_is_not_ranked() -> None:
    with pytest.raises(ValueError, match="b has no score at site t"):
        beta_summary({"a": {"s": (1, 2), "t": (1, 2)}, "b": {"s": (1, 2)}}, rng())
    with pytest.raises(ValueError, match="no score at any site"):
        beta_summary({"a": {}}, rng())
    with pytest.raises(ValueError, match="needs cases"):
        beta_summary({"a": {"s": (0, 0)}}, rng())
    assert beta_summary({}, rng()) == {}


# Pairs


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
    assert swapped.negated().value == pytest.approx(found.value, abs=1e-12)
    assert swapped.negated().low == pytest.approx(found.low, abs=1e-12)
    assert swapped.negated().high == pytest.approx(found.high, abs=1e-12)
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


# Holm


def test_holm_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, then never falling.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([float("nan")])


@settings(deadline=None, max_examples=10)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_agrees_with_statsmodels(pvalues: list[float]) -> None:
    assert holm(pvalues) == pytest.approx(multipletests(pvalues, method="holm")[1], abs=1e-12)


# Random effects

# Colditz et al. (1994), JAMA 271:698-702: tuberculosis in 13 trials of BCG vaccine;
# (ill, well) of the vaccinated and of the others.
BCG = [
    ((4, 119), (11, 128)),
    ((6, 300), (29, 274)),
    ((3, 228), (11, 209)),
    ((62, 13536), (248, 12619)),
    ((33, 5036), (47, 5761)),
    ((180, 1361), (372, 1079)),
    ((8, 2537), (10, 619)),
    ((505, 87886), (499, 87892)),
    ((29, 7470), (45, 7232)),
    ((17, 1699), (65, 1600)),
    ((186, 50448), (141, 27197)),
    ((5, 2493), (3, 2338)),
    ((27, 16886), (29, 17825)),
]


def test_random_effects_of_the_bcg_trials() -> None:
    estimates = [math.log(a / (a + b) / (c / (c + d))) for (a, b), (c, d) in BCG]
    variances = [1 / a - 1 / (a + b) + 1 / c - 1 / (c + d) for (a, b), (c, d) in BCG]
    found = random_effects(estimates, variances)
    assert found is not None
    # Log risk ratios as in Viechtbauer (2010), J. Statistical Software 36(3), who gives Q(12) = 152.2330,
    # so that I squared from Q is (152.2330 - 12) / 152.2330 = 0.92117.
    assert found.i2 == pytest.approx(0.92117, abs=1e-5)
    # The Paule-Mandel estimate with Hartung-Knapp, from statsmodels.
    oracle = combine_effects(np.array(estimates), np.array(variances), method_re="iterated", use_t=True)
    assert found.tau2 == pytest.approx(oracle.tau2, rel=1e-4)
    assert found.value == pytest.approx(oracle.mean_effect_re, rel=1e-5)
    assert (found.low, found.high) == pytest.approx(oracle.conf_int()[3], rel=1e-4)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(1e-4, 1)), min_size=2, max_size=10),
    st.randoms(use_true_random=False),
)
def test_paule_mandels_equation_holds_and_order_changes_nothing(
    sites: list[tuple[float, float]], order: object
) -> None:
    found = random_effects([y for y, _ in sites], [v for _, v in sites])
    assert found is not None
    assert found.low <= found.value <= found.high
    assert min(y for y, _ in sites) - 1e-9 <= found.value <= max(y for y, _ in sites) + 1e-9
    q = sum((y - found.value) ** 2 / (v + found.tau2) for y, v in sites)
    if found.tau2 > 0:
        assert q == pytest.approx(len(sites) - 1, rel=1e-6)
    else:
        assert q <= len(sites) - 1 + 1e-9
    shuffled = list(sites)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert random_effects([y for y, _ in shuffled], [v for _, v in shuffled]) == found


def test_random_effects_need_two_sites_and_a_positive_variance() -> None:
    assert random_effects([], []) is None
    assert random_effects([0.5], [0.1]) is None
    with pytest.raises(ValueError, match="above zero"):
        random_effects([0.5, 0.6], [0.1, 0.0])
    with pytest.raises(ValueError, match="differ in length"):
        random_effects([0.5], [])


def test_a_site_with_every_case_right_has_a_finite_weight() -> None:
    # p = 10.5 / 11: 10.5 * 0.5 / 121 / 10.
    assert smoothed_variance(10, 10) == pytest.approx(10.5 * 0.5 / 1210)
    with pytest.raises(ValueError, match="at least one case"):
        smoothed_variance(0, 0)


# Metrics of a choice


def test_macro_f1_and_balanced_accuracy_by_hand() -> None:
    # Recalls 8/10 and 1/5; precisions 8/12 and 1/3; F1 16/22 and 2/8.
    confusion = [[8, 2], [4, 1]]
    assert balanced_accuracy(confusion) == pytest.approx(0.5)
    assert macro_f1(confusion) == pytest.approx((16 / 22 + 2 / 8) / 2)


def test_a_label_that_never_occurs_is_left_out_of_the_mean() -> None:
    assert balanced_accuracy([[3, 1, 0], [0, 4, 0], [0, 0, 0]]) == pytest.approx((0.75 + 1) / 2)
    # The third label is predicted once but never right, so it counts in F1: 6/7, 1 and 0 over 3.
    assert macro_f1([[3, 0, 1], [0, 4, 0], [0, 0, 0]]) == pytest.approx((6 / 7 + 1 + 0) / 3)


def test_metrics_over_no_cases_are_none() -> None:
    assert macro_f1([[0, 0], [0, 0]]) is None
    assert balanced_accuracy([]) is None
    assert calibration_error([]) is None
    assert calibration_error([CalibrationCounts(0, 0.0, 0)]) is None
    with pytest.raises(ValueError, match="square"):
        macro_f1([[1, 2]])


def test_calibration_error_by_hand() -> None:
    # 4 answers at mean confidence 0.55 of which 1 right, 6 at 0.95 of which all right:
    # (|1 - 2.2| + |6 - 5.7|) / 10.
    bins = [CalibrationCounts(4, 2.2, 1), CalibrationCounts(6, 5.7, 6), CalibrationCounts(0, 0.0, 0)]
    assert calibration_error(bins) == pytest.approx(0.15)


def test_the_statistics_are_these() -> None:
    assert sorted(statistics.__all__) == sorted(
        [
            "DRAWS",
            "BetaSummary",
            "Bin",
            "CalibrationCounts",
            "Estimate",
            "Interval",
            "PairCounts",
            "RandomEffects",
            "balanced_accuracy",
            "beta_summary",
            "calibration_error",
            "cluster_variance",
            "effective_n",
            "holm",
            "macro_f1",
            "mcnemar_exact",
            "mean_over_sites",
            "paired_difference",
            "power_cases",
            "random_effects",
            "smoothed_variance",
            "wilson",
            "worst_site",
        ]
    )
