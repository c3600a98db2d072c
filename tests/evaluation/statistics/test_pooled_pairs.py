"""Two prompts over sites from their sums: exact where answers are right or wrong, robust where they are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.stats.meta_analysis import combine_effects

from fedprompt.evaluation.statistics.pooled_pairs import PooledPair, pool_pairs, turned
from fedprompt.study.score import Comparison

A, B = "p1:" + "a" * 32, "p1:" + "b" * 32


def counted(n: int, better: int, worse: int) -> Comparison:
    mean = (better - worse) / n
    return Comparison(
        first=A,
        second=B,
        split="validation",
        n=n,
        total=better - worse,
        squares=better + worse,
        better=better,
        worse=worse,
        groups=n,
        group_squares=better + worse - n * mean * mean,
    )


def measured(values: list[float]) -> Comparison:
    found = np.array(values)
    residuals = found - found.mean()
    return Comparison(
        first=A,
        second=B,
        split="validation",
        n=len(values),
        total=float(found.sum()),
        squares=float((found**2).sum()),
        better=int((found > 0).sum()),
        worse=int((found < 0).sum()),
        groups=len(values),
        group_squares=float((residuals**2).sum()),
    )


def pooled(**sites: Comparison) -> PooledPair:
    found = pool_pairs(sites)
    assert found is not None
    return found


def test_right_and_wrong_answers_are_tested_exactly_by_site_and_over_all() -> None:
    found = pooled(x=counted(40, 9, 1), y=counted(60, 6, 6))
    assert found.whole.test == "mcnemar" and found.whole.n == 100
    # (8/40 + 0/60) / 2, sites weighing alike; 15 of 22 discordant cases speak for the first.
    assert found.whole.difference.value == pytest.approx(0.1)
    assert found.whole.pvalue == pytest.approx(binomtest(15, 22, 0.5).pvalue)
    assert found.by_site["x"].pvalue == pytest.approx(22 / 1024) and found.by_site["y"].pvalue == 1.0
    # Connor's formula at shares 15/100 and 7/100.
    assert found.needed == 268 and "about 270 cases" in found.power


def test_other_values_have_the_paired_t_statistics_variance() -> None:
    values = [0.5, 0.25, -0.25, 0.0, 0.75, 0.25]
    found = pooled(x=measured(values))
    assert found.whole.test == "normal" and found.i2 is None
    assert found.whole.difference.value == pytest.approx(0.25)
    deviation = np.std(values, ddof=1) / np.sqrt(6)
    assert found.whole.difference.high - 0.25 == pytest.approx(1.959964 * deviation, rel=1e-6)
    # What would be three better and one worse is no McNemar test: a case counts by how much it differs.
    assert found.whole.pvalue == pytest.approx(2 * (1 - 0.9518), abs=2e-2)


def test_no_test_is_surer_than_one_of_signs() -> None:
    assert pooled(x=measured([0.5, 0.5, 0.5])).whole.pvalue == 2.0**-2
    assert pooled(x=measured([0.0, 0.0, 0.0])).whole.pvalue == 1.0


def test_sites_that_disagree_have_a_high_i_squared_as_statsmodels_says() -> None:
    apart, alike = (
        pooled(x=counted(100, 30, 2), y=counted(100, 2, 30)),
        pooled(x=counted(50, 9, 3), y=counted(50, 9, 3)),
    )
    effects = [0.28, -0.28]
    variance = [counted(100, 30, 2).group_squares / 100 / 99 + 1 / 101**2] * 2
    oracle = combine_effects(np.array(effects), np.array(variance), method_re="iterated")
    assert apart.i2 == pytest.approx(oracle.i2, abs=1e-6) and apart.i2 is not None and apart.i2 > 0.95
    assert alike.i2 == 0.0


def test_a_site_with_one_group_says_nothing() -> None:
    one = counted(5, 3, 0).model_copy(update={"groups": 1})
    assert pool_pairs({"x": one}) is None and pool_pairs({}) is None
    assert tuple(pooled(x=one, y=counted(40, 9, 1)).by_site) == ("y",)


def test_groups_of_cases_are_no_independent_answers() -> None:
    alone = pooled(x=counted(40, 20, 4)).whole
    grouped = pooled(x=counted(40, 20, 4).model_copy(update={"groups": 4, "group_squares": 40.0})).whole
    assert (alone.test, grouped.test) == ("mcnemar", "normal")
    assert alone.pvalue < 0.01 < grouped.pvalue


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(2, 60), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=4))
def test_the_other_way_round_is_the_same_test(raw: list[tuple[int, int, int]]) -> None:
    sites = {f"s{k}": counted(n + b + w, b, w) for k, (n, b, w) in enumerate(raw)}
    found, back = pooled(**sites), pooled(**{site: turned(pair) for site, pair in reversed(sites.items())})
    assert back.whole.difference.value == pytest.approx(-found.whole.difference.value)
    assert back.whole.difference.low == pytest.approx(-found.whole.difference.high)
    assert (back.whole.pvalue, back.needed) == (pytest.approx(found.whole.pvalue), found.needed)
