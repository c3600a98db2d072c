"""Who is attacked: a site's real worker, and the texts that the attacker holds, half of which are cases of that site.

The attacker has the model too, so that whatever a prompt does to a text it computes for itself (``OwnCopy``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.attackers.conversation import CuriousHub
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.runner import true_labels
from fedprompt.models.protocols import CausalModel
from fedprompt.site.worker import Worker
from fedprompt.study.schema import Study
from fedprompt.study.score import SplitName
from fedprompt.tuning.metered import MeteredObjective, prepare

__all__ = ["OwnCopy", "Target"]


@dataclass(frozen=True)
class Target:
    """``others`` are cases of the same kind that the site has in no split."""

    worker: Worker
    study: Study
    model: CausalModel
    others: tuple[Case, ...]

    def hub(self) -> CuriousHub:
        """Return a hub that asks this site."""
        return CuriousHub(self.worker.handle, self.study, self.model.info.digest)

    def members(self, split: SplitName) -> tuple[Case, ...]:
        """Return the cases of a split, which the attacker holds as texts but does not know to be there."""
        return tuple(self.worker.side.splits.cases(split))

    def candidates(self, split: SplitName) -> tuple[Case, ...]:
        """Return what the attacker holds: the members, then the others."""
        return (*self.members(split), *self.others)

    def apart(self, split: SplitName, guesses: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the guesses of the members and those of the others."""
        count = len(self.members(split))
        return guesses[:count], guesses[count:]


class OwnCopy:
    """The candidates on the attacker's own machine, with the same model; ``labels`` [candidates] are their answers."""

    def __init__(self, model: CausalModel, study: Study, cases: Sequence[Case]) -> None:
        self._objective: MeteredObjective = prepare(model, study, cases)
        self.labels = true_labels(cases, study.answer)
        self._slopes: dict[bytes, NDArray[np.float32]] = {}

    def __len__(self) -> int:
        """How many candidates there are."""
        return len(self.labels)

    def losses(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return [candidates, labels]: the loss that each candidate would have under each label."""
        from scipy.special import log_softmax

        found: NDArray[np.float64] = -log_softmax(self._objective.loglikelihoods(vectors), axis=1)
        return found

    def gradients(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return [candidates, tokens x width]: the slope of each candidate's own loss."""
        name = vectors.tobytes()
        if name not in self._slopes:
            found = self._objective.per_case(vectors, range(len(self))).gradients
            self._slopes[name] = found.reshape(len(self), -1)
        return self._slopes[name]
