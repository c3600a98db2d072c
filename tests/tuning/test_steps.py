"""Gradient steps depend on the objective, the start, the settings and the generator alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fedprompt.errors import TuningError
from fedprompt.models.protocols import LossGradient
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.stopping import Stopped, StopToken
from fedprompt.tuning.checkpoint import Checkpoint
from fedprompt.tuning.schedule import Schedule
from fedprompt.tuning.settings import TuningSettings
from fedprompt.tuning.steps import tune_tensors
from tests.coded import coded
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
    tuned = tune_tensors(Linear(4), start, TuningSettings(3, 2, 0.1), rng=rng())
    assert tuned.end.vectors[0].tolist() == pytest.approx([0.7, 1.3], abs=1e-5)
    assert tuned.end.model == "m" and tuned.loss == (1.0, 1.0, 1.0)
    assert start.vectors.tolist() == [[1.0, 1.0]]


def test_cases_are_drawn_in_epochs_without_replacement() -> None:
    objective = Linear(5)
    tune_tensors(objective, SoftPrompt(np.ones((1, 2)), "m"), TuningSettings(5, 3, 0.1), rng=rng())
    assert all(len(set(rows)) == 3 for rows in objective.asked)
    drawn = [row for rows in objective.asked for row in rows]
    assert sorted(drawn[:5]) == [0, 1, 2, 3, 4]
    # Fifteen draws are three epochs of five.
    assert [drawn.count(case) for case in range(5)] == [3] * 5


def test_a_batch_is_never_larger_than_the_split() -> None:
    objective = Linear(2)
    tune_tensors(objective, SoftPrompt(np.ones((1, 2)), "m"), TuningSettings(2, 16, 0.1), rng=rng())
    assert [sorted(rows) for rows in objective.asked] == [[0, 1], [0, 1]]


def test_the_same_generator_gives_the_same_vectors_and_another_gives_others(tmp_path: Path) -> None:
    objective = worker(tmp_path).side.objective("tune")
    one, same, other = (tune_tensors(objective, START, TuningSettings(6, 4, 0.05), rng=rng(seed)) for seed in (3, 3, 4))
    assert one.end == same.end and one.loss == same.loss
    assert one.end != other.end
    rows = range(len(objective))
    before = objective.loss_and_gradient(START.vectors, rows).loss
    assert objective.loss_and_gradient(one.end.vectors, rows).loss < before


def test_progress_is_told_step_by_step() -> None:
    told: list[tuple[int, float]] = []
    start = SoftPrompt(np.ones((1, 2)), "m")
    tune_tensors(Linear(3), start, TuningSettings(2, 2, 0.1), rng=rng(), progress=lambda *at: told.append(at))
    assert told == [(1, 1.0), (2, 1.0)]


def test_what_cannot_go_on_names_step_and_learning_rate() -> None:
    start = SoftPrompt(np.ones((1, 2)), "m")
    with pytest.raises(TuningError, check=coded("no-cases")):
        tune_tensors(Linear(0), start, TuningSettings(1, 2, 0.1), rng=rng())
    with pytest.raises(TuningError, match=r"step 1, .*0\.1", check=coded("not-finite")):
        tune_tensors(Linear(3, loss=float("nan")), start, TuningSettings(1, 2, 0.1), rng=rng())


def test_vectors_that_leave_the_numbers_are_a_tuning_error() -> None:
    class Wild(Linear):
        def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
            return LossGradient(1.0, np.array([[np.nan, 0.0]], np.float32))

    with pytest.raises(TuningError, match=r"step 1, .*0\.1", check=coded("not-finite")):
        tune_tensors(Wild(3), SoftPrompt(np.ones((1, 2)), "m"), TuningSettings(1, 2, 0.1), rng=rng())


def test_a_large_batch_in_parts_is_the_same_step(tmp_path: Path) -> None:
    objective = worker(tmp_path).side.objective("tune")
    whole, parts = (
        tune_tensors(objective, START, TuningSettings(3, 8, 0.05, accumulate=count), rng=rng()) for count in (1, 3)
    )
    assert parts.end.vectors == pytest.approx(whole.end.vectors, abs=1e-5)
    assert parts.loss == pytest.approx(whole.loss, abs=1e-6)


def test_a_run_that_was_broken_off_takes_the_steps_it_would_have_taken(tmp_path: Path) -> None:
    objective = worker(tmp_path / "site").side.objective("tune")
    whole = tune_tensors(objective, START, TuningSettings(7, 8, 0.05), rng=rng(5))
    checkpoint = Checkpoint(tmp_path / "tuning.safetensors", "run 1")

    told: list[int] = []

    def tell(step: int, loss: float) -> None:
        told.append(step)

    stop, seven = StopToken(lambda: "cancelled" if len(told) == 4 else None, every=0), TuningSettings(7, 8, 0.05)
    with pytest.raises(Stopped):
        tune_tensors(objective, START, seven, rng=rng(5), checkpoint=checkpoint, progress=tell, stop=stop)
    told.clear()
    resumed = tune_tensors(
        objective,
        START,
        TuningSettings(7, 8, 0.05),
        rng=rng(99),  # the checkpoint puts the generator where it was
        checkpoint=checkpoint,
        progress=lambda step, loss: told.append(step),
    )
    assert told == [1, 2, 3, 4, 5, 6, 7]  # the steps that were taken before are told again
    assert resumed == whole
    assert checkpoint.path.stat().st_mode & 0o777 == 0o600


def test_another_runs_or_a_damaged_checkpoint_is_not_taken_up(tmp_path: Path) -> None:
    objective, path = Linear(4), tmp_path / "tuning.safetensors"
    start = SoftPrompt(np.ones((1, 2)), "m")
    tune_tensors(objective, start, TuningSettings(2, 2, 0.1), rng=rng(), checkpoint=Checkpoint(path, "run 1"))
    assert Checkpoint(path, "run 1").read() is not None
    assert Checkpoint(path, "run 2").read() is None
    path.write_bytes(path.read_bytes()[:40])
    assert Checkpoint(path, "run 1").read() is None
    Checkpoint(path, "run 1").remove()
    assert not path.exists()


def test_a_loss_that_is_no_number_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    class Breaks(Linear):
        def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
            found = super().loss_and_gradient(vectors, rows)
            return found if len(self.asked) < 3 else LossGradient(float("nan"), found.gradient)

    checkpoint = Checkpoint(tmp_path / "tuning.safetensors", "run")
    start = SoftPrompt(np.ones((1, 2)), "m")
    with pytest.raises(TuningError, match=r"step 3, .*0\.1", check=coded("not-finite")):
        tune_tensors(Breaks(4), start, TuningSettings(5, 2, 0.1), rng=rng(), checkpoint=checkpoint)
    held = checkpoint.read()
    assert held is not None and held[0].step == 2


def test_the_proximal_term_pulls_back_to_the_start() -> None:
    # From 1 with slope 2 the first step goes to 0.9 (the term is nought there). Then the gradient is 2 + mu (0.9 - 1),
    # -1 for mu = 30: the corrected mean is (0.9 * 0.2 - 0.1) / 0.19 = 0.08 / 0.19.
    start = SoftPrompt(np.array([[1.0, 1.0]]), "m")
    free, held = (
        tune_tensors(Linear(4), start, TuningSettings(2, 2, 0.1, proximal=mu), rng=rng()).end.vectors[0, 0]
        for mu in (0.0, 30.0)
    )
    assert free == pytest.approx(0.8, abs=1e-5)
    # sqrt of the corrected second moment: sqrt((0.999 * 0.004 + 0.001) / 0.001999) = sqrt(2.4993) = 1.5809
    assert held == pytest.approx(0.9 - 0.1 * (0.08 / 0.19) / 1.5809, abs=1e-3)


def test_a_schedule_warms_up_and_falls_to_nothing() -> None:
    # Five steps, two of warm-up: 1/2, 1, then cosines at 0, 1/3 and 2/3 of the way: 1, 0.75, 0.25.
    plan = Schedule("cosine", warmup=2, total=5)
    assert [plan.factor(step) for step in range(1, 6)] == pytest.approx([0.5, 1.0, 1.0, 0.75, 0.25])
    later = Schedule("cosine", warmup=2, total=5, first=3)
    assert [later.factor(step) for step in (1, 2)] == pytest.approx([0.75, 0.25])
    assert Schedule().factor(1000) == 1.0
    with pytest.raises(TuningError, check=coded("warm-up-too-long")):
        Schedule(warmup=9, total=5)
    with pytest.raises(TuningError, check=coded("steps-unknown")):
        Schedule("cosine")
