"""A pool is the weighted geometric mean of its members' probabilities, normalised, with a factor for each label."""

import numpy as np
import pytest
from hypothesis import given

from fedprompt.adapting.combining import combined
from tests.adapting.tables_drawn import Drawn, drawn


def test_a_pool_is_the_normalised_geometric_mean() -> None:
    tables = np.log([[[0.9, 0.1]], [[0.5, 0.5]]])
    # sqrt(0.9 x 0.5) : sqrt(0.1 x 0.5) = 3 : 1; the bias log 2 for the second label makes it 3 : 2.
    assert np.exp(combined(tables, np.array([0.5, 0.5]), np.zeros(2))) == pytest.approx(np.array([[0.75, 0.25]]))
    assert np.exp(combined(tables, np.array([0.5, 0.5]), np.log([1, 2]))) == pytest.approx(np.array([[0.6, 0.4]]))


@given(drawn())
def test_constants_and_the_order_of_members_change_nothing(case: Drawn) -> None:
    bias = np.linspace(-1, 1, case.tables.shape[2])
    found = combined(case.tables, case.towards, bias)
    moved = case.tables + np.arange(len(case.tables))[:, None, None]
    assert np.allclose(combined(moved, case.towards, bias + 3.0), found)
    assert np.allclose(combined(case.tables[::-1], case.towards[::-1], bias), found)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="weights of shape"):
        combined(np.zeros((2, 1, 2)), np.ones(3) / 3, np.zeros(2))
    with pytest.raises(ValueError, match="a bias of shape"):
        combined(np.zeros((2, 1, 2)), np.ones(2) / 2, np.zeros(3))
