"""Grouped cases count for less than as many independent ones, and never for more."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedprompt.evaluation.statistics.clusters import cluster_variance, effective_n


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


def test_a_sum_that_was_rounded_counts_as_fewer_cases() -> None:
    # 18 of 30 to the nearest 6: the variance 7.2 has 3 more, of rounding; half a case each way makes 7.21 of 7.2.
    rate = 18.5 / 31
    own = 30 * rate * (1 - rate)
    assert effective_n(30, 18, 18, 30, 7.2 + 3) == pytest.approx(30 * own / (own + 3))
    everything = effective_n(30, 30, 30, 30, 3)  # to the nearest 6, 27 of 30 are 30
    assert everything is not None and 1 < everything < 10
