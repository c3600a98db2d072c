"""The shares of labels at home come from unlabelled texts, by Bayes and expectation-maximisation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fedprompt.adapting.calibration import Calibration
from fedprompt.adapting.label_shift import fit_calibration, shift_bias, target_shares, unlabelled_bias
from fedprompt.adapting.log_probabilities import normalised
from tests.adapting.tables_drawn import Drawn, drawn

EVEN = np.array([0.5, 0.5])


def test_texts_that_a_prompt_is_sure_of_are_counted() -> None:
    # Three of four are of the first label for certain; without a pull the shares are 3/4 and 1/4.
    sure = np.log(np.array([[1 - 1e-12, 1e-12]] * 3 + [[1e-12, 1 - 1e-12]]))
    assert target_shares(sure, EVEN, pull=0.0) == pytest.approx([0.75, 0.25], abs=1e-6)
    # With four texts' worth of even shares: (3 + 2) / 8.
    assert target_shares(sure, EVEN, pull=4.0) == pytest.approx([0.625, 0.375], abs=1e-6)


def test_answers_that_say_what_is_common_anyway_move_nothing_and_no_text_neither() -> None:
    # Every text has the source's own shares: there is nothing to tell labels apart by.
    source = np.array([0.8, 0.2])
    assert target_shares(np.log([source] * 50), source, pull=0.0) == pytest.approx(source)
    assert target_shares(np.zeros((0, 2)), source, pull=0.0) == pytest.approx(source)


def test_one_uncertain_text_moves_shares_to_where_bayes_says() -> None:
    # p = (3/4, 1/4) at even shares, one text, pull 1: q = (r + 1/2) / 2 with r = 3 q / (3 q + 1 - q).
    share = target_shares(np.log([[0.75, 0.25]]), EVEN, pull=1.0)[0]
    chance = 3 * share / (3 * share + 1 - share)
    assert share == pytest.approx((chance + 0.5) / 2, abs=1e-7) and share > 0.5


def test_shares_are_found_again_from_texts_drawn_by_them() -> None:
    # Labels drawn 9 : 1, and a prompt that is calibrated at even shares and mostly sure.
    rng = np.random.default_rng(1)
    labels = (rng.random(4000) < 0.1).astype(int)
    evidence = rng.normal(0, 1, 4000) + np.where(labels == 0, 1.0, -1.0)
    table = normalised(np.stack([evidence, -evidence], axis=1))  # log odds of two normals a distance of 2 apart: 2 x
    assert target_shares(table, EVEN, pull=0.0) == pytest.approx([0.9, 0.1], abs=0.02)


def test_a_shift_is_the_log_ratio_of_shares() -> None:
    found = shift_bias(EVEN, np.array([0.8, 0.2]))
    assert found[0] - found[1] == pytest.approx(math.log(4)) and found.sum() == pytest.approx(0)
    assert shift_bias(np.array([1.0, 0.0]), np.array([1.0, 0.0])).tolist() == pytest.approx([0.0, 0.0])
    with pytest.raises(ValueError, match="do not fit"):
        shift_bias(EVEN, np.full(3, 1 / 3))


def test_an_over_sure_prompt_is_cooled_and_a_lopsided_one_set_right() -> None:
    # Log odds of +-4 where it is right three times in four: honest odds are log 3 = 1.1.
    table = normalised(np.tile([[4.0, 0.0]], (400, 1)))
    table[::2] = table[::2, ::-1]
    answers = np.arange(400) % 2 == 0
    wrong = np.arange(400) % 8 < 2
    found = fit_calibration(table, (answers ^ wrong).astype(np.int64))
    assert found.temperature == pytest.approx(4 / math.log(3), rel=0.02)
    assert found.bias == pytest.approx([0.0, 0.0], abs=1e-3)
    lopsided = fit_calibration(np.zeros((400, 2)), np.repeat([0, 1], [300, 100]))
    assert lopsided.bias[0] - lopsided.bias[1] == pytest.approx(math.log(3), rel=0.02)


def test_without_a_case_nothing_is_calibrated() -> None:
    found = fit_calibration(np.zeros((0, 3)), np.zeros(0, np.int64))
    assert (found.temperature, found.bias) == (1.0, (0.0, 0.0, 0.0))


def test_the_bias_for_the_table_as_it_is_answers_as_the_calibrated_one_does() -> None:
    rng = np.random.default_rng(2)
    table, source = normalised(rng.normal(0, 2, (60, 3))), np.array([0.2, 0.3, 0.5])
    calibration = Calibration(temperature=2.5, bias=(0.4, 0.0, -0.4))
    shares = target_shares(calibration.of(table), source, pull=5.0)
    honest = calibration.of(table) + shift_bias(source, shares)
    plain = table + unlabelled_bias(table, calibration, source, pull=5.0)
    assert (honest.argmax(axis=1) == plain.argmax(axis=1)).all()
    # With no text at all, the donors' calibration is what is known.
    none = unlabelled_bias(np.zeros((0, 3)), calibration, source, pull=5.0)
    assert none == pytest.approx([1.0, 0.0, -1.0])


@pytest.mark.parametrize("bad", [{"temperature": 0, "bias": [0]}, {"temperature": 1, "bias": []}])
def test_a_calibration_out_of_its_range_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Calibration.model_validate(bad)
    with pytest.raises(ValidationError):
        Calibration(temperature=1.0, bias=(math.nan,))
    with pytest.raises(ValueError, match="does not fit"):
        Calibration(temperature=1.0, bias=(0.0,)).of(np.zeros((1, 2)))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        target_shares(np.zeros((2, 3)), EVEN, pull=0.0)
    with pytest.raises(ValueError, match="pull"):
        target_shares(np.zeros((2, 2)), EVEN, pull=-1.0)
    with pytest.raises(ValueError, match="answer"):
        fit_calibration(np.zeros((2, 2)), np.array([0, 2]))


@given(drawn(members=1), st.sampled_from([0.0, 1.0, 100.0]))
def test_shares_are_on_the_simplex_likelier_than_the_source_s_and_do_not_depend_on_order(
    case: Drawn, pull: float
) -> None:
    table = case.tables[0]
    labels = table.shape[1]
    source = np.full(labels, 1 / labels)
    found = target_shares(table, source, pull=pull)
    assert abs(found.sum() - 1) < 1e-9 and (found >= 0).all()

    def likelihood(shares: np.ndarray) -> float:
        prior = pull * (source * np.log(np.maximum(shares, 1e-300))).sum() if pull else 0.0
        return float(np.log((np.exp(table) * shares / source).sum(axis=1)).sum() + prior)

    assert likelihood(found) >= likelihood(source) - 1e-9
    again = target_shares(table[::-1, ::-1], source, pull=pull)
    assert np.allclose(again, found[::-1], atol=1e-5)


@given(drawn(members=1))
def test_a_calibration_makes_the_answers_no_less_likely(case: Drawn) -> None:
    table, rows = case.tables[0], np.arange(len(case.answers))
    found = fit_calibration(table, case.answers)
    assert found.of(table)[rows, case.answers].sum() >= table[rows, case.answers].sum() - 1e-6
    assert sum(found.bias) == pytest.approx(0.0, abs=1e-9)
