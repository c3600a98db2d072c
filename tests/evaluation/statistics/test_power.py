"""How many cases it takes, by hand, against statsmodels, and by trying."""

import math

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower

from fedprompt.evaluation.statistics.power import cases_needed, power_cases_mean, power_sentence
from fedprompt.study.score import Comparison

IDS = {"first": "p1:" + "0" * 32, "second": "p1:" + "1" * 32, "split": "validation"}


def comparison(n: int, total: float, squares: float, better: int, worse: int) -> Comparison:
    return Comparison(**IDS, n=n, total=total, squares=squares, better=better, worse=worse, groups=n, group_squares=0)


def test_cases_for_a_mean_by_hand() -> None:
    # (1.959964 + 0.841621)^2 * (0.3 / 0.05)^2 = 7.848879 * 36 = 282.6
    assert power_cases_mean(0.05, 0.3) == power_cases_mean(-0.05, 0.3) == 283
    assert power_cases_mean(0.5, 0.0) == 2


@pytest.mark.parametrize(("difference", "deviation", "power"), [(0.05, 0.3, 0.8), (0.02, 0.25, 0.9), (0.1, 0.5, 0.95)])
def test_cases_for_a_mean_agree_with_statsmodels(difference: float, deviation: float, power: float) -> None:
    oracle = NormalIndPower(ddof=0).solve_power(
        effect_size=difference / deviation, nobs1=None, alpha=0.05, power=power, ratio=0
    )
    assert power_cases_mean(difference, deviation, power=power) == math.ceil(oracle)


def test_what_was_seen_says_how_many_it_takes() -> None:
    # 40 better and 20 worse of 200, 0/1: shares 0.2 and 0.1, 234 as by hand in test_pairs.
    assert cases_needed(comparison(200, 20.0, 60.0, 40, 20)) == 234
    assert cases_needed(comparison(200, -20.0, 60.0, 20, 40)) == 234
    # Graded: mean 0.05, variance (1 - 20 * 0.0025) / 19 = 0.05: 7.848879 * 0.05 / 0.0025 = 156.98.
    assert cases_needed(comparison(20, 1.0, 1.0, 12, 8)) == 157


def test_prompts_that_do_not_differ_need_no_number() -> None:
    assert cases_needed(comparison(50, 0.0, 10.0, 5, 5)) is None
    assert cases_needed(comparison(1, 1.0, 1.0, 1, 0)) is None
    assert power_sentence(comparison(50, 0.0, 0.0, 0, 0)).startswith("over 50 cases ")


def test_the_sentence_rounds_up_to_two_digits() -> None:
    said = power_sentence(comparison(200, 20.0, 60.0, 40, 20))
    assert "about 240 cases" in said and "over 200" in said
    # Shares 0.4 and 0.38: (1.959964 * sqrt(0.78) + 0.841621 * sqrt(0.7796))^2 / 0.0004 = 15,303.
    assert "about 16,000 cases" in power_sentence(comparison(10_000, 200.0, 7800.0, 4000, 3800))


def test_that_many_cases_give_about_the_power_asked_for() -> None:
    n = power_cases_mean(0.08, 0.3)
    drawn = np.random.default_rng(5).normal(0.08, 0.3, (4000, n))
    found = np.abs(drawn.mean(axis=1)) / (drawn.std(axis=1, ddof=1) / math.sqrt(n)) > 1.96
    assert found.mean() == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("wrong", [(0.0, 0.3), (0.1, -1.0), (float("nan"), 0.3), (0.1, float("inf"))])
def test_what_tells_nothing_is_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="give a difference"):
        power_cases_mean(*wrong)
    with pytest.raises(ValueError, match="level and power"):
        power_cases_mean(0.1, 0.3, power=1.0)
