"""Gradient steps depend on the objective, the start, the settings and the generator alone."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from fedprompt.errors import TuningError
from fedprompt.models.protocols import LossGradient
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.tuning.soft import tune_soft
from tests.scripted_sites import MODEL, worker

START = MODEL.text_init("Overall the feeling is", 3)


class Linear:
    """A loss of constant slope 2 and -3; remembers which cases it was asked for."""

    def __init__(self, cases: int, loss: float = 1.0) -> None:
        self._cases, self._loss = cases, loss
        self.asked: list[list[int]] = []

    def __len__(self) -> int:
        return self._cases

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        self.asked.append(list(rows))
        return LossGradient(self._loss, np.array([[2.0, -3.0]], np.float32))

    def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.zeros((self._cases, 2))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_constant_slope_moves_by_the_learning_rate_a_step() -> None:
    # With a constant gradient both of AdamW's corrected moments are the gradient's own, so a step is lr * sign.
    start = SoftPrompt(np.array([[1.0, 1.0]]), "m")
    tuned = tune_soft(Linear(4), start, steps=3, batch=2, lr=0.1, rng=rng())
    assert tuned.soft.vectors[0].tolist() == pytest.approx([0.7, 1.3], abs=1e-5)
    assert tuned.soft.model == "m" and tuned.loss == (1.0, 1.0, 1.0)
    assert start.vectors.tolist() == [[1.0, 1.0]]


def test_cases_are_drawn_in_epochs_without_replacement() -> None:
    objective = Linear(5)
    tune_soft(objective, SoftPrompt(np.ones((1, 2)), "m"), steps=5, batch=3, lr=0.1, rng=rng())
    assert all(len(set(rows)) == 3 for rows in objective.asked)
    drawn = [row for rows in objective.asked for row in rows]
    assert sorted(drawn[:5]) == [0, 1, 2, 3, 4]
    # Fifteen draws are three epochs of five.
    assert [drawn.count(case) for case in range(5)] == [3] * 5


def test_a_batch_is_never_larger_than_the_split() -> None:
    objective = Linear(2)
    tune_soft(objective, SoftPrompt(np.ones((1, 2)), "m"), steps=2, batch=16, lr=0.1, rng=rng())
    assert [sorted(rows) for rows in objective.asked] == [[0, 1], [0, 1]]


def test_the_same_generator_gives_the_same_vectors_and_another_gives_others(tmp_path: object) -> None:
    from pathlib import Path

    objective = worker(Path(str(tmp_path))).objective("tune")
    one, same, other = (tune_soft(objective, START, steps=6, batch=4, lr=0.05, rng=rng(seed)) for seed in (3, 3, 4))
    assert one.soft == same.soft and one.loss == same.loss
    assert one.soft != other.soft
    rows = range(len(objective))
    before = objective.loss_and_gradient(START.vectors, rows).loss
    assert objective.loss_and_gradient(one.soft.vectors, rows).loss < before


def test_progress_is_told_step_by_step() -> None:
    told: list[tuple[int, float]] = []
    start = SoftPrompt(np.ones((1, 2)), "m")
    tune_soft(Linear(3), start, steps=2, batch=2, lr=0.1, rng=rng(), progress=lambda *at: told.append(at))
    assert told == [(1, 1.0), (2, 1.0)]


def test_what_cannot_go_on_names_step_and_learning_rate() -> None:
    start = SoftPrompt(np.ones((1, 2)), "m")
    with pytest.raises(TuningError, match="no cases"):
        tune_soft(Linear(0), start, steps=1, batch=2, lr=0.1, rng=rng())
    with pytest.raises(TuningError, match=r"step 1, learning rate 0.1: the loss is not a finite number"):
        tune_soft(Linear(3, loss=float("nan")), start, steps=1, batch=2, lr=0.1, rng=rng())


def test_vectors_that_leave_the_numbers_are_a_tuning_error() -> None:
    class Wild(Linear):
        def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
            return LossGradient(1.0, np.array([[np.nan, 0.0]], np.float32))

    with pytest.raises(TuningError, match=r"step 1, learning rate 0.1: .*not a finite number"):
        tune_soft(Wild(3), SoftPrompt(np.ones((1, 2)), "m"), steps=1, batch=2, lr=0.1, rng=rng())
