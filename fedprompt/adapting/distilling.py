"""One soft prompt and a bias that answer as a mixture does, for exports that hold one prompt.

Distillation (Hinton, Vinyals and Dean 2015, arXiv 1503.02531, section 2): a soft prompt is tuned on texts at home, with
or without labels, towards the mixture's probabilities, its scores carrying the mixture's bias; then the bias is fitted
once more to what the tuned prompt still gets wrong, with the mixture's bias as its prior (Normal, ``precision``). What
is lost is told: ``faithfulness``. Invariant: the same objective, start, settings and generator give the same prompt.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.class_bias import centred, fit_bias_to
from fedprompt.adapting.combining import combined
from fedprompt.adapting.fitting import Fitted
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.models.protocols import LabelLoss, SoftObjective
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.tuning.checkpoint import Checkpoint
from fedprompt.tuning.label_losses import ShareLoss
from fedprompt.tuning.settings import TuningSettings
from fedprompt.tuning.steps import tune_tensors

__all__ = ["AnyLoss", "Distilled", "Faithfulness", "distil", "faithfulness", "nearest_member"]


class AnyLoss(SoftObjective, Protocol):
    """An objective that takes another loss over its labels."""

    def under(self, loss: LabelLoss) -> SoftObjective:
        """Return the same cases with another loss."""
        ...


@dataclass(frozen=True)
class Faithfulness:
    """How far one prompt's answers are from a mixture's, over some cases.

    ``divergence``: mean relative entropy from the mixture's probabilities, in nats. ``alike``: the share of cases with
    the same answer. ``cases``: how many there are; without one, both are None.
    """

    divergence: float | None
    alike: float | None
    cases: int


@dataclass(frozen=True)
class Distilled:
    """One prompt in a mixture's place; ``bias`` is [labels] with a mean of zero.

    ``on_texts``: how faithful it is on the texts that it was tuned on, which is the best that can be hoped for.
    """

    soft: SoftPrompt
    bias: NDArray[np.float64]
    on_texts: Faithfulness


def distil(
    objective: AnyLoss,
    start: SoftPrompt,
    settings: TuningSettings,
    mixture: Fitted,
    tables: NDArray[np.float64],
    *,
    precision: float,
    rng: np.random.Generator,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[int, float], None] | None = None,
    stop: StopToken = NEVER,
) -> Distilled:
    """Tune one soft prompt towards a mixture's probabilities.

    Args:
        objective: texts at home, prepared; their answers are not looked at.
        start: where tuning starts, such as the member that ``nearest_member`` names.
        settings: how many steps, and how.
        mixture: weights and bias.
        tables: [members, cases, labels] of the same texts, log-probabilities.
        precision: of the prior on how far the bias moves from the mixture's.
        rng: orders the texts.
        checkpoint: where the state is kept after each step.
        progress: hears (step, loss), steps counted from 1.
        stop: looked at before each step.

    Raises:
        ValueError: the tables are not of as many texts as the objective.
        TuningError: no texts, or the loss stopped being a finite number.
    """
    wanted = combined(tables, mixture.weights, mixture.bias)
    if len(wanted) != len(objective):
        raise ValueError(f"{len(objective)} texts need as many rows, not {len(wanted)}")
    towards = objective.under(ShareLoss(np.exp(wanted), mixture.bias))
    soft = tune_tensors(towards, start, settings, rng=rng, checkpoint=checkpoint, progress=progress, stop=stop).end
    table = normalised(objective.loglikelihoods(soft.vectors))
    more = fit_bias_to(table + mixture.bias, np.exp(wanted), precision=precision)
    bias = centred(mixture.bias + more)
    return Distilled(soft, bias, faithfulness(wanted, normalised(table + bias)))


def nearest_member(tables: NDArray[np.float64], mixture: Fitted) -> int:
    """Return the member whose answers, with the mixture's bias, are nearest to the mixture's.

    Args:
        tables: [members, cases, labels] log-probabilities; without a case it is the heaviest member.
        mixture: weights and bias of as many members.

    Raises:
        ValueError: the shapes do not fit.
    """
    if not tables.shape[1]:
        return int(np.argmax(mixture.weights))
    wanted = combined(tables, mixture.weights, mixture.bias)
    apart = [_divergence(wanted, normalised(table + mixture.bias)) for table in normalised(tables)]
    return int(np.argmin(apart))


def faithfulness(mixture: NDArray[np.float64], prompt: NDArray[np.float64]) -> Faithfulness:
    """Return how far one prompt's log-probabilities are from a mixture's, each [cases, labels] with its bias.

    Raises:
        ValueError: the shapes differ.
    """
    if mixture.shape != prompt.shape:
        raise ValueError(f"tables of shapes {mixture.shape} and {prompt.shape} are not of the same cases")
    if not len(mixture):
        return Faithfulness(None, None, 0)
    alike = float((mixture.argmax(axis=1) == prompt.argmax(axis=1)).mean())
    return Faithfulness(_divergence(normalised(mixture), normalised(prompt)), alike, len(mixture))


def _divergence(wanted: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    return max(0.0, float((np.exp(wanted) * (wanted - found)).sum(axis=1).mean()))
