"""Rounds as a curious hub asks them: as many as a site answers, with seeds, steps and starts of the hub's choosing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.attackers.conversation import CuriousHub
from fedprompt.study.allowed_rounds import Among, least_steps

__all__ = ["Round", "ask_rounds"]

AMONG: tuple[Among, ...] = ("all", "group", "alone")
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


def ask_rounds(hub: CuriousHub, starts: Sequence[NDArray[np.float32]], *, single: bool, seed: int = 0) -> list[Round]:
    """Return the rounds that the site answered, whomever they are among, one for each start until it refuses to go on.

    Args:
        single: ask for single steps, and for the fewest that the study has only where these are refused.
        seed: of the seeds that the hub chooses.
    """
    rng, found = np.random.default_rng(seed), list[Round]()
    wanted = [1] if single else []
    for among in AMONG:
        ways, refused = [*wanted, least_steps(hub.study)], 0
        for number, start in enumerate(starts, 1):
            update, chosen = None, int(rng.integers(2**62))
            while update is None and ways:
                update = hub.tune(start, round=number, steps=ways[0], seed=chosen, among=among)
                if update is None and len(ways) == 1:
                    break
                ways = ways if update is not None else ways[1:]
            if update is not None:
                found.append(Round(number, chosen, ways[0], start, update.delta, update.loss))
            refused = 0 if update is not None else refused + 1
            if refused == REFUSALS:
                break
    return found
