"""FedNova: Wang et al. 2020, arXiv 2007.07481, equation 8: updates of unequal numbers of steps, made comparable.

A site that took fewer local steps sends a shorter update, and averaging as it stands would pull the aggregate towards
the sites that are fast. So each update is divided by its own steps and multiplied by the effective steps, which the
server may choose (section 4.2): here the study's. Each update then stands for as many steps, whatever the strategy.
"""

import numpy as np

from fedprompt.strategies.strategy import Update

__all__ = ["normalised"]


def normalised(update: Update, taken: int, effective: int) -> Update:
    """Return the update as if the site had taken ``effective`` steps instead of ``taken``."""
    if taken == effective:
        return update
    return Update(update.site, update.delta * np.float32(effective / taken), update.cases)
