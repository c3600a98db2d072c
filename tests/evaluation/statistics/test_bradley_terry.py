"""Strengths worked out by hand from the model's own odds."""

import math

import numpy as np
import pytest

from fedprompt.evaluation.statistics.bradley_terry import bradley_terry


def test_three_wins_to_one_are_odds_of_three() -> None:
    found = bradley_terry(np.array([[0.0, 3.0], [1.0, 0.0]]), prior=0.0)
    assert found[0] - found[1] == pytest.approx(math.log(3), abs=1e-5)
    assert found.sum() == pytest.approx(0.0, abs=1e-12)


def test_wins_in_the_odds_of_four_to_two_to_one_give_these_strengths() -> None:
    wins = np.array([[0.0, 4.0, 4.0], [2.0, 0.0, 2.0], [1.0, 1.0, 0.0]])  # 4:2, 4:1 and 2:1
    found = bradley_terry(wins, prior=0.0)
    assert found == pytest.approx([math.log(2), 0.0, -math.log(2)], abs=1e-5)  # ln 4, ln 2 and ln 1, less their mean


def test_who_always_wins_stays_finite_by_the_virtual_wins() -> None:
    found = bradley_terry(np.array([[0.0, 4.0], [0.0, 0.0]]), prior=0.5)
    assert found[0] - found[1] == pytest.approx(math.log(4.5 / 0.5), abs=1e-5)


def test_without_a_rating_all_are_alike_and_the_order_changes_nothing() -> None:
    assert bradley_terry(np.zeros((3, 3))) == pytest.approx([0, 0, 0])
    wins = np.array([[0.0, 5.0, 1.0], [2.0, 0.0, 3.0], [0.5, 1.0, 0.0]])
    turn = [2, 0, 1]
    assert bradley_terry(wins[np.ix_(turn, turn)]) == pytest.approx(bradley_terry(wins)[turn], abs=1e-5)


def test_a_table_that_is_not_square_is_refused() -> None:
    with pytest.raises(ValueError, match="square"):
        bradley_terry(np.zeros((2, 3)))
