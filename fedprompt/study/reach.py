"""How far an honest hub's prompt can lie from where the study's rounds start.

A site's steps move a number by the learning rate at most, and a strategy makes of such updates a step that is about as
long: with momentum longer, by the sum of its series. So whatever lies further away was made by nobody's rounds.
Invariant: what an honest hub sends is never refused, since strategies whose steps have no such bound give none.
"""

import math

from fedprompt.strategies.registry import strategy_named
from fedprompt.study.allowed_rounds import Among
from fedprompt.study.schema import Study

__all__ = ["reach", "rounds_before"]

SLACK = 2.0  # medians of long updates may be longer than each; and float32 rounds
BOUNDED = frozenset(
    {
        "fedavg",
        "fedprox",
        "median",
        "trimmed-mean",
        "geometric-median",
        "multi-krum",
        "bulyan",
        "nearest-mixing",
        "flame",
        "norm-bounded-mean",
    }
)
NEARLY = 1e-3  # of rounding, where nothing may have moved yet


def reach(study: Study, numbers: int, rounds: int) -> float:
    """Return the longest distance (Euclidean) from the study's start after so many rounds; infinity if none is known.

    Args:
        study: how it tunes, and its strategy.
        numbers: how many numbers its rounds move.
        rounds: how many rounds were taken before.
    """
    strategy = study.rounds.strategy
    once = study.rate * study.tuning.steps * math.sqrt(numbers)
    if strategy.name == "fedavgm":
        once *= strategy.options["lr"] / (1 - strategy.options["momentum"])
    elif strategy.name not in BOUNDED:
        return math.inf
    return SLACK * once * max(0, rounds) + NEARLY


def rounds_before(study: Study, number: int, among: Among) -> int | None:
    """Return how many rounds may lie between the study's start and round ``number``; None if all of them may."""
    waits = strategy_named(study.rounds.strategy.name).schedule == "rounds"
    return number - 1 if waits and among != "group" else None
