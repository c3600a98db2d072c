"""What the updates of a study's rounds tell of who was tuned on, and under which label."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.attackers.deltas import aligned, played_over
from benchmarks.attackers.figures import auc, auc_over_sites
from benchmarks.attackers.rounds import Round, ask_rounds
from benchmarks.attackers.targets import OwnCopy
from fedprompt.models.protocols import LossGradient
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.study.schema import Tuning
from fedprompt.tuning.settings import TuningSettings
from fedprompt.tuning.steps import tune_tensors
from tests.attacks.attacked import CASES, START, attacked

TUNING = {"steps": 8, "batch": 16, "lr": 0.01}


@pytest.mark.whole
def test_updates_of_a_small_model_tell_little_of_who_was_tuned_on(tmp_path: Path) -> None:
    # The scripted model's slopes have two directions, so that an update says little; what the default model's say is
    # measured by benchmarks/attacks.py.
    plain, played = [], []
    for target in attacked(tmp_path, 8, tuning=TUNING):
        copy = OwnCopy(target.model, target.study, target.candidates("tune"))
        rounds = ask_rounds(target.hub(), [START] * 20, single=False)
        assert len(rounds) == target.study.rounds.count
        plain.append(target.apart("tune", aligned(copy, rounds)))
        played.append(target.apart("tune", played_over(copy, rounds, CASES, target.study.tuning, shadows=200)))
    rng = np.random.default_rng(0)
    assert auc_over_sites(plain, rng).high <= 0.6
    assert auc_over_sites(played, rng).high <= 0.65


class Slopes:
    """Cases whose losses are planes: each has the same slope everywhere, ``values`` of them apart from the others'."""

    def __init__(self, cases: int, values: int) -> None:
        self._slopes = np.random.default_rng(7).normal(0.3, 1.0, (cases, values)).astype(np.float32)

    def __len__(self) -> int:
        return len(self._slopes)

    def gradients(self, vectors: np.ndarray) -> np.ndarray:
        return self._slopes

    def loss_and_gradient(self, vectors: np.ndarray, rows: Sequence[int]) -> LossGradient:
        slope = self._slopes[list(rows)].mean(axis=0)
        return LossGradient(float(slope @ vectors[0]), slope[None, :])

    def loglikelihoods(self, vectors: np.ndarray) -> np.ndarray:
        raise NotImplementedError


def test_the_attack_works_where_every_case_has_a_slope_of_its_own() -> None:
    every, tuning = Slopes(2 * CASES, 400), Tuning.model_validate(TUNING)
    half = Slopes(2 * CASES, 400)
    half._slopes = half._slopes[:CASES]
    start = SoftPrompt(np.zeros((1, 400), np.float32), "model")
    settings = TuningSettings(tuning.steps, tuning.batch, tuning.lr)
    end = tune_tensors(half, start, settings, rng=np.random.default_rng(1)).end
    rounds = [Round(1, 0, tuning.steps, start.vectors, end.vectors - start.vectors, None)]
    found = played_over(every, rounds, CASES, tuning, shadows=400)
    assert auc(found[:CASES], found[CASES:]) > 0.9
