"""How long an update of weights may be: as the study says, or as long as its own steps can make one.

AdamW moves a number by about the learning rate at a step at most, as in ``study.update_bound``; weight decay adds a
share of the weights' own length.
"""

import math

from fedprompt.study.pretraining import Pretraining
from fedprompt.study.schema import Privacy

__all__ = ["longest_weights_update"]

ROOM = 1.5


def longest_weights_update(pretraining: Pretraining, privacy: Privacy, size: int) -> float:
    """Return the largest norm of a round's update of ``size`` weights."""
    if privacy.max_norm != "auto":
        return privacy.max_norm
    return ROOM * pretraining.lr * pretraining.steps * math.sqrt(size)
