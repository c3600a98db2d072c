"""The steps of a round at one site: as many as the task asks, under the site's own stream of random numbers.

A first round that begins as the last one did, as tuning alone does, is not run twice; a process that ended goes on from
its checkpoint.
"""

import hashlib
from collections.abc import Callable

import numpy as np

from fedprompt.models.protocols import SoftObjective
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.site.folder import SiteFolder
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.tuning.checkpoint import Checkpoint
from fedprompt.tuning.settings import settings_of
from fedprompt.tuning.soft import Tuned, tune_soft
from fedprompt.verbs.tune import TuneTask

__all__ = ["LocalSteps", "round_rng", "site_seed"]


def site_seed(name: str) -> int:
    """Return the number that stands for a site in ``SeedSequence([seed, site, round])``."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def round_rng(seed: int, name: str, number: int) -> np.random.Generator:
    """Return the stream of random numbers that a site has in a round of a run with this seed."""
    return np.random.default_rng(np.random.SeedSequence([seed, site_seed(name), number]))


class LocalSteps:
    """One site's tuning for one study."""

    def __init__(self, name: str, folder: SiteFolder, study: Study) -> None:
        self._name, self._folder, self._study = name, folder, study
        self._last: tuple[tuple[SoftPrompt, int, int, int], Tuned] | None = None  # round 1, which others may begin with

    def tune(
        self,
        task: TuneTask,
        start: SoftPrompt,
        objective: SoftObjective,
        question: str,
        stepped: Callable[[TuneTask, int, float], None],
        stop: StopToken = NEVER,
    ) -> Tuned:
        """Take the steps.

        Args:
            objective: the site's tune split.
            question: what is asked, so that a checkpoint of another task is not gone on with.
            stepped: hears (task, step, loss).
            stop: looked at before each step; the checkpoint of the last one stays.

        Raises:
            TuningError: the loss is no number.
        """
        same = (start, task.seed, task.round, task.steps)
        if self._last is not None and self._last[0] == same:
            for step, loss in enumerate(self._last[1].loss, 1):
                stepped(task, step, loss)
            return self._last[1]
        checkpoint = Checkpoint(self._folder.path / "tuning.safetensors", question)
        tuned = tune_soft(
            objective,
            start,
            settings_of(self._study, task.round, steps=task.steps),
            rng=round_rng(task.seed, self._name, task.round),
            checkpoint=checkpoint,
            progress=lambda step, loss: stepped(task, step, loss),
            stop=stop,
        )
        checkpoint.remove()
        if task.round == 1:
            self._last = (same, tuned)
        return tuned
