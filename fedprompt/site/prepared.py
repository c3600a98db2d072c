"""A site's splits prepared for what its study's rounds move: each made once, kept from one round to the next."""

from collections.abc import Sequence
from pathlib import Path

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.splits.cutting import Splits
from fedprompt.models.protocols import CausalModel
from fedprompt.models.work import Work
from fedprompt.stopping import StopToken
from fedprompt.study.schema import Study
from fedprompt.study.score import SplitName
from fedprompt.tuning.metered import MeteredObjective
from fedprompt.tuning.tunables.tunable import Tunable

__all__ = ["PreparedSplits"]


class PreparedSplits:
    """``folder`` is private and takes what does not fit the memory allowed; ``stop`` is looked at between batches."""

    def __init__(self, study: Study, tunable: Tunable, splits: Splits, folder: Path, stop: StopToken) -> None:
        self._study, self._tunable, self._splits, self._folder, self._stop = study, tunable, splits, folder, stop
        self._made: dict[SplitName, MeteredObjective] = {}

    def of(self, model: CausalModel, split: SplitName) -> MeteredObjective:
        """Return a split; ``tune`` with the study's own loss, any other with likelihoods over the labels."""
        if split not in self._made:
            tuned, tuning = split == "tune", self._study.tuning
            self._made[split] = self._tunable.objective(
                model,
                self._study,
                self._splits.cases(split),
                tune=self._splits.tune,
                kind=tuning.objective if tuned else "labels",
                prior_free=tuned and tuning.prior_free,
                folder=self._folder,
                stop=self._stop,
            )
        return self._made[split]

    def some(self, model: CausalModel, cases: Sequence[Case]) -> MeteredObjective:
        """Return some cases, prepared as those of ``tune`` are and kept by nobody."""
        return self._tunable.objective(
            model,
            self._study,
            cases,
            tune=self._splits.tune,
            kind=self._study.tuning.objective,
            folder=self._folder,
            stop=self._stop,
        )

    @property
    def work(self) -> Work:
        """What the model did for the splits so far."""
        return sum((made.work for made in self._made.values()), Work())
