"""What makes log-probabilities honest: a temperature, and a bias for each label.

This is bias-corrected temperature scaling (Alexandari, Kundaje and Shrikumar 2020, arXiv 1901.06852, section 3).
``label_shift`` fits one; a pack may hold one of its donors, and is read as hostile. Invariant: every number is bounded.
"""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedprompt.adapting.log_probabilities import normalised
from fedprompt.boundary.closed import Closed
from fedprompt.prompts.adapted import MOST_LABELS

__all__ = ["HIGHEST", "LOWEST", "Calibration"]

LOWEST, HIGHEST = 0.05, 20.0  # of the temperature


class Calibration(Closed):
    """Log-probabilities are divided by ``temperature``, and then the ``bias`` of each label is added."""

    temperature: Annotated[float, Field(ge=LOWEST, le=HIGHEST)]
    bias: Annotated[tuple[Annotated[float, Field(ge=-50, le=50)], ...], Field(min_length=1, max_length=MOST_LABELS)]

    def of(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the calibrated log-probabilities of ``table`` ([cases, labels]).

        Raises:
            ValueError: it has another number of labels.
        """
        known = normalised(table)
        if known.shape[-1] != len(self.bias):
            raise ValueError(f"a calibration of {len(self.bias)} labels does not fit {known.shape[-1]}")
        return normalised(known / self.temperature + np.array(self.bias))
