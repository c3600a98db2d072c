"""A hub that chooses seeds, rounds and steps reads no single case's loss: neither who is a member nor a label."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.attackers.figures import auc_over_sites, share
from benchmarks.attackers.losses import labels_read, likeness, solved_losses, sums_of_losses
from benchmarks.attackers.rounds import Round, ask_rounds
from benchmarks.attackers.targets import OwnCopy
from tests.attacks.attacked import CASES, START, attacked

REPLIES, SITES = 150, 4


@pytest.mark.whole
def test_single_steps_tell_no_member_from_others_and_no_label(tmp_path: Path) -> None:
    # Before rounds were answered once, over cases that the site's own key orders: an AUC of 1 and every label.
    guesses, right = [], 0
    for target in attacked(tmp_path, SITES):
        rounds = ask_rounds(target.hub(), [START] * REPLIES, single=True)
        assert len(rounds) <= target.study.rounds.count
        assert all(one.steps * target.study.tuning.batch >= target.study.privacy.min_cases for one in rounds)
        solved = solved_losses(rounds, target.worker.name, CASES, target.study.tuning.batch)
        copy = OwnCopy(target.model, target.study, target.candidates("tune"))
        own, places = copy.losses(START), np.arange(len(copy))
        assert not solved.size or not (np.abs(solved - own[places, copy.labels][:CASES]) < 1e-6).any()
        assert not sums_of_losses(rounds, copy, CASES)
        guesses.append(target.apart("tune", likeness(solved, own[places, copy.labels])))
        right += int((labels_read(solved, own[:CASES]) == copy.labels[:CASES]).sum())
    assert auc_over_sites(guesses, np.random.default_rng(0)).high <= 0.65
    labels = share(right, SITES * CASES)
    assert labels.low <= 0.5 <= labels.high  # as many cases have the one label as the other


def test_the_attack_works_on_a_site_whose_batches_follow_from_what_the_hub_knows() -> None:
    name = int.from_bytes(hashlib.blake2b(b"clinic", digest_size=8).digest(), "big")
    true, rounds = np.linspace(0.1, 2.0, CASES), []
    for number in range(1, REPLIES + 1):
        order = np.random.default_rng(np.random.SeedSequence([number, name, number])).permutation(CASES)
        rounds.append(Round(number, number, 1, START, START, float(true[order[:8]].mean())))
    solved = solved_losses(rounds, "clinic", CASES, 8)
    assert solved == pytest.approx(true, abs=1e-9)
    # The label under which a text has a loss that came back is the one that it has there.
    tables = np.stack([true, true + 0.013], axis=1)
    assert (labels_read(solved, tables) == 0).all()
    others = np.linspace(0.13, 2.03, CASES)
    assert likeness(solved, true).min() > likeness(solved, others).max()
