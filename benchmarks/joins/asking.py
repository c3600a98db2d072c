"""What the model answers and learns: log-probabilities of prompts on cases, and soft prompts tuned on some of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.joins.tasks import shown_text
from fedprompt.evaluation.cases import Case
from fedprompt.models.protocols import CausalModel, ChoiceQuery, LossGradient, PreparedObjective, SoftObjective
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Study
from fedprompt.tuning.checkpoint import Checkpoint, Progressed
from fedprompt.tuning.metered import MeteredObjective, prepare
from fedprompt.tuning.settings import TuningSettings
from fedprompt.tuning.soft import tune_soft

__all__ = ["Asker", "Some", "tuned"]

Vectors = NDArray[np.float32]
Table = NDArray[np.float64]


class Some:
    """Some cases of an objective, as an objective."""

    def __init__(self, whole: SoftObjective, rows: Sequence[int]) -> None:
        self._whole, self._rows = whole, list(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def loss_and_gradient(self, vectors: Vectors, rows: Sequence[int]) -> LossGradient:
        """Return the mean loss over the cases ``rows`` and its gradient."""
        return self._whole.loss_and_gradient(vectors, [self._rows[row] for row in rows])

    def loglikelihoods(self, vectors: Vectors) -> Table:
        """Return those of the whole's that are its own."""
        return self._whole.loglikelihoods(vectors)[self._rows]


class _Snapshots(Checkpoint):
    """Keeps the vectors after some of the steps, in memory."""

    def __init__(self, wanted: Sequence[int]) -> None:
        super().__init__(Path("-"), "")
        object.__setattr__(self, "found", dict.fromkeys(wanted))

    def write(self, state: Progressed, arrays: Mapping[str, Vectors]) -> None:
        """Keep a copy."""
        if state.step in self.found:  # type: ignore[attr-defined]
            self.found[state.step] = arrays["vectors"].copy()  # type: ignore[attr-defined]

    def read(self) -> None:
        """Begin anew."""


def tuned(
    objective: SoftObjective, start: SoftPrompt, lengths: Sequence[int], rate: float, batch: int, words: Sequence[int]
) -> dict[int, Vectors]:
    """Return the vectors after so many steps, by their number; ``words`` name the random stream."""
    kept = _Snapshots(lengths)
    settings = TuningSettings(steps=max(lengths), batch=min(batch, len(objective)), lr=rate)
    tune_soft(objective, start, settings, rng=np.random.default_rng(list(words)), checkpoint=kept)
    return dict(kept.found)  # type: ignore[attr-defined]


class Asker:
    """A model and a task's study."""

    def __init__(self, model: CausalModel, study: Study) -> None:
        assert study.soft is not None and isinstance(study.soft.init, str)
        self.model, self.study, self.labels = model, study, study.answer.labels
        self.start = model.text_init(study.soft.init, study.soft.tokens)

    def objective(self, cases: Sequence[Case]) -> MeteredObjective:
        """Return cases prepared for the soft slot."""
        return prepare(self.model, self.study, cases)

    def texts(self, cases: Sequence[Case]) -> PreparedObjective:
        """Return cases prepared for the soft slot, whose answers are not looked at: all are given the first label."""
        template, words = self.study.soft_template(), tuple(f" {label}" for label in self.labels)
        asked = [ChoiceQuery(template.render(case.fields), words) for case in cases]
        return self.model.objective(asked, [0] * len(asked), self.start.tokens)

    def templates(self, cases: Sequence[Case]) -> Table:
        """Return [templates, cases, labels] log-probabilities of the untuned templates; each text is read once."""
        words = tuple(f" {label}" for label in self.labels)
        held = [spec.template() for spec in self.study.templates]
        asked = [ChoiceQuery(template.render(case.fields), words) for case in cases for template in held]
        found = normal(np.array(self.model.choices(asked).loglikelihoods))
        return found.reshape(len(cases), len(held), -1).transpose(1, 0, 2)

    def shown(self, shown: Sequence[Case], cases: Sequence[Case]) -> Table:
        """Return [cases, labels] with labelled cases standing before each case."""
        text = shown_text(self.study.study)
        before = "".join(f"{text.replace('{text}', case.fields['text'])} {case.answer}\n\n" for case in shown)
        template = Template("shown", text=before.replace("{", "{{").replace("}", "}}") + text)
        words = tuple(f" {label}" for label in self.labels)
        asked = [ChoiceQuery(template.render(case.fields), words) for case in cases]
        return normal(np.array(self.model.choices(asked).loglikelihoods))

    def soft(self, vectors: Vectors) -> SoftPrompt:
        """Return vectors as a soft prompt of the model."""
        return replace(self.start, vectors=vectors)


def normal(table: Table) -> Table:
    """Return log-probabilities over the labels."""
    top = table - table.max(axis=1, keepdims=True)
    found: Table = top - np.log(np.exp(top).sum(axis=1, keepdims=True))
    return found
