"""Tunes a soft prompt by gradient steps: AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), no weight decay.

Invariant: the same objective, start, settings and random generator give the same vectors; nothing global is seeded.
Cases are drawn in epochs without replacement, so that a small split is used evenly.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fedprompt.errors import TuningError
from fedprompt.models.protocols import SoftObjective
from fedprompt.prompts.soft import SoftPrompt

__all__ = ["Tuned", "tune_soft"]


@dataclass(frozen=True)
class Tuned:
    """The tuned prompt and the mean loss (nats) of each step."""

    soft: SoftPrompt
    loss: tuple[float, ...]


def tune_soft(
    objective: SoftObjective,
    start: SoftPrompt,
    *,
    steps: int,
    batch: int,
    lr: float,
    rng: np.random.Generator,
    progress: Callable[[int, float], None] | None = None,
) -> Tuned:
    """Take ``steps`` steps from ``start``.

    Args:
        objective: the cases, prepared.
        batch: cases a step; all of them where there are fewer.
        lr: AdamW's learning rate, constant.
        rng: orders the cases.
        progress: hears (step, loss), steps counted from 1.

    Raises:
        TuningError: no cases, or the loss stopped being a finite number; names the step and the learning rate.
    """
    import torch

    if not len(objective):
        raise TuningError("there are no cases to tune on")
    vectors = torch.nn.Parameter(torch.tensor(start.vectors))
    optimiser = torch.optim.AdamW([vectors], lr=lr, weight_decay=0.0)
    queue: list[int] = []
    losses = []
    for step in range(1, steps + 1):
        size = min(batch, len(objective))
        if len(queue) < size:
            fresh = [int(i) for i in rng.permutation(len(objective))]
            # What is left of the last epoch comes once more at this one's end, never twice in a batch.
            queue = queue + sorted(fresh, key=lambda i: i in queue)
        rows, queue = queue[:size], queue[size:]
        try:
            found = objective.loss_and_gradient(vectors.detach().numpy(), rows)
        except TuningError as error:
            raise TuningError(f"step {step}, learning rate {lr:g}: {error}") from error
        if not math.isfinite(found.loss):
            raise TuningError(f"step {step}, learning rate {lr:g}: the loss is not a finite number; lower the rate")
        if not np.isfinite(found.gradient).all():
            raise TuningError(f"step {step}, learning rate {lr:g}: the slope is not a finite number; lower the rate")
        vectors.grad = torch.from_numpy(np.array(found.gradient, dtype=np.float32))
        optimiser.step()
        losses.append(found.loss)
        if progress is not None:
            progress(step, found.loss)
    return Tuned(SoftPrompt(vectors.detach().numpy(), start.model), tuple(losses))
