"""What an audit may say: that it found a leak, that it found none it could see, or that it cannot tell. Never more.

Invariant: nothing is said to be private. Few cases, an interval that does not rule out a leak, or a control that
was not found give "cannot tell", whatever the figures look like.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fedprompt.evaluation.statistics.holm import holm

__all__ = ["LEAST", "LEVEL", "WIDEST", "Verdict", "Weighed", "weigh"]

Verdict = Literal["leak", "none-seen", "cannot-tell"]
Reason = Literal["", "few-cases", "control-missed", "too-wide"]
LEAST = 30  # members and others below which nothing is ruled out
WIDEST = 0.60  # an AUC that the interval has to lie below, or a leak of that size may have been missed
LEVEL = 0.05


@dataclass(frozen=True)
class Weighed:
    """The verdict, why it cannot tell, the corrected p-values in the order given, and which tests found something."""

    verdict: Verdict
    reason: Reason
    adjusted: tuple[float, ...]
    found: tuple[bool, ...]


def weigh(
    p: Sequence[float], upper: Sequence[float], members: int, others: int, *, controls: bool, certain: bool = False
) -> Weighed:
    """Return the verdict over all tests together (Holm at 5 %).

    Args:
        p: one-sided p-values of no leak, one a test.
        upper: the upper ends of the AUCs' 95 % intervals.
        members: cases that were tuned on.
        others: cases that were not.
        controls: whether every control was found.
        certain: a leak that needs no test, such as a case that is quoted.
    """
    adjusted = holm(p)
    found = tuple(one < LEVEL for one in adjusted)
    if certain or any(found):
        return Weighed("leak", "", adjusted, found)
    if min(members, others) < LEAST:
        return Weighed("cannot-tell", "few-cases", adjusted, found)
    if not controls:
        return Weighed("cannot-tell", "control-missed", adjusted, found)
    if max(upper, default=1.0) > WIDEST:
        return Weighed("cannot-tell", "too-wide", adjusted, found)
    return Weighed("none-seen", "", adjusted, found)
