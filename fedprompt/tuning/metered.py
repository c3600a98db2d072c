"""A site's cases prepared for what its study tunes, cut to the model's window, with a count of what tuning takes.

Whoever tunes, or says beforehand how long tuning takes, asks here, so that both do the same work.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypedDict, TypeVar, Unpack

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import PromptError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.demonstrations import Shown
from fedprompt.evaluation.runs.runner import fitted_query, true_labels
from fedprompt.models.protocols import (
    CausalModel,
    LabelLoss,
    LossGradient,
    PerCase,
    PreparedObjective,
    TunesAdapters,
)
from fedprompt.models.work import Work
from fedprompt.prompts.adapter import Adapter
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.tuning.label_losses import prior_free_loss

__all__ = ["MeteredObjective", "Preparing", "prepare", "prepare_adapter", "prepare_template"]

T = TypeVar("T")


class MeteredObjective:
    """Implements ``SoftObjective``; ``work`` is all that was done so far, ``clipped`` how many cases were too long."""

    def __init__(self, objective: PreparedObjective, seconds: float = 0.0, clipped: int = 0) -> None:
        self._objective, self.clipped = objective, clipped
        self.work = Work(0, objective.prepared, seconds, objective.prepared)

    def under(self, loss: LabelLoss) -> "MeteredObjective":
        """Return the same cases with another loss over their labels, its own work counted from nothing.

        Raises:
            ValueError: they are prepared for likelihoods over the whole vocabulary.
        """
        found = MeteredObjective(self._objective.under(loss), clipped=self.clipped)
        found.work = Work()
        return found

    def __len__(self) -> int:
        return len(self._objective)

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        """Return the mean loss over the cases ``rows`` and its gradient."""
        return self._timed(lambda: self._objective.loss_and_gradient(vectors, rows), rows, looking=False)

    def per_case(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> PerCase:
        """Return every case's own loss and gradient."""
        return self._timed(lambda: self._objective.per_case(vectors, rows), rows, looking=False)

    def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return [cases, labels] log-likelihoods of every case."""
        return self._timed(lambda: self._objective.loglikelihoods(vectors), range(len(self)), looking=True)

    def _timed(self, ask: Callable[[], T], rows: Sequence[int], *, looking: bool) -> T:
        began = time.perf_counter()
        found = ask()
        seconds = time.perf_counter() - began
        took = self._objective.tokens(rows, looking=looking)
        # A step goes back through all that it went forward through.
        self.work += Work(took.asked, took.computed, seconds, took.computed * (1 if looking else 2))
        return found


class Preparing(TypedDict, total=False):
    """How cases are prepared.

    Keys:
        tune: the site's tune split, for demonstrations; none if left out.
        kind: over what the answer's likelihood is normalised; ``labels`` by default, and where validation is looked at.
        prior_free: how common the labels are among the cases is no part of what is tuned (``label_losses``).
        folder: private; takes the keys and values that do not fit the memory allowed.
        stop: looked at between two batches, also of what the objective is asked for later.
    """

    tune: Sequence[Case]
    kind: Literal["labels", "vocabulary"]
    prior_free: bool
    folder: Path | None
    stop: StopToken


def prepare(model: CausalModel, study: Study, cases: Sequence[Case], **how: Unpack[Preparing]) -> MeteredObjective:
    """Return cases prepared for the study's soft template.

    Raises:
        PromptError: the study has no soft slot.
        ModelError, DataError: as of ``prepare_template``.
    """
    if study.soft is None:
        raise PromptError(f"the study '{study.study}' has no soft slot", code="no-soft-slot")
    template, answers = study.soft_template(), true_labels(cases, study.answer)
    return prepare_template(model, template, study.soft.tokens, study.answer.labels, cases, answers, **how)


def prepare_template(
    model: CausalModel,
    template: Template,
    tokens: int,
    labels: Sequence[str],
    cases: Sequence[Case],
    answers: NDArray[np.int64],
    **how: Unpack[Preparing],
) -> MeteredObjective:
    """Return cases prepared for a template's slot of so many tokens.

    Args:
        labels: what is answered among, each with a word of the template.
        answers: [cases], each a label's place.
        how: see ``Preparing``.

    Raises:
        ModelError: the template alone does not fit the model's window, or the model has no format for its messages.
        DataError: too few cases for demonstrations.
    """
    slot = Prompt(template, SoftPrompt(np.zeros((1, 1), np.float32), "slot"))
    shown = Shown(slot.template, how.get("tune", ()))
    fitted = [fitted_query(model, slot, case, labels, shown, soft=tokens) for case in cases]
    asked = [query for query, _ in fitted]
    began = time.perf_counter()
    objective = model.objective(
        asked,
        answers.tolist(),
        tokens,
        kind=how.get("kind", "labels"),
        folder=how.get("folder"),
        stop=how.get("stop", NEVER),
    )
    if how.get("prior_free"):
        objective = objective.under(prior_free_loss(answers, len(labels)))
    return MeteredObjective(objective, time.perf_counter() - began, sum(cut for _, cut in fitted))


def prepare_adapter(
    tunes: TunesAdapters,
    model: CausalModel,
    like: Adapter,
    study: Study,
    cases: Sequence[Case],
    **how: Unpack[Preparing],
) -> MeteredObjective:
    """Return cases prepared for an adapter of the form of ``like``, beside the model that reads the study's template.

    Raises:
        ModelError: the template alone does not fit the model's window, or the model has no format for its messages.
        DataError: an answer is no label, or too few cases for demonstrations.
    """
    prompt, answers = Prompt(study.tuned_template()), true_labels(cases, study.answer)
    shown = Shown(prompt.template, how.get("tune", ()))
    fitted = [fitted_query(model, prompt, case, study.answer.labels, shown) for case in cases]
    began = time.perf_counter()
    objective = tunes.adapter_objective(
        [query for query, _ in fitted],
        answers.tolist(),
        like,
        kind=how.get("kind", "labels"),
        stop=how.get("stop", NEVER),
    )
    if how.get("prior_free"):
        objective = objective.under(prior_free_loss(answers, len(study.answer.labels)))
    return MeteredObjective(objective, time.perf_counter() - began, sum(cut for _, cut in fitted))
