"""What the model answers and learns: log-probabilities of prompts on cases, and soft prompts tuned on some of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.joins.tasks import shown_text
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.label_scores import label_scores
from fedprompt.models.protocols import CausalModel, SoftObjective
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Study
from fedprompt.tuning.checkpoint import Checkpoint, Progressed
from fedprompt.tuning.metered import MeteredObjective, prepare, prepare_template
from fedprompt.tuning.settings import TuningSettings
from fedprompt.tuning.steps import tune_tensors

__all__ = ["Asker", "tuned"]

Vectors = NDArray[np.float32]
Table = NDArray[np.float64]


@dataclass(frozen=True)
class _Snapshots(Checkpoint):
    """Keeps the vectors after each step in ``found``, and nothing on disk."""

    found: dict[int, Vectors] = field(default_factory=dict)

    def write(self, state: Progressed, arrays: Mapping[str, Vectors]) -> None:
        """Keep a copy."""
        self.found[state.step] = arrays["vectors"].copy()

    def read(self) -> None:
        """Begin anew."""


def tuned(
    objective: SoftObjective, start: SoftPrompt, lengths: Sequence[int], rate: float, batch: int, words: Sequence[int]
) -> dict[int, Vectors]:
    """Return the vectors after so many steps, by their number; ``words`` name the random stream."""
    kept = _Snapshots(Path(), "")
    settings = TuningSettings(steps=max(lengths), batch=min(batch, len(objective)), lr=rate)
    tune_tensors(objective, start, settings, rng=np.random.default_rng(list(words)), checkpoint=kept)
    return {steps: kept.found[steps] for steps in lengths}


class Asker:
    """A model and a task's study."""

    def __init__(self, model: CausalModel, study: Study) -> None:
        assert study.soft is not None and isinstance(study.soft.init, str)
        self.model, self.study, self.labels = model, study, study.answer.labels
        self.start = model.text_init(study.soft.init, study.soft.tokens)

    def objective(self, cases: Sequence[Case], *, prior_free: bool = False) -> MeteredObjective:
        """Return cases prepared for the soft slot."""
        return prepare(self.model, self.study, cases, prior_free=prior_free)

    def texts(self, cases: Sequence[Case]) -> MeteredObjective:
        """Return cases prepared for the soft slot, whose answers are not looked at: all are given the first label."""
        template, unsaid = self.study.soft_template(), np.zeros(len(cases), dtype=np.int64)
        return prepare_template(self.model, template, self.start.tokens, self.labels, cases, unsaid)

    def templates(self, cases: Sequence[Case]) -> Table:
        """Return [templates, cases, labels] log-probabilities of the untuned templates; each text is read once."""
        return self._asked(self.study.candidates(), cases)

    def shown(self, shown: Sequence[Case], cases: Sequence[Case]) -> Table:
        """Return [cases, labels] with labelled cases standing before each case."""
        text = shown_text(self.study.study)
        before = "".join(f"{text.replace('{text}', case.fields['text'])} {case.answer}\n\n" for case in shown)
        template = Template("shown", text=before.replace("{", "{{").replace("}", "}}") + text)
        found: Table = self._asked([template.with_words(self.labels)], cases)[0]
        return found

    def _asked(self, templates: Sequence[Template], cases: Sequence[Case]) -> Table:
        scores, _ = label_scores(self.model, [Prompt(one) for one in templates], cases, self.study.answer)
        return normalised(scores).transpose(1, 0, 2)

    def soft(self, vectors: Vectors) -> SoftPrompt:
        """Return vectors as a soft prompt of the model."""
        return replace(self.start, vectors=vectors)
