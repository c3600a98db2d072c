"""How long a round waits and how many steps a slow site is asked for, from how long sites took before.

``auto`` waits twice as long as the slowest site ever took, so that a site that was once too slow is admitted the next
time. It is a function of the rounds written, so a run that stopped goes on with the same plan.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from fedprompt.study.schema import Rounds

__all__ = ["SHORTEST", "Took", "allotted_steps", "deadline_of", "pace"]

Took = Mapping[str, Mapping[str, float]]  # step -> site -> seconds, of one round
SHORTEST, UNSEEN = 60.0, 3600.0  # seconds
ROOM = 2.0
SLOWER = 2.0  # than the median site: beyond that a site is asked for fewer steps


def deadline_of(rounds: Rounds, seen: Sequence[Took], step: Literal["tune", "evaluate"]) -> float:
    """Return the seconds that each site has for a step.

    ``auto`` is an hour until a site was seen, and never less than a minute, so that a pause makes nobody late.
    """
    if rounds.deadline != "auto":
        return rounds.deadline
    slowest = max((took for one in seen for took in one.get(step, {}).values()), default=None)
    return UNSEEN if slowest is None else max(SHORTEST, ROOM * slowest)


def pace(seen: Sequence[Took], taken: Sequence[Mapping[str, int]], steps: int) -> dict[str, float]:
    """Return site -> seconds a local step, as last seen.

    Args:
        seen: of each round, how long sites took.
        taken: of each round, the steps of sites that took fewer than ``steps``.
    """
    found: dict[str, float] = {}
    for took, fewer in zip(seen, taken, strict=True):
        found.update({site: seconds / fewer.get(site, steps) for site, seconds in took.get("tune", {}).items()})
    return found


def allotted_steps(paces: Mapping[str, float], steps: int, least: int | None) -> dict[str, int]:
    """Return the steps of the sites that are asked for fewer, so that they need about twice the median site's time.

    Args:
        paces: site -> seconds a step.
        steps: what all others take.
        least: the fewest; None asks ``steps`` of all.
    """
    if least is None or not paces:
        return {}
    most = SLOWER * float(np.median(list(paces.values())))
    slow = {site: seconds for site, seconds in sorted(paces.items()) if seconds > most}
    return {site: max(min(least, steps), int(steps * most / seconds)) for site, seconds in slow.items()}
