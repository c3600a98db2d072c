"""How long an update may be: as the study says, or as long as its own steps can make one.

AdamW moves a number by about the learning rate at a step at most (Kingma and Ba 2015, arXiv 1412.6980, section 2.1), so
an update is ``lr x steps x sqrt(numbers)`` long at most. A bound that the study names is of all its
steps, and of fewer in proportion: a shorter update is scaled up afterwards.
"""

import math

from fedprompt.study.schema import Study

__all__ = ["longest_update"]


def longest_update(study: Study, numbers: int, steps: int) -> float:
    """Return the largest norm of an update of so many steps.

    Args:
        study: its ``privacy.max_norm``, and how it tunes.
        numbers: how many an update has.
        steps: the local steps, at most the study's.
    """
    most = study.privacy.max_norm
    if most == "auto":
        return study.rate * steps * math.sqrt(numbers)
    return most * steps / study.tuning.steps
