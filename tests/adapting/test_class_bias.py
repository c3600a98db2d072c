"""A number for each label: the minimum of a convex objective, zero without cases, finite for labels never seen."""

import math

import numpy as np
import pytest
from hypothesis import given
from scipy.special import softmax

from fedprompt.adapting.class_bias import fit_bias
from tests.adapting.tables_drawn import Drawn, drawn


def test_one_case_moves_the_bias_to_where_loss_and_prior_balance() -> None:
    found = fit_bias(np.log([[0.5, 0.5]]), np.array([0]), precision=1.0)
    # With (b, -b) the objective is log(1 + exp(-2 b)) + b^2, whose slope is zero where b = 1 / (1 + exp(2 b)).
    assert found == pytest.approx([0.3374, -0.3374], abs=1e-4)
    assert found[0] == pytest.approx(1 / (1 + math.exp(2 * found[0])), abs=1e-9)


def test_cases_that_contradict_each_other_evenly_say_nothing() -> None:
    found = fit_bias(np.log([[0.5, 0.5], [0.5, 0.5]]), np.array([0, 1]), precision=0.1)
    assert found == pytest.approx([0.0, 0.0], abs=1e-9)


def test_no_case_gives_no_bias_and_a_class_that_never_occurs_a_finite_one() -> None:
    assert fit_bias(np.zeros((0, 3)), np.zeros(0, np.int64), precision=2.0).tolist() == [0.0, 0.0, 0.0]
    found = fit_bias(np.zeros((16, 3)), np.zeros(16, np.int64), precision=2.0)
    assert found[1] == pytest.approx(found[2]) and 0 > found[1] > -3 and found[0] > 0


def test_many_cases_of_a_prompt_that_is_right_about_all_but_how_common_labels_are_give_the_log_ratio() -> None:
    # An uninformative table and shares of 3 to 1: the odds exp(2 b) near 3 as cases outweigh the prior.
    found = fit_bias(np.zeros((400, 2)), np.repeat([0, 1], [300, 100]), precision=0.01)
    assert found[0] - found[1] == pytest.approx(math.log(3), abs=1e-3)


def test_impossible_answers_and_bad_input_are_met() -> None:
    table = np.array([[0.0, -math.inf], [-math.inf, 0.0]])
    assert np.isfinite(fit_bias(table, np.array([1, 1]), precision=2.0)).all()
    for answers, precision in ((np.array([0, 2]), 1.0), (np.array([0]), 1.0), (np.array([0, 1]), 0.0)):
        with pytest.raises(ValueError, match=r"answer|precision"):
            fit_bias(table, answers, precision=precision)


@given(drawn(members=1))
def test_expected_counts_meet_the_counts_up_to_the_prior(case: Drawn) -> None:
    table = case.tables[0]
    found = fit_bias(table, case.answers, precision=case.precision)
    # The slope of a strictly convex objective is zero at its one minimum.
    slope = softmax(table + found, axis=1).sum(axis=0) - np.bincount(case.answers, minlength=len(found))
    assert np.abs(slope + case.precision * found).max() < 1e-5
    assert abs(found.sum()) < 1e-9
    order = np.random.default_rng(0).permutation(len(found))
    place = np.argsort(order)
    again = fit_bias(table[:, order] + 5.0, place[case.answers], precision=case.precision)
    assert np.allclose(again, found[order], atol=1e-6)
