"""Rounds as a curious hub asks them: as many as a site answers, with seeds, steps and starts of the hub's choosing."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from benchmarks.attackers.conversation import CuriousHub

__all__ = ["Round", "ask_rounds"]

REFUSALS = 3  # in a row, after which the hub gives up


@dataclass(frozen=True, eq=False)
class Round:
    """One answered round: what was asked, the update ([tokens, width] float32), and the loss where one was told."""

    number: int
    seed: int
    steps: int
    start: NDArray[np.float32]
    delta: NDArray[np.float32]
    loss: float | None


def ask_rounds(hub: CuriousHub, starts: Iterable[NDArray[np.float32]], *, single: bool, seed: int = 0) -> list[Round]:
    """Return the rounds that the site answered, one for each start until it refuses to go on.

    Args:
        single: ask for single steps, and for the study's own number of them only where these are refused.
        seed: of the seeds that the hub chooses.
    """
    rng, whole = np.random.default_rng(seed), hub.study.tuning.steps
    steps, refused = 1 if single else whole, 0
    found: list[Round] = []
    for number, start in zip(count(1), starts, strict=False):
        chosen = int(rng.integers(2**62))
        update = hub.tune(start, round=number, steps=steps, seed=chosen)
        if update is None and steps != whole:
            steps = whole
            update = hub.tune(start, round=number, steps=steps, seed=chosen)
        if update is not None:
            found.append(Round(number, chosen, steps, start, update.delta, update.loss))
        refused = 0 if update is not None else refused + 1
        if refused == REFUSALS:
            break
    return found
