"""What secure sums need at a site: its key, who may take part, and what it keeps from one step to the next.

Invariant: each step of a round's sum is answered once. What is kept is written with the reply that it belongs to, and
holds no secret once the sum is known.
"""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from fedprompt.boundary.checked import Bounds, Unfit, checked_json
from fedprompt.errors import FederationError
from fedprompt.evaluation.splits.cutting import Splits
from fedprompt.privacy.secure_sums.fixed_point import FixedPoint
from fedprompt.privacy.secure_sums.masks import Whole
from fedprompt.privacy.secure_sums.participant import Participant
from fedprompt.site.drawing import Drawing
from fedprompt.site.folder import SiteFolder
from fedprompt.site.tally import Tally
from fedprompt.strategies.clipping import clip
from fedprompt.study.allowed_rounds import last_round
from fedprompt.study.schema import Study
from fedprompt.study.update_bound import longest_update
from fedprompt.trust.signing import Signer, site_signer
from fedprompt.verbs.beside import Beside, Rise
from fedprompt.verbs.refusals import Code
from fedprompt.verbs.sums.update import SumTuneTask, fixed_point

__all__ = ["ForSums", "weight_of"]

KEPT = "sum"
BOUNDS = Bounds(16 * 1024 * 1024, values=20_000, nested=2_000, members=300, depth=6, digits=400)


def weight_of(splits: Splits, study: Study) -> int:
    """Return by how many cases a site counts: its tune cases, or what a budget of privacy takes all sites to have."""
    return study.dp.cases if study.dp is not None and study.dp.tunes else len(splits.tune)


class ForSums:
    """Implements ``verbs.summing_side.SummingSide`` for one study; ``cases`` is how many there are to tune on."""

    def __init__(
        self, folder: SiteFolder, study: Study, digest: str, drawing: Drawing, tally: Tally, cases: int, bounded: bool
    ) -> None:
        self._folder, self._study, self._digest, self._drawing = folder, study, digest, drawing
        self._tally, self._cases, self._bounded = tally, cases, bounded

    @property
    def signer(self) -> Signer:
        """The site's own key."""
        return site_signer(self._folder.key)

    @property
    def accepted(self) -> Collection[str] | None:
        """Fingerprints of the sites that may take part; None where whoever asks holds all of them."""
        sums = self._study.rounds.secure_sums
        return None if sums is None or sums.sites is None else set(sums.sites.values())

    def least(self, sites: int) -> int:
        """Return the least cohort where ``sites`` take part and the study names none."""
        sums = self._study.rounds.secure_sums
        assert sums is not None
        return sums.least_of(sites)

    def not_now(self, step: str, round: int) -> Code | None:
        """Say why a step of a round's sum is not taken: the study has none, or it was taken."""
        sums = self._study.rounds.secure_sums
        if sums is None or (self._bounded and sums.sites is None):
            return "not-allowed"  # a hub could add sites of its own
        if round > last_round(self._study, "all"):
            return "not-allowed"
        return "wrong-step" if round <= self._tally.number("rounds", self._scope(step)) else None

    def begun(self, round: int, seed: int) -> Participant:
        """Return what was kept of the steps before.

        Raises:
            FederationError: nothing is kept of this round's sum (``wrong-step``).
        """
        data = self._folder.replies.kept("sums", self._scope(KEPT))
        try:
            found = None if data is None else checked_json(Participant, data, BOUNDS)
        except Unfit:
            found = None
        if found is None or (found.round, found.seed) != (round, seed):
            raise FederationError("this site keeps nothing of the secure sum that it is asked for", code="wrong-step")
        return found

    def taken(self, step: str, kept: Participant) -> Beside:
        """Return what is kept beside the answer to a step, so that it is taken once and the next goes on from it."""
        state = kept.model_dump_json().encode()
        return {"sums": {self._scope(KEPT): state}, "rounds": {self._scope(step): Rise(kept.round)}}

    def fixed(self, task: SumTuneTask, numbers: int) -> FixedPoint:
        """Return how the numbers of a task's sum are written."""
        return fixed_point(self._study, numbers, task.most, len(task.givers))

    def vector(self, task: SumTuneTask, delta: NDArray[np.float32], fixed: FixedPoint) -> Whole:
        """Return a change (float32) clipped, made comparable and weighed: [numbers + 1].

        A change of fewer steps than the study's is made as long as one of all of them (FedNova), as a hub does it where
        it sees updates.
        """
        steps = self._study.tuning.steps
        short = clip(delta, longest_update(self._study, delta.size, task.steps))
        whole = short if task.steps == steps else short * np.float32(steps / task.steps)
        return fixed.encoded(whole, min(self._cases, task.most))

    def _scope(self, what: str) -> str:
        return self._drawing.scope(self._digest, what)
