"""Finishing at home: few slow steps from a shared soft prompt, pulled back to it, and a part of the way kept.

Fine-tuning what was averaged is hard to beat where sites differ (Yu, Bagdasaryan and Shmatikov 2020, arXiv 2002.04758;
Cheng, Chadha and Duchi 2021, arXiv 2108.07313). The pull is FedProx's term (Li et al. 2020, arXiv 1812.06127,
equation 2), ``mu / 2 |p - start|^2``; keeping a part of the way is WiSE-FT (Wortsman et al. 2021, arXiv 2109.01903,
equation 1). Prior: the shared prompt. Invariant: no step, no share or no case leaves it as it came.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.settings import AtN
from fedprompt.tuning.schedule import Schedule
from fedprompt.tuning.settings import TuningSettings

__all__ = ["finishing_settings", "interpolated"]


def finishing_settings(base: TuningSettings, settings: AtN) -> TuningSettings:
    """Return how a shared prompt is finished: as a home tunes with few cases, slower, with as many steps as are set.

    Args:
        base: how a home tunes; its batch and the parts that it is cut into stay.
        settings: for the site's number of cases.
    """
    rate = base.lr * settings.rate
    return replace(base, steps=settings.steps, lr=rate, schedule=Schedule(), proximal=settings.mu)


def interpolated(start: NDArray[np.float32], tuned: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Return ``share`` of what was tuned and the rest of where it started, vector by vector ([tokens, width]).

    Raises:
        ValueError: the shapes differ, or the share lies outside 0 to 1.
    """
    if start.shape != tuned.shape or not 0 <= share <= 1:
        raise ValueError(f"a share of {share} between shapes {start.shape} and {tuned.shape} cannot be taken")
    found: NDArray[np.float32] = (share * tuned.astype(np.float64) + (1 - share) * start).astype(np.float32)
    return found
