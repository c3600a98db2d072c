"""What an audit asks the model for: confidences, slopes, shadow prompts and controls, over a site's members and others.

Shadow prompts are kept in the site's folder while the audit runs, so that one that was stopped goes on, and are removed
when its report is written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedprompt.auditing.lira import confidence
from fedprompt.auditing.played import Steps
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.runner import true_labels
from fedprompt.models.protocols import CaseObjective, CausalModel, LossGradient, PerCase
from fedprompt.privacy.plan import plan_of
from fedprompt.private_file import write_private
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.tuning.metered import MeteredObjective, prepare
from fedprompt.tuning.private_slope import PrivateSteps, private_slope
from fedprompt.tuning.schedule import Schedule
from fedprompt.tuning.settings import TuningSettings, settings_of
from fedprompt.tuning.steps import tune_tensors

__all__ = ["Looks", "Shadow", "canary_cases"]

Stepped = Callable[[int, int], None]
OVERFIT_CASES, OVERFIT_STEPS, OVERFIT_RATE = 16, 80, 0.03
PLANTED, NOT_PLANTED = 24, 240
LETTERS = "bcdfghklmnprstvwz"


class _Some:
    """Some rows of an objective, as an objective of their own."""

    def __init__(self, whole: MeteredObjective, rows: NDArray[np.int64]) -> None:
        self._whole, self._rows = whole, rows

    def __len__(self) -> int:
        return len(self._rows)

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        return self._whole.loss_and_gradient(vectors, [int(self._rows[row]) for row in rows])

    def per_case(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> PerCase:
        return self._whole.per_case(vectors, [int(self._rows[row]) for row in rows])

    def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return self._whole.loglikelihoods(vectors)[self._rows]


@dataclass(frozen=True, eq=False)
class Shadow:
    """A prompt tuned on the cases ``inside`` ([cases] bool), and its ``confidences`` ([cases] float64) in all."""

    inside: NDArray[np.bool_]
    confidences: NDArray[np.float64]


class Looks:
    """A model, a study, and a site's cases: the first ``members`` were tuned on."""

    def __init__(
        self,
        model: CausalModel,
        study: Study,
        members: Sequence[Case],
        others: Sequence[Case],
        start: SoftPrompt,
        folder: Path,
        stop: StopToken = NEVER,
    ) -> None:
        self._model, self._study, self._folder, self._stop = model, study, folder, stop
        self.cases = (*members, *others)
        self.members = np.arange(len(self.cases)) < len(members)
        self.answers = true_labels(self.cases, study.answer)
        self.start, self._tune = start, members
        plan = plan_of(study)
        self._plan = plan if plan is not None and plan.covers("tune") and plan.dp.unit == "case" else None
        self.settings = settings_of(study, 1, steps=study.rounds.count * study.tuning.steps)
        self._objective = prepare(model, study, self.cases, tune=members, stop=stop)

    @property
    def claimed(self) -> tuple[float, float] | None:
        """The epsilon and delta that the study promises for its tuning, None where its steps carry no noise."""
        return None if self._plan is None else (self._plan.dp.epsilon, self._plan.dp.at_delta)

    @property
    def steps(self) -> Steps:
        """How the study tunes, all rounds together."""
        return Steps(self.settings.steps, self.settings.batch, self.settings.lr)

    def confidences(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return [cases] log-odds of the true labels."""
        return confidence(self._logs(self._objective, vectors), self.answers)

    def slopes(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return [cases, values]: the slope of each case's own loss."""
        found = self._objective.per_case(vectors, range(len(self.cases))).gradients
        return found.reshape(len(self.cases), -1)

    def shadow(self, number: int, seed: int, stepped: Stepped) -> Shadow:
        """Tune on each case by the toss of a coin; one that is kept already is read."""
        rng = np.random.default_rng([seed, number, 1])
        inside = rng.random(len(self.cases)) < 0.5
        if not inside.any():
            inside[0] = True
        kept = self._folder / f"shadow-{number}.safetensors"
        if (found := _read(kept, inside)) is not None:
            return found
        vectors = self._tuned(_Some(self._objective, np.flatnonzero(inside)), self.settings, rng, stepped)
        made = Shadow(inside, self.confidences(vectors))
        _write(kept, made)
        return made

    def overfitted(self, seed: int, stepped: Stepped) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the confidences of the few cases that a prompt was tuned on for far too long, and those of others."""
        rows = np.flatnonzero(self.members)[:OVERFIT_CASES]
        rng = np.random.default_rng([seed, 2])
        settings = replace(
            self.settings,
            steps=OVERFIT_STEPS,
            batch=len(rows),
            lr=max(OVERFIT_RATE, self.settings.lr),
            schedule=Schedule(),
            accumulate=1,
            proximal=0.0,
        )
        vectors = self._tuned(_Some(self._objective, rows), settings, rng, stepped, noised=False)
        found = self.confidences(vectors)
        return found[rows], found[~self.members]

    def canaries(self, seed: int, stepped: Stepped) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the losses of made-up cases that were planted among the members, and of those that were not."""
        from fedprompt.tuning.pooled import PooledObjective

        made = canary_cases(self._study, PLANTED + NOT_PLANTED, seed)
        asked = prepare(self._model, self._study, made, tune=self._tune, stop=self._stop)
        members = _Some(self._objective, np.flatnonzero(self.members))
        planted = _Some(asked, np.arange(PLANTED))
        rng = np.random.default_rng([seed, 3])
        vectors = self._tuned(PooledObjective([members, planted]), self.settings, rng, stepped)
        logs, answers = self._logs(asked, vectors), true_labels(made, self._study.answer)
        losses: NDArray[np.float64] = -logs[np.arange(len(made)), answers]
        return losses[:PLANTED], losses[PLANTED:]

    def _tuned(
        self,
        objective: CaseObjective,
        settings: TuningSettings,
        rng: np.random.Generator,
        stepped: Stepped,
        *,
        noised: bool = True,
    ) -> NDArray[np.float32]:
        """Tune as the study does, with its noise where it has some."""
        told = tune_tensors(
            objective,
            self.start,
            replace(settings, batch=min(settings.batch, len(objective))),
            rng=rng,
            progress=lambda step, _: stepped(step, settings.steps),
            stop=self._stop,
            slope=self._slope(objective, rng) if noised else None,
        )
        return told.end.vectors

    def _slope(
        self, objective: CaseObjective, rng: np.random.Generator
    ) -> Callable[[NDArray[np.float32], int], LossGradient] | None:
        if self._plan is None:
            return None
        plan, units = self._plan, [[row] for row in range(len(objective))]
        steps = PrivateSteps(plan.rate, plan.dp.clip, plan.step, plan.rate * plan.dp.cases)
        return lambda values, step: private_slope(objective, values, units, steps, rng.bytes)

    @staticmethod
    def _logs(objective: MeteredObjective, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        from scipy.special import log_softmax

        found: NDArray[np.float64] = log_softmax(objective.loglikelihoods(vectors), axis=1)
        return found


def canary_cases(study: Study, count: int, seed: int) -> list[Case]:
    """Return made-up cases: words that no language has, and a label drawn for each."""
    rng = np.random.default_rng([seed, 4])

    def word() -> str:
        pairs = zip(rng.choice(list(LETTERS), 3), rng.choice(list("aeiou"), 3), strict=True)
        return "".join(f"{one}{other}" for one, other in pairs)

    return [
        Case(
            {name: " ".join(word() for _ in range(5)) for name in study.fields},
            study.answer.labels[int(rng.integers(len(study.answer.labels)))],
        )
        for _ in range(count)
    ]


def _write(path: Path, shadow: Shadow) -> None:
    from safetensors.numpy import save

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, save({"inside": shadow.inside.astype(np.uint8), "confidences": shadow.confidences}))


def _read(path: Path, inside: NDArray[np.bool_]) -> Shadow | None:
    """Return a kept shadow; one that cannot be read, or is of other cases, is tuned anew."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        held = load(path.read_bytes())
        found = Shadow(held["inside"].astype(bool), held["confidences"].astype(np.float64))
    except (OSError, SafetensorError, KeyError):
        return None
    same = found.confidences.shape == inside.shape and np.array_equal(found.inside, inside)
    return found if same else None
