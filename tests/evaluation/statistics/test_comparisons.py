"""Paired tests of prompts on the same cases, corrected for how many there are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ttest_rel
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from fedprompt.evaluation.statistics.comparisons import compare_with, paired_bootstrap

DRAWS = 400


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def answers(right: int, wrong: int) -> NDArray[np.float64]:
    return np.array([1.0] * right + [0.0] * wrong)


def test_the_bootstrap_is_near_the_t_test_where_that_holds() -> None:
    noise = rng(2)
    second = noise.uniform(0.2, 0.6, 200)
    first = second + noise.normal(0.015, 0.1, 200)
    found = paired_bootstrap(first, second, rng(), draws=20_000)
    oracle = ttest_rel(first, second)
    assert found is not None
    assert found.difference.value == pytest.approx((first - second).mean())
    assert found.pvalue == pytest.approx(oracle.pvalue, abs=0.01)
    low, high = oracle.confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx((low, high), abs=0.001)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=30), st.integers(0, 99))
def test_a_swapped_pair_negates_and_keeps_its_p_value(pairs: list[tuple[float, float]], seed: int) -> None:
    first, second = (np.array(column) for column in zip(*pairs, strict=True))
    found = paired_bootstrap(first, second, rng(seed), draws=99)
    swapped = paired_bootstrap(second, first, rng(seed), draws=99)
    assert found is not None and swapped is not None
    assert 0 < found.pvalue <= 1 and swapped.pvalue == found.pvalue
    turned = swapped.difference
    assert (-turned.value, -turned.high, -turned.low) == pytest.approx(
        (found.difference.value, found.difference.low, found.difference.high), abs=1e-12
    )


def test_few_cases_are_never_surer_than_their_signs() -> None:
    # Five differences of one sign: a test of signs gives 2 / 2^5.
    found = paired_bootstrap(np.full(5, 0.9), np.full(5, 0.1), rng(), draws=DRAWS)
    assert found is not None and found.pvalue == 2 / 32
    same = paired_bootstrap(np.full(5, 0.9), np.full(5, 0.9), rng(), draws=DRAWS)
    assert same is not None and same.pvalue == 1.0


def test_groups_count_once_each() -> None:
    first, second = np.full(40, 0.6), np.full(40, 0.5)
    groups = [f"g{k // 20}" for k in range(40)]
    found = paired_bootstrap(first, second, rng(), groups, draws=DRAWS)
    assert found is not None and found.pvalue == 0.5  # two groups: 2 / 2^2
    assert paired_bootstrap(first, second, rng(), ["g"] * 40) is None


def test_right_and_wrong_answers_are_tested_exactly_and_corrected_by_holm() -> None:
    reference = answers(10, 30)
    others = {
        "much": answers(30, 10),
        "little": np.concatenate([np.zeros(2), answers(14, 24)]),
        "same": reference,
    }
    found = compare_with(reference, others, rng(), draws=DRAWS)
    # much: 20 better, 0 worse; little: 6 better (10 to 15), 2 worse (0 and 1).
    raw = [mcnemar([[0, b], [w, 0]], exact=True).pvalue if b + w else 1.0 for b, w in ((20, 0), (6, 2), (0, 0))]
    kept = [each for each in found.values() if each is not None]
    assert len(kept) == 3
    assert [each.test for each in kept] == ["mcnemar"] * 3
    assert [each.pvalue for each in kept] == pytest.approx(raw)
    assert [each.adjusted for each in kept] == pytest.approx(multipletests(raw, method="holm")[1])
    assert [each.difference.value for each in kept] == pytest.approx([0.5, 0.1, 0.0])


def test_graded_values_and_groups_are_tested_by_the_bootstrap() -> None:
    graded = compare_with(np.linspace(0, 0.5, 12), {"a": np.linspace(0.1, 0.6, 12)}, rng(), draws=DRAWS)
    grouped = compare_with(answers(6, 6), {"a": answers(9, 3)}, rng(), list("aabbccddeeff"), draws=DRAWS)
    assert graded["a"] is not None and graded["a"].test == "bootstrap"
    assert grouped["a"] is not None and grouped["a"].test == "bootstrap"


def test_only_cases_that_both_have_count() -> None:
    reference = np.array([1.0, 0.0, np.nan, 1.0])
    found = compare_with(reference, {"a": np.array([1.0, 1.0, 1.0, np.nan]), "b": np.full(4, np.nan)}, rng())
    assert found["a"] is not None and (found["a"].n, found["a"].difference.value) == (2, 0.5)
    assert found["b"] is None


def test_a_prompt_beside_it_changes_nothing_but_the_correction() -> None:
    reference, one, two = rng(1).random((3, 30))
    alone = compare_with(reference, {"one": one}, rng(), draws=DRAWS)["one"]
    beside = compare_with(reference, {"two": two, "one": one}, rng(), draws=DRAWS)["one"]
    assert alone is not None and beside is not None
    assert (alone.difference, alone.pvalue) == (beside.difference, beside.pvalue)
    assert beside.adjusted >= alone.adjusted == alone.pvalue


def test_pairs_are_over_the_same_cases() -> None:
    with pytest.raises(ValueError, match="3 and 2 values"):
        paired_bootstrap(np.zeros(3), np.zeros(2), rng())
    assert compare_with(np.zeros(3), {}, rng()) == {}
