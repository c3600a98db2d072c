"""The shipped fake's adapters: factors beside its one linear layer, which takes a text's context h to itself.

With an adapter h becomes ``h + alpha / rank B A h``, so that the slopes are known in closed form.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ModelError, did_you_mean
from fedprompt.models.protocols import LabelLoss, LossGradient, PerCase, Tokens
from fedprompt.models.scripted_words import WIDTH, Context
from fedprompt.prompts.adapter import A, Adapter, B

__all__ = ["LAYER", "ScriptedAdapterObjective", "adapted", "scripted_shapes"]

LAYER = "reader.mix"


def scripted_shapes(targets: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Return module -> (out, in) of the layers of these last names.

    Raises:
        ModelError: a target that the fake has no layer of.
    """
    for target in targets:
        if target != "mix":
            raise ModelError(
                f"the model has no linear layer called '{target}'{did_you_mean(target, ['mix'])}; it has mix",
                code="no-such-target",
            )
    return {LAYER: (WIDTH, WIDTH)}


def adapted(context: Context, adapter: Adapter | None) -> Context:
    """Return what a text says with an adapter beside the layer."""
    if adapter is None:
        return context
    a, b = (adapter.arrays[LAYER + side].astype(np.float64) for side in (A, B))
    return replace(context, fixed=context.fixed + adapter.alpha / adapter.rank * (b @ (a @ context.fixed)))


class ScriptedAdapterObjective:
    """Implements ``PreparedObjective``: cases as contexts and their words' vectors; values are [size] of ``like``."""

    def __init__(
        self,
        cases: Sequence[tuple[Context, NDArray[np.float64]]],
        answers: Sequence[int],
        like: Adapter,
        sizes: Sequence[Tokens],
    ) -> None:
        self._cases, self._answers, self._like, self._sizes = list(cases), tuple(answers), like, sizes
        self._loss: LabelLoss | None = None

    def __len__(self) -> int:
        return len(self._cases)

    def under(self, loss: LabelLoss) -> "ScriptedAdapterObjective":
        """Return the same cases with another loss over their labels."""
        found = copy.copy(self)
        found._loss = loss
        return found

    @property
    def prepared(self) -> int:
        """Nothing: an adapter changes every token."""
        return 0

    def tokens(self, rows: Sequence[int], *, looking: bool = False) -> Tokens:
        """Return what one pass over the cases ``rows`` takes."""
        return Tokens(sum(self._sizes[row].asked for row in rows), sum(self._sizes[row].computed for row in rows))

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        """Return the mean loss over the cases ``rows`` and its gradient by the values."""
        each = [self._one(vectors, row) for row in rows]
        gradient = np.stack([slope for _, slope in each]).mean(axis=0)
        return LossGradient(float(np.mean([loss for loss, _ in each])), np.asarray(gradient, dtype=np.float32))

    def per_case(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> PerCase:
        """Return every case's own loss and gradient, [cases, size]."""
        each = [self._one(vectors, row) for row in rows]
        return PerCase(np.array([loss for loss, _ in each]), np.stack([slope for _, slope in each]).astype(np.float32))

    def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return [cases, labels] log-likelihoods of every case."""
        adapter = self._like.with_values(vectors)
        return np.stack([_logs(words @ adapted(context, adapter).fixed) for context, words in self._cases])

    def _one(self, values: NDArray[np.float32], row: int) -> tuple[float, NDArray[np.float64]]:
        adapter, (context, words) = self._like.with_values(values), self._cases[row]
        logs = _logs(words @ adapted(context, adapter).fixed)
        weight = np.exp(logs)
        if self._loss is None:
            loss = -float(logs[self._answers[row]])
            weight[self._answers[row]] -= 1.0
        else:
            given = self._loss(logs[None, :], [row])
            loss = float(given.losses[0])
            weight = given.slopes[0] - weight * given.slopes[0].sum()
        a, b = (adapter.arrays[LAYER + side].astype(np.float64) for side in (A, B))
        out = adapter.alpha / adapter.rank * (weight @ words)  # the slope by the layer's gain
        slopes = {A: np.outer(b.T @ out, context.fixed), B: np.outer(out, a @ context.fixed)}
        return loss, np.concatenate([slopes[A if name.endswith(A) else B].reshape(-1) for name in adapter.moved])


def _logs(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    apart = scores - scores.max()
    found: NDArray[np.float64] = apart - np.log(np.exp(apart).sum())
    return found
