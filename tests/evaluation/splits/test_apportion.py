"""Whole numbers from shares."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedprompt.evaluation.splits.apportion import apportion, apportion_table


def test_largest_remainders_get_what_is_left() -> None:
    # 10 by 1:1:1 is 3.33 each; the tie goes to the first. 7 by 5:3:2 is 3.5, 2.1, 1.4.
    assert apportion(10, [1, 1, 1]) == (4, 3, 3)
    assert apportion(7, [5, 3, 2]) == (4, 2, 1)


def test_caps_are_kept() -> None:
    assert apportion(6, [5, 1, 1], [2, 9, 9]) == (2, 2, 2)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="all weights are zero"):
        apportion(1, [0, 0])
    with pytest.raises(ValueError, match="no room"):
        apportion(5, [1, 1], [2, 2])
    with pytest.raises(ValueError, match="differ in total"):
        apportion_table(np.ones((1, 2)), [3], [1, 1])


@settings(deadline=None)
@given(st.integers(0, 10_000), st.lists(st.floats(0.01, 100), min_size=1, max_size=6))
def test_a_row_sums_up_and_stays_within_one_of_its_share(total: int, weights: list[float]) -> None:
    got = apportion(total, weights)
    assert sum(got) == total
    assert all(abs(g - total * w / sum(weights)) < 1 + 1e-6 for g, w in zip(got, weights, strict=True))


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), min_size=4, max_size=4), min_size=1, max_size=8), st.data())
def test_a_table_meets_every_row_and_column(counts: list[list[int]], data: st.DataObject) -> None:
    wanted = np.array(counts)
    flat = data.draw(st.lists(st.floats(0, 10), min_size=wanted.size, max_size=wanted.size))
    shares = np.array(flat).reshape(wanted.shape)
    rows, columns = [int(x) for x in wanted.sum(axis=1)], [int(x) for x in wanted.sum(axis=0)]
    table = apportion_table(shares, rows, columns)
    assert table.sum(axis=1).tolist() == rows
    assert table.sum(axis=0).tolist() == columns
    assert (table >= 0).all()
