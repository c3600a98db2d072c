"""What joining gave in the demo, in numbers and sentences: the newcomer's curve, and what donors gained at home.

Invariant: the sentences say what the numbers say, also where joining did not pay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.statistics.cases_needed import cases_needed
from fedprompt.evaluation.statistics.crossed import crossed_mean
from fedprompt.workspace.demo.newcomer import FIRST, TUNED, Drawn, SharedPrompts
from fedprompt.workspace.demo.tasks import NewcomerSizes
from fedprompt.workspace.results.points import of_100, points
from fedprompt.workspace.results.worth import CurvePoint
from fedprompt.workspace.rounds.result_table import Difference

__all__ = [
    "WAYS",
    "DonorsGain",
    "MemberWeight",
    "NewcomerPoint",
    "NewcomerResult",
    "donors_sentence",
    "newcomer_result",
    "newcomer_sentence",
]

# Without a labelled case there is nothing to choose a template by. Of equals the one that stands first is taken.
WAYS: Mapping[str, str] = {
    TUNED: "tuned at home",
    "shown": "cases shown",
    "encoder+templates": "encoder and templates",
    "templates": "templates mixed",
    "template": "best template",
    "encoder": "encoder",
    FIRST: "first template",
}


@dataclass(frozen=True)
class NewcomerPoint:
    """What is right of 1 with ``n`` labelled cases: ``alone``, in the stronger way ``alone_by``, and ``shared``.

    ``gain`` is their difference with its 95 % interval for other draws and other test cases; ``worst`` is that of the
    draw which gained least. ``needed``: how many cases alone give as much, None beyond the curve. ``by_way``: each
    way alone -> what is right.
    """

    n: int
    draws: int
    alone: float
    shared: float
    gain: float
    low: float
    high: float
    worst: float
    needed: float | None
    alone_by: str
    by_way: Mapping[str, float]
    sites: int = 1


@dataclass(frozen=True)
class MemberWeight:
    """How much a shared prompt counts for the newcomer with its ``n`` cases, on average over draws."""

    prompt: str
    name: str
    weight: float


@dataclass(frozen=True)
class NewcomerResult:
    """The newcomer with ``n`` labelled cases: its curve over other numbers of them, what counts, and a sentence.

    It answered ``asked`` test cases; which way alone is the stronger was looked up on ``spare`` others.
    """

    n: int
    asked: int
    spare: int
    curve: tuple[NewcomerPoint, ...]
    members: tuple[MemberWeight, ...]
    sentence: str


@dataclass(frozen=True)
class DonorsGain:
    """What shared prompts give the sites that took part, each at home on its test cases, over its own prompt alone.

    Both with a number for each label; that and the weights were learnt from ``n`` validation cases of each site.
    """

    n: int
    alone: Mapping[str, float]
    shared: Mapping[str, float]
    gain: Difference
    sentence: str


def newcomer_result(
    drawn: Sequence[Drawn], shared: SharedPrompts, names: Mapping[str, str], sizes: NewcomerSizes
) -> NewcomerResult:
    """Return what the draws come to.

    Args:
        drawn: of each number of cases, all its draws.
        shared: the shared prompts.
        names: a prompt's id -> what it is called.
        sizes: the newcomer's.
    """
    at = {n: [one for one in drawn if one.n == n] for n in sorted({one.n for one in drawn})}
    ways = {n: _way(found) for n, found in at.items()}
    alone = {n: float(_right(found, ways[n]).mean()) for n, found in at.items()}
    curve = tuple(_point(n, found, ways[n], alone) for n, found in at.items())
    here = at[sizes.n]
    weights = np.mean([one.weights for one in here], axis=0)
    members = tuple(
        MemberWeight(prompt.id, names.get(prompt.id, prompt.name), float(weight))
        for prompt, weight in zip(shared.prompts, weights, strict=True)
    )
    point = next(one for one in curve if one.n == sizes.n)
    ranked = tuple(sorted(members, key=lambda one: -one.weight))
    return NewcomerResult(
        n=sizes.n,
        asked=len(here[0].shared),
        spare=sizes.spare,
        curve=curve,
        members=ranked,
        sentence=newcomer_sentence(point, max(at)),
    )


def donors_sentence(alone: Mapping[str, float], shared: Mapping[str, float], gain: Difference) -> str:
    """Return in a sentence what shared prompts gave the sites that took part."""
    own, mixed = (of_100(sum(found.values()) / len(found)) for found in (alone, shared))
    return (
        f"at the {len(alone)} participating sites, accuracy is {own} % with each site's own prompt and {mixed} "
        f"% with shared prompts: {_told(gain.difference, gain.low, gain.high)}"
    )


def newcomer_sentence(point: NewcomerPoint | CurvePoint, most: int) -> str:
    """Return what the newcomer has of joining with as many cases as ``point`` says; ``most`` is the curve's end."""
    told = (
        f"a newcomer with {point.n} labelled questions, which took part in no round, reaches an accuracy of "
        f"{of_100(point.alone)} % alone and {of_100(point.shared)} % with shared prompts"
    )
    if point.low is None or point.high is None:
        return told
    if point.low <= 0 <= point.high:
        return f"{told}; {_told(point.gain, point.low, point.high)}"
    if point.gain < 0:
        return f"{told}. Joining cost it {points(-point.gain)} points ({points(-point.high)} to {points(-point.low)})"
    if point.needed is None:
        return f"{told}. Alone, it would need more than {most} labelled questions for the same accuracy"
    return (
        f"{told}. Alone, it would need about {max(point.n, round(point.needed))} labelled questions for the same "
        "accuracy"
    )


def _way(found: Sequence[Drawn]) -> str:
    """Return the way alone that answers most of the spare cases right, over all draws."""
    there = [way for way in WAYS if way in found[0].spare]
    return max(there, key=lambda way: sum(one.spare[way] for one in found))


def _right(found: Sequence[Drawn], way: str) -> NDArray[np.float64]:
    return np.array([one.alone[way] for one in found], dtype=np.float64)


def _point(n: int, found: Sequence[Drawn], way: str, alone: Mapping[int, float]) -> NewcomerPoint:
    shared = np.array([one.shared for one in found], dtype=np.float64)
    differences = shared - _right(found, way)
    gain, level = crossed_mean(differences), float(shared.mean())
    return NewcomerPoint(
        n=n,
        draws=len(found),
        alone=alone[n],
        shared=level,
        gain=gain.value,
        low=max(-1.0, gain.low),
        high=min(1.0, gain.high),
        worst=float(differences.mean(axis=1).min()),
        needed=cases_needed([*alone], [*alone.values()], level),
        alone_by=way,
        by_way={one: float(_right(found, one).mean()) for one in found[0].alone},
    )


def _told(gain: float, low: float, high: float) -> str:
    """Return a difference in points with its interval, and whether chance can be it."""
    said = f"{points(gain, signed=True)} points ({points(low)} to {points(high)})"
    return f"the difference of {said} is not statistically significant" if low <= 0 <= high else said
