"""What a site has for secure sums, as its verbs see it."""

from collections.abc import Collection
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fedprompt.privacy.secure_sums.fixed_point import FixedPoint
from fedprompt.privacy.secure_sums.masks import Whole
from fedprompt.privacy.secure_sums.participant import Participant
from fedprompt.trust.signing import Signer
from fedprompt.verbs.beside import Beside
from fedprompt.verbs.refusals import Code

__all__ = ["SummingSide"]


class SummingSide(Protocol):
    """What a site has for secure sums."""

    @property
    def signer(self) -> Signer:
        """The site's own key."""
        ...

    @property
    def accepted(self) -> Collection[str] | None:
        """Fingerprints of the sites that may take part; None where whoever asks holds all of them."""
        ...

    def least(self, sites: int) -> int:
        """Return the least cohort where ``sites`` take part and the study names none."""
        ...

    def not_now(self, step: str, round: int) -> Code | None:
        """Say why a step of a round's sum is not taken: the study has none, or it was taken."""
        ...

    def begun(self, round: int, seed: int) -> Participant:
        """Return what was kept of the steps before.

        Raises:
            FederationError: nothing is kept of this round's sum (``wrong-step``).
        """
        ...

    def taken(self, step: str, kept: Participant) -> Beside:
        """Return what is kept beside the answer to a step, so that it is taken once and the next goes on from it."""
        ...

    def vector(self, task: Any, delta: NDArray[np.float32], fixed: FixedPoint) -> Whole:
        """Return a change clipped, made comparable and weighed as whole numbers: [numbers + 1]."""
        ...

    def fixed(self, task: Any, numbers: int) -> FixedPoint:
        """Return how the numbers of a task's sum are written."""
        ...
