"""The audit's arithmetic: against published numbers and by hand, and fair where there is nothing to find."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedprompt.auditing.canaries import CHANCE, exposures, told_by
from fedprompt.auditing.inversion import picked_out
from fedprompt.auditing.known_others import all_but_one
from fedprompt.auditing.lira import confidence, likelihood_ratio
from fedprompt.auditing.membership import auc_interval, membership, roc
from fedprompt.auditing.noised_release import noise_for, released_scores
from fedprompt.auditing.one_run import chance_of, epsilon_below, one_run
from fedprompt.auditing.told_words import told_words


def test_the_area_counts_pairs_with_ties_by_half() -> None:
    # Pairs (3 over 2), (3 over 1), (2 equals 2), (2 over 1): 3.5 of 4.
    found = membership(np.array([3.0, 2.0]), np.array([2.0, 1.0]))
    assert found.auc.value == 0.875
    assert found.auc.low < 0.5 < found.auc.high == pytest.approx(1, abs=0.05)


@given(area=st.floats(0, 1), members=st.integers(1, 500), others=st.integers(1, 500))
def test_an_areas_interval_holds_it_and_lies_within_0_and_1(area: float, members: int, others: int) -> None:
    found = auc_interval(area, members, others)
    assert 0 <= found.low <= area <= found.high <= 1


def test_a_perfect_area_over_few_cases_is_not_told_as_certain() -> None:
    assert auc_interval(1.0, 5, 5).low < 0.75
    assert auc_interval(1.0, 500, 500).low > 0.98


def test_the_areas_interval_holds_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(0)
    truth = 0.6385  # of two unit normals 0.5 apart: Phi(0.5 / sqrt 2)
    held = 0
    for _ in range(300):
        found = membership(rng.normal(0.5, 1, 40), rng.normal(0, 1, 60)).auc
        held += found.low <= truth <= found.high
    assert held >= 276


def test_the_curve_goes_from_none_to_all() -> None:
    found = roc(np.array([2.0, 3.0]), np.array([1.0, 0.0]))
    assert (found.false[0], found.true[0]) == (0, 0) and (found.false[-1], found.true[-1]) == (1, 1)
    assert max(true - false for false, true in zip(found.false, found.true, strict=True)) == 1


def test_right_guesses_rule_out_an_epsilon_as_the_paper_computes_it() -> None:
    # Pure epsilon: P[Binomial(100, e^eps / (1 + e^eps)) = 100] = 0.05 at a share of 0.05^(1/100).
    share = 0.05 ** (1 / 100)
    assert epsilon_below(100, 100, 100) == pytest.approx(math.log(share / (1 - share)), abs=1e-4)
    assert epsilon_below(100, 100, 50) == 0
    # Delta makes a surprise less surprising.
    assert chance_of(1000, 100, 90, 1.0, 1e-5) > chance_of(1000, 100, 90, 1.0, 0.0)
    assert epsilon_below(1000, 100, 99, 1e-3) < epsilon_below(1000, 100, 99)


def test_guessing_rules_out_no_epsilon() -> None:
    rng = np.random.default_rng(0)
    found = [one_run(rng.normal(size=200), rng.random(200) < 0.5).epsilon for _ in range(60)]
    assert sum(one > 0 for one in found) <= 6


def test_noise_that_is_right_is_believed_and_noise_that_is_too_small_is_found() -> None:
    rng = np.random.default_rng(1)
    slopes = rng.normal(size=(100, 400)).astype(np.float32)
    inside = rng.random(100) < 0.5
    right = noise_for(1.0, 1e-5)
    assert right == pytest.approx(4.84, abs=0.01)
    assert one_run(released_scores(slopes, inside, right, rng), inside, 1e-5).epsilon <= 1.0
    assert one_run(released_scores(slopes, inside, right / 50, rng), inside, 1e-5).epsilon > 1.0


def test_a_likelihood_ratio_finds_cases_that_shadows_remember() -> None:
    rng = np.random.default_rng(0)
    inside = rng.random((16, 80)) < 0.5
    members = np.arange(80) < 40
    hard = rng.normal(0, 3, 80)  # how hard a case is hides membership from the plain loss
    shadows = hard + inside * 1.0 + rng.normal(0, 0.3, (16, 80))
    target = hard + members * 1.0 + rng.normal(0, 0.3, 80)
    found = likelihood_ratio(target, shadows, inside)
    assert membership(found[members], found[~members]).auc.value > 0.95
    assert membership(target[members], target[~members]).auc.value < 0.75


def test_confidence_is_the_log_of_the_odds() -> None:
    logs = np.log(np.array([[0.8, 0.2], [0.5, 0.5]]))
    assert confidence(logs, np.array([0, 1])) == pytest.approx([math.log(4), 0])


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_who_knows_all_others_finds_what_a_case_adds_and_nothing_in_what_no_case_made(seed: int) -> None:
    rng = np.random.default_rng(seed)
    adds = rng.normal(size=(60, 40)).astype(np.float32)
    inside = np.zeros((400, 60), dtype=bool)
    for row in inside:
        row[rng.permutation(60)[:30]] = True
    plays = (inside @ adds + rng.normal(0, 2, (400, 40))).astype(np.float32)
    members = np.arange(60) < 30
    made = (members @ adds + rng.normal(0, 2, 40)).astype(np.float32)
    unrelated = plays[0] + rng.normal(0, 2, 40).astype(np.float32)
    found = all_but_one(made, members, plays, inside)
    nothing = all_but_one(unrelated, rng.permutation(members), plays[1:], inside[1:])
    assert found[members].mean() > found[~members].mean() + 1
    assert membership(found[members], found[~members]).auc.value > 0.9
    assert 0.2 < membership(nothing[members], nothing[~members]).auc.value < 0.8


def test_a_canary_of_the_lowest_loss_is_exposed_by_all_bits() -> None:
    assert exposures(np.array([0.0]), np.arange(1.0, 256.0)) == pytest.approx([8.0])
    rng = np.random.default_rng(0)
    found = told_by(rng.random(20), rng.random(400))
    assert found.bits.low < CHANCE < found.bits.high and found.p > 0.01


def test_the_batch_of_a_small_update_is_picked_out_of_texts_with_slopes_of_their_own() -> None:
    rng = np.random.default_rng(0)
    slopes = rng.normal(size=(40, 300)).astype(np.float32)
    batches = np.zeros((5, 40), dtype=bool)
    for row in batches:
        row[rng.permutation(40)[:4]] = True
    found = picked_out(-np.sign(batches @ slopes).astype(np.float32), slopes, batches)
    assert found.right.value > 0.9 and found.guessing == 0.1 and found.p < 1e-6
    nothing = picked_out(rng.normal(size=(5, 300)).astype(np.float32), slopes, batches)
    assert nothing.right.low < 0.1 and nothing.p > 0.01


def test_words_that_stand_in_members_alone_are_told() -> None:
    members, others = ["Dr Okonkwo saw her"] * 30, ["a nurse saw her"] * 30
    found = told_words([" Okonkwo", " saw", "ly"], ["saw"], members, others)
    assert found.words == ("okonkwo",) and (found.members_with, found.others_with) == (30, 0) and found.p < 1e-6
    assert told_words([" saw"], ["saw"], members, others).p == 1
