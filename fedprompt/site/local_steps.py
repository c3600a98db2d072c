"""The steps of a round at one site: as many as the accepted study lets a task ask, over cases in the site's own order.

Invariant: a round that is answered is one of the study, of a number above all that were answered before among the same
sites, and of at least ``min_cases`` distinct cases; so a hub cannot have one batch at a time, nor one batch twice.
Where the study has a budget of privacy, that bound is on the site's cases, and steps take noised slopes instead.

A first round that begins as the last one did, as tuning alone does, is not run twice; a process that ended goes on from
its checkpoint.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.splits.cutting import Splits
from fedprompt.evaluation.splits.units import unit_numbers
from fedprompt.models.protocols import CaseObjective, LossGradient
from fedprompt.prompts.tensors import Tensors
from fedprompt.site.drawing import Drawing
from fedprompt.site.folder import SiteFolder
from fedprompt.site.private_answers import PrivateAnswers
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.allowed_rounds import last_round, least_steps
from fedprompt.study.schema import Study
from fedprompt.tuning.checkpoint import Checkpoint
from fedprompt.tuning.draws import drawn
from fedprompt.tuning.partly import PartlyMoved, moved_alone
from fedprompt.tuning.private_slope import private_slope
from fedprompt.tuning.settings import settings_of
from fedprompt.tuning.steps import Slope, Tuned, tune_tensors
from fedprompt.verbs.tune import StepsTask

__all__ = ["LocalSteps", "NotTaken"]

NotTaken = Literal["not-allowed", "round-answered", "too-few-cases"]


class LocalSteps:
    """One site's tuning for one study, whose digest is ``digest``."""

    def __init__(
        self,
        folder: SiteFolder,
        study: Study,
        digest: str,
        splits: Splits,
        drawing: Drawing,
        private: PrivateAnswers | None = None,
    ) -> None:
        self._private = private if private is not None and private.plan.covers("tune") else None
        self._folder, self._study, self._digest, self._splits, self._drawing = folder, study, digest, splits, drawing
        self._last: tuple[tuple[Tensors, int], Tuned[Tensors]] | None = None  # round 1, which others may begin with

    def tune(
        self,
        task: StepsTask,
        start: Tensors,
        objective: CaseObjective,
        moving: NDArray[np.bool_] | None,
        question: str,
        stepped: Callable[[StepsTask, int, float], None],
        stop: StopToken = NEVER,
    ) -> Tuned[Tensors]:
        """Take the steps.

        Args:
            objective: the site's tune split.
            moving: which values the round moves; None if all.
            question: what is asked, so that a checkpoint of another task is not gone on with.
            stepped: hears (task, step, loss).
            stop: looked at before each step; the checkpoint of the last one stays.

        Raises:
            TuningError: the loss is no number.
        """
        same = (start, task.steps)
        if task.round == 1 and self._last is not None and self._last[0] == same:
            for step, loss in enumerate(self._last[1].loss, 1):
                stepped(task, step, loss)
            return self._last[1]
        if moving is not None:
            objective = PartlyMoved(objective, moving)
        checkpoint = Checkpoint(self._folder.path / "tuning.safetensors", question)
        tuned = tune_tensors(
            objective,
            start,
            settings_of(self._study, task.round, steps=task.steps),
            rng=self._drawing.rng(self._digest, task.round),
            checkpoint=checkpoint,
            progress=lambda step, loss: stepped(task, step, loss),
            stop=stop,
            slope=self._slope(task, objective, moving),
        )
        checkpoint.remove()
        if task.round == 1:
            self._last = (same, tuned)
        return tuned

    def not_taken(self, task: StepsTask, answered: int, min_cases: int) -> NotTaken | None:
        """Return why the steps of a task are not taken, or None.

        Args:
            answered: the highest number of a round among the same sites that was answered.
            min_cases: the fewest cases that an update may be over, groups counted once.
        """
        study = self._study
        fitting = least_steps(study) <= task.steps <= study.tuning.steps
        if not fitting or task.round > last_round(study, task.among):
            return "not-allowed"
        if task.round <= answered:
            return "round-answered"
        if self._private is not None:  # then nothing is refused by who was drawn
            return None
        return "too-few-cases" if self._drawn_units(task) < min_cases else None

    def _slope(self, task: StepsTask, objective: CaseObjective, moving: NDArray[np.bool_] | None) -> Slope | None:
        """Return what makes noised slopes of a Poisson sample, None where the study's steps carry no noise."""
        private = self._private
        if private is None:
            return None
        units, steps = private.units, private.steps

        def slope(values: NDArray[np.float32], step: int) -> LossGradient:
            random = private.random("step", task.seed, task.among, task.round, step)
            found = private_slope(objective, values, units, steps, random)
            return found if moving is None else moved_alone(found, moving)  # noise moves what is frozen no more

        return slope

    def _drawn_units(self, task: StepsTask) -> int:
        """Count the distinct inputs or groups among the cases that the steps draw."""
        rng = self._drawing.rng(self._digest, task.round)
        rows = drawn(len(self._splits.tune), self._study.tuning.batch, task.steps, rng)
        return len({self._unit_of[row] for row in rows})

    @cached_property
    def _unit_of(self) -> tuple[int, ...]:
        """The number of each tune case's unit."""
        return unit_numbers(self._splits.tune, self._study.fields)
