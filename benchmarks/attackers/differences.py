"""What one answer says beside another: the same question to a study and its twin, or before and after a case came.

The hub has nothing but counts over many cases. Where two of them differ by one case that it knows, or may be asked
twice as often under two names, their difference is that case.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.attackers.conversation import CuriousHub
from benchmarks.attackers.scores import ask_scores
from fedprompt.study.score import Score, SplitName

__all__ = ["Grown", "answered_over_studies", "grown_by_one"]

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Grown:
    """What the hub makes of two counts of the same split: how many cases came, and how many of them were right."""

    cases: int
    right: tuple[int, ...]


def answered_over_studies(hubs: Sequence[CuriousHub], soft: Sequence[Vectors], split: SplitName) -> list[int]:
    """Return how many prompts each study's site answered, each asked for others than those before it.

    Args:
        soft: prompts, dealt to the hubs in turn.
    """
    return [
        len(ask_scores(hub, [soft[at] for at in range(place, len(soft), len(hubs))], split, together=False))
        for place, hub in enumerate(hubs)
    ]


def grown_by_one(before: Sequence[Score], after: Sequence[Score]) -> Grown:
    """Return what the same questions tell of the cases that came between the two times."""
    came = {b.n - a.n for a, b in zip(before, after, strict=True)}
    return Grown(max(came), tuple(round(b.total - a.total) for a, b in zip(before, after, strict=True)))
