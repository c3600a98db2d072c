"""Each row's probabilities sum to one, whatever constant it held, and no label is impossible."""

import math

import numpy as np
import pytest
from hypothesis import given

from fedprompt.adapting.log_probabilities import FLOOR, normalised
from tests.adapting.tables_drawn import Drawn, drawn


def test_likelihoods_become_shares_of_their_sum() -> None:
    found = normalised(np.log([[1.0, 3.0]]) - 700.0)
    assert np.allclose(np.exp(found), [[0.25, 0.75]])


def test_an_impossible_label_is_floored_and_a_row_of_them_is_even() -> None:
    found = normalised(np.array([[0.0, -math.inf], [-math.inf, -math.inf], [0.0, -1e6]]))
    assert found[0].tolist() == pytest.approx([0.0, FLOOR], abs=1e-9)
    assert found[1].tolist() == pytest.approx([math.log(0.5)] * 2)
    assert found[2].tolist() == pytest.approx([0.0, FLOOR], abs=1e-9)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="NaN or plus infinity"):
        normalised(np.array([[0.0, value]]))
    with pytest.raises(ValueError, match="at least one label"):
        normalised(np.zeros((3, 0)))


@given(drawn())
def test_rows_sum_to_one_and_normalising_again_or_adding_a_constant_changes_nothing(case: Drawn) -> None:
    found = normalised(case.tables)
    assert np.allclose(np.exp(found).sum(axis=-1), 1.0)
    assert np.allclose(normalised(found), found)
    moved = case.tables + np.arange(case.tables.shape[1])[:, None]
    assert np.allclose(normalised(moved), found)
    assert (found.argmax(axis=-1) == case.tables.argmax(axis=-1)).all()
