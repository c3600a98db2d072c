"""Losses with shares as targets and an offset; what is common among a site's cases can be taken out of tuning."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.tuning.label_losses import ShareLoss, prior_free_loss


def test_the_loss_is_cross_entropy_with_the_shares_of_the_shifted_scores() -> None:
    loss = ShareLoss(np.array([[0.0, 1.0], [0.25, 0.75]]), np.array([0.0, math.log(3)]))
    found = loss(np.zeros((1, 2)), [1])
    # Scores 0 and log 3 make shares 1/4 and 3/4, which are the targets: no slope, and their entropy as the loss.
    assert found.losses == pytest.approx([-(0.25 * math.log(0.25) + 0.75 * math.log(0.75))])
    assert found.slopes == pytest.approx(np.zeros((1, 2)), abs=1e-12)
    assert loss(np.zeros((1, 2)), [0]).slopes == pytest.approx(np.array([[0.25, -0.25]]))


def test_a_class_s_share_among_the_cases_is_added_to_its_score_one_case_more_for_each() -> None:
    found = prior_free_loss(np.array([0, 0, 0, 1]), 3)
    # (3 + 1), (1 + 1) and (0 + 1) of 4 + 3.
    assert found.offset == pytest.approx(np.log([4 / 7, 2 / 7, 1 / 7]))
    assert found.shares.tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_scores_without_the_classes_shares_are_the_best_under_the_offset() -> None:
    # Texts that say nothing, of shares 3 : 1: even scores leave a slope of the smoothing's size alone.
    answers = np.repeat([0, 1], [300, 100])
    free = prior_free_loss(answers, 2)(np.zeros((400, 2)), range(400)).slopes.mean(axis=0)
    plain = ShareLoss(np.eye(2)[answers], np.zeros(2))(np.zeros((400, 2)), range(400)).slopes.mean(axis=0)
    assert np.abs(free).max() < 0.002 and np.abs(plain).max() == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("shares", "offset"),
    [
        ([[1.0, 0.0]], [0.0]),
        ([[1.5, -0.5]], [0.0, 0.0]),
        ([[math.nan, 0.0]], [0.0, 0.0]),
        ([[1.0, 0.0]], [0.0, math.inf]),
    ],
)
def test_what_is_no_loss_is_refused(shares: list[list[float]], offset: list[float]) -> None:
    with pytest.raises(ValueError, match="offset"):
        ShareLoss(np.array(shares), np.array(offset))


@given(st.integers(0, 999))
def test_slopes_are_those_of_the_losses(seed: int) -> None:
    rng = np.random.default_rng(seed)
    loss = ShareLoss(rng.dirichlet(np.ones(4), size=3), rng.normal(size=4))
    scores, step = rng.normal(0, 3, (2, 4)), 1e-5
    found = loss(scores, [2, 0])
    for label in range(4):
        moved = np.zeros((2, 4))
        moved[:, label] = step
        slope = (loss(scores + moved, [2, 0]).losses - loss(scores - moved, [2, 0]).losses) / (2 * step)
        assert found.slopes[:, label] == pytest.approx(slope, abs=1e-6)
