"""The training loop: AdamW over one flat array, a fused loss, packed windows, nothing padded.

Invariant: the same weights, moments, windows and settings give the same weights, in one go or resumed from a state; the
windows of a step follow from its number and the seed.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedprompt.corpora.ordering import drawn
from fedprompt.corpora.tokens import TokenFile
from fedprompt.errors import TuningError
from fedprompt.stopping import NEVER, StopToken
from fedprompt.tuning.pretraining.flat import FlatModel
from fedprompt.tuning.pretraining.lm_loss import LMLoss
from fedprompt.tuning.pretraining.settings import PretrainSettings
from fedprompt.tuning.pretraining.state import TrainState

__all__ = ["FlatAdamW", "Keeping", "Trained", "rows_of", "train"]

SHARE = 0.05  # of the time, at most, goes into states on the disk


@dataclass(frozen=True)
class Keeping:
    """Where the state is kept while a training runs, under which key, and how often: ``seconds`` 0 keeps each step."""

    path: Path
    key: str
    seconds: float = 20.0


@dataclass(frozen=True, eq=False)
class Trained:
    """The state after the last step, and the mean loss (nats) of each step that this call took.

    The state's weights are the model's own array: what changes the model changes them.
    """

    state: TrainState
    losses: tuple[float, ...]


def rows_of(settings: PretrainSettings, windows: int, step: int) -> list[int]:
    """Return the windows of a step, counted from 1 over all rounds."""
    return drawn((step - 1) * settings.batch, settings.batch, windows, settings.seed)


def train(
    model: FlatModel,
    text: TokenFile,
    settings: PretrainSettings,
    *,
    moments: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
    keeping: Keeping | None = None,
    progress: Callable[[int, float], None] | None = None,
    stop: StopToken = NEVER,
) -> Trained:
    """Take the steps from the weights that the model holds.

    Args:
        model: is left with the new weights.
        moments: AdamW's, from the rounds before; none in the first.
        keeping: where the state is kept; a run of the same key goes on from what lies there.
        progress: hears (step, loss), steps counted from 1.
        stop: looked at before each step; what was done is kept.

    Raises:
        TuningError: there is less than one window, or the loss is no number.
        Stopped: it was to end.
    """
    windows = text.windows(settings.window)
    if not windows:
        raise TuningError(
            f"the text has {len(text.tokens):,} tokens, fewer than one window of {settings.window}; add text, or lower "
            "'window'",
            code="too-little-text",
        )
    found = None if keeping is None else TrainState.read(keeping.path, keeping.key, model.size)
    step, losses, loss_of = 0, [], LMLoss(model.lm, settings.rows)
    if found is not None:
        model.install(found.weights)
        moments, step = (found.first, found.second), found.step
    optimiser = FlatAdamW(model, settings, moments, settings.schedule.first + step)
    model.lm.train()
    kept, cost = time.monotonic(), 0.0
    while step < settings.steps:
        if stop.why is not None and keeping is not None:
            optimiser.state(step).write(keeping.path, keeping.key)
        stop.check()
        step += 1
        rows = rows_of(settings, windows, settings.schedule.first + step)
        loss = _slope(model, loss_of, text, rows, settings)
        rate = settings.lr * settings.schedule.factor(step)
        if not math.isfinite(loss):
            raise TuningError(
                f"step {step}, learning rate {rate:g}: the loss is not a finite number; lower the rate",
                code="not-finite",
            )
        optimiser.move(rate)
        losses.append(loss)
        now = time.monotonic()
        if keeping is not None and step < settings.steps and now - kept >= max(keeping.seconds, cost / SHARE):
            optimiser.state(step).write(keeping.path, keeping.key)
            kept = time.monotonic()
            cost = kept - now if keeping.seconds else 0.0
        if progress is not None:
            progress(step, loss)
    return Trained(optimiser.state(step), tuple(losses))


def _slope(model: FlatModel, loss_of: LMLoss, text: TokenFile, rows: list[int], settings: PretrainSettings) -> float:
    """Fill the gradient with that of the mean loss over windows, computed in parts; return the loss."""
    model.gradient.zero_()
    size, total = math.ceil(len(rows) / settings.accumulate), 0.0
    for at in range(0, len(rows), size):
        part = rows[at : at + size]
        tokens = torch.from_numpy(text.batch(part, settings.window)).to(model.weights.device)
        with _faster(model.weights):
            loss = loss_of(tokens)
        share = len(part) / len(rows)
        (loss if share == 1 else loss * share).backward()  # type: ignore[no-untyped-call]
        total += loss.item() * share
    return total


def _faster(weights: Tensor) -> Any:
    """Return a context that multiplies in bfloat16 on a GPU that can, and changes nothing elsewhere."""
    on = weights.device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(weights.device.type, torch.bfloat16, enabled=on)


class FlatAdamW:
    """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) over the flat array: matrices decay, vectors do not."""

    def __init__(
        self,
        model: FlatModel,
        settings: PretrainSettings,
        moments: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
        taken: int,
    ) -> None:
        self._model, self._clip = model, settings.clip
        cut, size, device = model.matrices, model.size, model.weights.device
        held = [torch.zeros(size, device=device) for _ in range(2)]
        if moments is not None:
            held = [torch.from_numpy(np.array(one)).to(device) for one in moments]
        self._first, self._second = held
        groups = []
        for low, high, decay in ((0, cut, settings.decay), (cut, size, 0.0)):
            part = torch.nn.Parameter(model.weights[low:high])
            part.grad = model.gradient[low:high]
            groups.append({"params": [part], "weight_decay": decay})
        self._adam = torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)
        for group, (low, high) in zip(self._adam.param_groups, ((0, cut), (cut, size)), strict=True):
            self._adam.state[group["params"][0]] = {
                "step": torch.tensor(float(taken), device=device),
                "exp_avg": self._first[low:high],
                "exp_avg_sq": self._second[low:high],
            }

    def move(self, rate: float) -> None:
        """Take one step along the gradient, cut to the norm."""
        norm = float(self._model.gradient.norm())
        if not math.isfinite(norm):
            raise TuningError(f"learning rate {rate:g}: the slope is not a finite number; lower it", code="not-finite")
        if norm > self._clip:
            self._model.gradient.mul_(self._clip / norm)
        for group in self._adam.param_groups:
            group["lr"] = rate
        self._adam.step()

    def state(self, step: int) -> TrainState:
        """Return where it stands; on a processor the arrays are those that the next step changes, and no copies."""
        held = (self._model.weights, self._first, self._second)
        return TrainState(step, *(one.detach().cpu().numpy() for one in held))
