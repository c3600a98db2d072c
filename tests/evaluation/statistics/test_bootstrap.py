"""A mean's interval has the textbook spread, widens with groups, and is honest where values do not differ."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

from fedprompt.evaluation.statistics.bootstrap import bootstrap_mean, group_sums
from fedprompt.evaluation.statistics.intervals import wilson

DRAWS = 400


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_interval_has_the_textbook_spread() -> None:
    # 0, 0.1, ..., 1 forty times: mean 0.5, variance 0.1, over 440 cases 1.96 * sqrt(0.1 / 440) = 0.0295.
    found = bootstrap_mean(np.tile(np.arange(11) / 10, 40), rng(), draws=20_000)
    assert found is not None and found.value == pytest.approx(0.5)
    assert (found.low, found.high) == pytest.approx((0.5 - 0.0295, 0.5 + 0.0295), abs=0.002)


def test_it_is_scipys_where_cases_stand_alone() -> None:
    values = rng(3).beta(2, 5, 60)
    oracle = bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=rng(4)).confidence_interval
    found = bootstrap_mean(values, rng(5), draws=20_000)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=0.003)


def test_copies_of_a_case_in_one_group_tell_nothing_new() -> None:
    values = rng(1).random(30)
    alone = bootstrap_mean(values, rng(), draws=4000)
    copied = bootstrap_mean(np.repeat(values, 5), rng(), [f"g{k // 5}" for k in range(150)], draws=4000)
    blind = bootstrap_mean(np.repeat(values, 5), rng(), draws=4000)
    assert alone is not None and copied is not None and blind is not None
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high), abs=1e-9)
    assert blind.high - blind.low < 0.6 * (copied.high - copied.low)


def test_values_that_do_not_differ_have_wilsons_interval() -> None:
    found = bootstrap_mean(np.ones(20), rng())
    assert found is not None
    assert (found.value, found.low, found.high) == (1.0, wilson(20, 20).low, 1.0)
    one = bootstrap_mean(np.array([0.3]), rng())
    assert one is not None and one.low < 0.1 and one.high > 0.7
    grouped = bootstrap_mean(np.ones(20), rng(), ["g"] * 20)
    assert grouped is not None and grouped.low == wilson(1, 1).low


def test_what_has_no_value_is_left_out_and_nothing_is_none() -> None:
    values = np.array([1.0, np.nan, 0.0, np.nan])
    assert bootstrap_mean(values, rng(), draws=DRAWS) == bootstrap_mean(values[[0, 2]], rng(), draws=DRAWS)
    assert bootstrap_mean(np.array([np.nan]), rng()) is None
    assert bootstrap_mean(np.array([]), rng()) is None


def test_what_is_no_score_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        bootstrap_mean(np.array([0.5, 1.5]), rng())
    with pytest.raises(ValueError, match="2 values came with 1 groups"):
        group_sums(np.array([0.5, 0.5]), ["a"])
    with pytest.raises(ValueError, match="level"):
        bootstrap_mean(np.array([0.5, 0.6]), rng(), level=1.0)


def test_a_group_may_have_any_name_and_none_stands_alone() -> None:
    found = group_sums(np.array([1.0, 0.5, 0.25, 0.25]), ["a", None, None, "a"])
    assert (found.totals.tolist(), found.sizes.tolist()) == ([1.25, 0.5, 0.25], [2, 1, 1])
    assert found.mean == 0.5


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.floats(0, 1) | st.sampled_from([0.0, 1.0]), st.sampled_from(["a", "b", "c", None])),
        min_size=1,
        max_size=25,
    )
)
def test_an_interval_holds_the_mean_and_stays_within_0_and_1(cases: list[tuple[float, str | None]]) -> None:
    values, groups = np.array([value for value, _ in cases]), [group for _, group in cases]
    found = bootstrap_mean(values, rng(), groups, draws=99)
    assert found is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.value == pytest.approx(values.mean())
