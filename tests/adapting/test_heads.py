"""A head's fit is the penalised minimum, its noise is the site's own, and one case moves it no farther than is said."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedprompt.adapting.heads import (
    directions_of,
    fit_head,
    head_features,
    head_table,
    largest_area,
    log_shares,
    longest_head,
    same_directions,
    with_noise,
)
from fedprompt.adapting.log_probabilities import normalised

LABELS, MANY = 3, 4
seeds = st.integers(0, 2**32 - 1)
strengths = st.sampled_from([0.01, 0.1, 1.0, 10.0, 100.0])


def drawn(seed: int, cases: int = 25) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((cases, MANY))
    return features / np.linalg.norm(features, axis=1, keepdims=True), rng.integers(0, LABELS, cases)


@given(seeds, strengths)
def test_a_head_is_where_the_penalised_loss_has_no_slope(seed: int, strength: float) -> None:
    features, answers = drawn(seed)
    head = fit_head(features, answers, LABELS, strength)
    told = np.exp(normalised(features @ head.T + log_shares(answers, LABELS)))
    slope = strength * (told - np.eye(LABELS)[answers]).T @ features + head
    assert np.abs(slope).max() < 1e-4 * max(1.0, strength)


@given(seeds, strengths, st.integers(0, 24))
def test_one_case_moves_a_head_no_farther_than_the_noise_is_made_for(seed: int, strength: float, place: int) -> None:
    features, answers = drawn(seed)
    same = np.flatnonzero(answers == answers[place])
    others = features.copy()
    others[place] = -features[same[0]]  # another text of the same class: two gradients' worth
    far = np.linalg.norm(fit_head(features, answers, LABELS, strength) - fit_head(others, answers, LABELS, strength))
    assert far <= 2 * math.sqrt(2) * strength + 1e-3 * strength


@given(seeds, strengths, st.sampled_from([0.25, 1.0, 3.0]))
def test_no_head_is_longer_than_the_hub_takes(seed: int, strength: float, noise: float) -> None:
    features, answers = drawn(seed)
    sent = with_noise(fit_head(features, answers, LABELS, strength), strength, noise, str(seed).encode())
    assert np.linalg.norm(sent.astype(np.float64)) <= longest_head(strength, noise, len(answers), LABELS, MANY)


def test_noise_follows_from_the_secret_alone_and_has_the_spread_that_is_said() -> None:
    nothing = np.zeros((50, 64))
    one, again, other = (with_noise(nothing, 2.0, 1.5, secret) for secret in (b"a", b"a", b"b"))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    assert one.std() == pytest.approx(3.0, rel=0.05) and abs(float(one.mean())) < 0.2
    grid = 3.0 / 64
    assert np.abs(one / grid - np.round(one / grid)).max() < 1e-3


def test_a_class_without_a_case_gets_finite_weights() -> None:
    features, _ = drawn(1)
    head = fit_head(features, np.zeros(25, dtype=np.int64), LABELS, 10.0)
    assert np.isfinite(head).all()


def test_a_head_of_plain_classes_sorts_new_cases() -> None:
    rng = np.random.default_rng(3)
    centres = np.eye(6)[:LABELS]
    vectors = (centres[np.repeat(np.arange(LABELS), 40)] + 0.1 * rng.standard_normal((120, 6))).astype(np.float32)
    directions = directions_of(vectors, 2)
    answers = np.repeat(np.arange(LABELS), 40).astype(np.int64)
    head = fit_head(head_features(vectors[::2], directions), answers[::2], LABELS, 1.0).astype(np.float32)
    right = head_table(head, directions, vectors[1::2]).argmax(axis=1) == answers[1::2]
    assert right.mean() > 0.95


def test_directions_that_are_turned_in_their_space_are_the_same_and_others_are_not() -> None:
    vectors = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
    one = directions_of(vectors, 3)
    turned = np.vstack([one[:1], -one[[2, 1, 3]]])
    assert same_directions(one, turned)
    assert not same_directions(one, directions_of(vectors[:20], 3))
    assert not same_directions(one, np.vstack([one[:1] + 1, one[1:]]))
    assert not same_directions(one, one[:-1]) and not same_directions(one, np.vstack([one[:1], 2 * one[1:]]))


def test_examples_that_are_alike_span_nothing() -> None:
    with pytest.raises(ValueError, match="span"):
        directions_of(np.ones((20, 5), np.float32), 2)


@pytest.mark.parametrize(("noise", "area"), [(1.0, 0.8413), (1.5, 0.7475), (4.0, 0.5987)])
def test_the_largest_area_is_that_of_the_gaussian_mechanism(noise: float, area: float) -> None:
    # Phi(1 / noise), from tables of the normal distribution.
    assert largest_area(noise) == pytest.approx(area, abs=1e-4)
