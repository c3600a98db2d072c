"""Weights and bias are the minimum of a convex objective over the simplex, and members' order does not matter."""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from scipy.special import softmax

from fedprompt.adapting.class_bias import fit_bias
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.adapting.mixture import Mixture, checked_weights, fit_mixture, mixture_loss
from tests.adapting.tables_drawn import Drawn, drawn


def fitted(case: Drawn) -> Mixture:
    return fit_mixture(case.tables, case.answers, case.towards, pull=case.pull, precision=case.precision)


def loss(case: Drawn, mixture: Mixture) -> float:
    strength = {"pull": case.pull, "precision": case.precision}
    return mixture_loss(case.tables, case.answers, mixture, case.towards, **strength)


def test_one_case_moves_weight_to_the_member_that_is_right_until_the_pull_balances() -> None:
    tables = np.log([[[0.9, 0.1]], [[0.5, 0.5]]])
    found = fit_mixture(tables, np.array([0]), np.array([0.5, 0.5]), pull=1.0, precision=1e9)
    # Without a bias: log(9) / (1 + 9^w) = log(w / (1 - w)), at w = 0.6117.
    assert found.weights == pytest.approx([0.6117, 0.3883], abs=1e-4)
    weight = found.weights[0]
    assert math.log(9) / (1 + 9**weight) == pytest.approx(math.log(weight / (1 - weight)), abs=1e-5)


def test_the_objective_is_cross_entropy_relative_entropy_and_the_bias_prior() -> None:
    tables = np.log([[[0.9, 0.1]], [[0.5, 0.5]]])
    mixture = Mixture(np.array([1.0, 0.0]), np.array([0.5, -0.5]))
    # log(1 + exp(-1) / 9), 3 log 2, and 2 / 2 x (0.25 + 0.25)
    expected = math.log1p(math.exp(-1) / 9) + 3 * math.log(2) + 0.5
    found = mixture_loss(tables, np.array([0]), mixture, np.array([0.5, 0.5]), pull=3.0, precision=2.0)
    assert found == pytest.approx(expected)
    assert mixture_loss(tables, np.array([0]), mixture, np.array([0.0, 1.0]), pull=3.0, precision=2.0) == math.inf


def test_without_a_case_the_weights_are_what_they_are_pulled_to() -> None:
    found = fit_mixture(np.zeros((2, 0, 3)), np.zeros(0, np.int64), np.array([0.3, 0.7]), pull=0.0, precision=1.0)
    assert found.weights.tolist() == [0.3, 0.7] and found.bias.tolist() == [0.0, 0.0, 0.0]


def test_a_member_whose_part_is_zero_keeps_it_and_one_member_is_a_bias_alone() -> None:
    rng = np.random.default_rng(3)
    tables, answers = normalised(rng.normal(size=(3, 9, 4))), rng.integers(0, 4, 9)
    found = fit_mixture(tables, answers, np.array([0.0, 0.4, 0.6]), pull=1.0, precision=1.0)
    assert found.weights[0] == 0.0
    alone = fit_mixture(tables, answers, np.array([0.0, 1.0, 0.0]), pull=1.0, precision=1.0)
    assert np.array_equal(alone.bias, fit_bias(tables[1], answers, precision=1.0))
    # Members that are all alike are one member, whatever their weights.
    same = fit_mixture(tables[[1, 1, 1]], answers, np.full(3, 1 / 3), pull=1.0, precision=1.0)
    assert np.allclose(same.bias, alone.bias, atol=1e-5) and np.allclose(same.weights, 1 / 3)


def test_impossible_answers_of_a_member_are_floored() -> None:
    tables = np.array([[[-math.inf, 0.0]], [[0.0, 0.0]]])
    found = fit_mixture(tables, np.array([0]), np.array([0.5, 0.5]), pull=12.0, precision=2.0)
    assert np.isfinite(found.bias).all() and found.weights[0] < 0.2


def test_weights_are_on_the_simplex_or_refused() -> None:
    assert checked_weights(np.array([0.25, 0.75])).tolist() == [0.25, 0.75]
    for bad in ([], [0.5, 0.6], [-0.5, 1.5], [math.nan, 1.0]):
        with pytest.raises(ValueError, match="weights"):
            checked_weights(np.array(bad))
    for pull, precision in ((-1.0, 1.0), (math.inf, 1.0), (1.0, 0.0)):
        with pytest.raises(ValueError, match="pull"):
            fit_mixture(np.zeros((1, 1, 2)), np.array([0]), np.array([1.0]), pull=pull, precision=precision)


@given(drawn())
def test_no_member_would_lower_the_objective_by_more_weight(case: Drawn) -> None:
    found = fitted(case)
    assert abs(found.weights.sum() - 1) < 1e-9 and (found.weights >= 0).all() and abs(found.bias.sum()) < 1e-9
    wrong = softmax(np.tensordot(found.weights, case.tables, 1) + found.bias, axis=1)
    wrong[np.arange(len(case.answers)), case.answers] -= 1
    # The slope of a member with hardly any weight is steep and says little, so the objective itself is asked.
    least = loss(case, found)
    for member in np.eye(len(found.weights)):
        for part in (1e-5, 1e-4, 1e-3, 1e-2):
            moved = Mixture((1 - part) * found.weights + part * member, found.bias)
            assert loss(case, moved) >= least - 1e-6
    assert np.abs(wrong.sum(axis=0) + case.precision * found.bias).max() < 1e-3


@given(drawn())
def test_nothing_on_the_simplex_that_was_tried_is_better(case: Drawn) -> None:
    found = fitted(case)
    least = loss(case, found)
    assert least <= loss(case, Mixture(case.towards, np.zeros(case.tables.shape[2]))) + 1e-6
    rng = np.random.default_rng(len(case.answers))
    for _ in range(10):
        other = Mixture(rng.dirichlet(np.ones(len(case.towards))), rng.normal(size=case.tables.shape[2]))
        half = Mixture((found.weights + other.weights) / 2, (found.bias + other.bias) / 2)
        assert least <= loss(case, other) + 1e-6
        # Convex: half way costs at most the mean of both ends.
        assert loss(case, half) <= (least + loss(case, other)) / 2 + 1e-6


@given(drawn())
def test_the_order_of_members_and_labels_and_rows_constants_do_not_matter(case: Drawn) -> None:
    found = fitted(case)
    members, labels = np.arange(len(case.towards))[::-1], np.arange(case.tables.shape[2])[::-1]
    again = fit_mixture(
        case.tables[members][:, :, labels] - 4.0,
        len(labels) - 1 - case.answers,
        case.towards[members],
        pull=case.pull,
        precision=case.precision,
    )
    assert np.allclose(again.weights, found.weights[members], atol=1e-3)
    assert np.allclose(again.bias, found.bias[labels], atol=1e-3)


@given(drawn())
def test_the_same_input_gives_the_same_bits(case: Drawn) -> None:
    first, second = fitted(case), fitted(case)
    assert np.array_equal(first.weights, second.weights) and np.array_equal(first.bias, second.bias)


@pytest.mark.parametrize("pull", [0.0, 12.0])
def test_64_members_and_50_labels_take_seconds_at_most(pull: float) -> None:
    rng = np.random.default_rng(0)
    tables, answers = normalised(rng.normal(0, 3, (64, 200, 50))), rng.integers(0, 50, 200)
    began = time.process_time()
    found = fit_mixture(tables, answers, np.full(64, 1 / 64), pull=pull, precision=2.0)
    assert time.process_time() - began < 5  # a tenth of a second on an idle core
    assert abs(found.weights.sum() - 1) < 1e-9
