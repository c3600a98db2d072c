"""Tunes a soft prompt, or other tensors, by gradient steps.

The steps are AdamW's (Loshchilov and Hutter 2019, arXiv 1711.05101), without weight decay.

Invariant: the same objective, start, settings and random generator give the same numbers, in one go or resumed;
nothing global is seeded. Which cases a step takes is said in ``tuning.draws``.

All steps are taken: validation is looked at between calls, by whoever runs the rounds (``rounds.patience``).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import TuningError
from fedprompt.models.protocols import LossGradient, SoftObjective
from fedprompt.prompts.tensors import Tensors
from fedprompt.stopping import NEVER, StopToken
from fedprompt.tuning.checkpoint import Checkpoint, Progressed
from fedprompt.tuning.draws import next_rows
from fedprompt.tuning.settings import TuningSettings

__all__ = ["Slope", "Tuned", "tune_tensors"]


Kind = TypeVar("Kind", bound=Tensors)
Slope = Callable[[NDArray[np.float32], int], LossGradient]


@dataclass(frozen=True)
class Tuned(Generic[Kind]):
    """What tuning ended with, and the mean loss (nats) of each step."""

    end: Kind
    loss: tuple[float, ...]


@dataclass
class _State:
    vectors: Any  # torch.nn.Parameter of the shape of the tensors' values
    optimiser: Any
    queue: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    @property
    def step(self) -> int:
        """How many steps were taken."""
        return len(self.losses)

    @property
    def now(self) -> NDArray[np.float32]:
        """The numbers as they are, float32."""
        found: NDArray[np.float32] = self.vectors.detach().numpy()
        return found


def tune_tensors(
    objective: SoftObjective,
    start: Kind,
    settings: TuningSettings,
    *,
    rng: np.random.Generator,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[int, float], None] | None = None,
    stop: StopToken = NEVER,
    slope: Slope | None = None,
) -> Tuned[Kind]:
    """Take the steps of ``settings`` from ``start``.

    Args:
        objective: the cases, prepared.
        rng: orders the cases.
        checkpoint: where the state is kept after each step; a run of the same key goes on from it.
        progress: hears (step, loss), steps counted from 1; first those that a checkpoint holds.
        stop: looked at before each step; the checkpoint of the last one stays.
        slope: makes a step's slope of the values and the step's number, in place of the mean over a batch.

    Raises:
        TuningError: no cases, or the loss stopped being a finite number; names the step, the learning rate and what to
            try. The checkpoint of the step before is kept.
    """
    if not len(objective):
        raise TuningError("there are no cases to tune on", code="no-cases")
    state = _resumed(start, settings.lr, rng, checkpoint)
    if progress is not None:
        for step, loss in enumerate(state.losses, 1):
            progress(step, loss)
    while state.step < settings.steps:
        stop.check()
        step = state.step + 1
        lr = settings.lr * settings.schedule.factor(step)
        for group in state.optimiser.param_groups:
            group["lr"] = lr
        if slope is None:
            rows, state.queue = next_rows(state.queue, len(objective), settings.batch, rng)
            found = _slope(objective, state.now, rows, settings.accumulate, step, lr)
        else:
            found = slope(state.now, step)
        pull = settings.proximal
        gradient = found.gradient + np.float32(pull) * (state.now - start.values) if pull else found.gradient
        _advance(state, gradient)
        state.losses.append(found.loss)
        if checkpoint is not None:
            _save(state, rng, checkpoint)
        if progress is not None:
            progress(step, found.loss)
    return Tuned(start.with_values(state.now), tuple(state.losses))


def _slope(
    objective: SoftObjective, vectors: NDArray[np.float32], rows: Sequence[int], parts: int, step: int, lr: float
) -> LossGradient:
    """Return the mean loss and gradient over ``rows``, computed in parts."""
    size = math.ceil(len(rows) / max(1, parts))
    loss, gradient = 0.0, np.zeros(vectors.shape, dtype=np.float64)
    for at in range(0, len(rows), size):
        part = rows[at : at + size]
        try:
            found = objective.loss_and_gradient(vectors, part)
        except TuningError as error:
            raise TuningError(f"step {step}, learning rate {lr:g}: {error}", code=error.code) from error
        loss += found.loss * len(part) / len(rows)
        gradient += found.gradient.astype(np.float64) * (len(part) / len(rows))
    if not math.isfinite(loss):
        raise TuningError(
            f"step {step}, learning rate {lr:g}: the loss is not a finite number; lower the rate", code="not-finite"
        )
    if not np.isfinite(gradient).all():
        raise TuningError(
            f"step {step}, learning rate {lr:g}: the slope is not a finite number; lower the rate", code="not-finite"
        )
    return LossGradient(loss, gradient.astype(np.float32))


def _advance(state: _State, gradient: NDArray[np.float32]) -> None:
    import torch

    state.vectors.grad = torch.from_numpy(np.array(gradient, dtype=np.float32))
    state.optimiser.step()


def _resumed(start: Tensors, lr: float, rng: np.random.Generator, checkpoint: Checkpoint | None) -> _State:
    """Return the state at the start, or the one that the checkpoint holds; ``rng`` is put where it was."""
    import torch

    vectors = torch.nn.Parameter(torch.tensor(start.values))
    state = _State(vectors, torch.optim.AdamW([vectors], lr=lr, weight_decay=0.0))
    found = None if checkpoint is None else checkpoint.read()
    if found is None or found[1]["vectors"].shape != start.values.shape:
        return state
    held, arrays = found
    with torch.no_grad():
        vectors.copy_(torch.from_numpy(arrays["vectors"]))
    state.optimiser.state[vectors] = {
        "step": torch.tensor(float(held.step)),
        "exp_avg": torch.from_numpy(arrays["first"].copy()),
        "exp_avg_sq": torch.from_numpy(arrays["second"].copy()),
    }
    rng.bit_generator.state = held.generator
    state.queue, state.losses = list(held.queue), list(held.losses)
    return state


def _save(state: _State, rng: np.random.Generator, checkpoint: Checkpoint) -> None:
    moments = state.optimiser.state[state.vectors]
    checkpoint.write(
        Progressed(
            key=checkpoint.key,
            step=state.step,
            losses=tuple(state.losses),
            queue=tuple(state.queue),
            generator=dict(rng.bit_generator.state),
        ),
        {
            "vectors": state.now,
            "first": moments["exp_avg"].numpy(),
            "second": moments["exp_avg_sq"].numpy(),
        },
    )
