"""What ``adapt`` made of a pack at home, and what a pack's measured point says in words.

Invariant: no text of a case is in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fedprompt.adapting.alone import Way
from fedprompt.workspace.results.points import points
from fedprompt.workspace.results.worth import CurvePoint

__all__ = ["AdaptMember", "AdaptResult", "Difference", "measured"]


@dataclass(frozen=True)
class AdaptMember:
    """A prompt of the mixture and how much it counts; ``kind`` as in the pack, ``shown``, or ``head``."""

    prompt: str
    name: str
    kind: str
    weight: float


@dataclass(frozen=True)
class Difference:
    """Shared less alone, as a share of 1 of the cases, with its 95 % interval."""

    value: float
    low: float
    high: float
    distinguishable: bool


@dataclass(frozen=True)
class AdaptResult:
    """What was made of a pack at home.

    ``adapted``: its id, ``name``: what the bank calls it. ``n`` labelled cases were learnt from, ``counts`` of each
    label, and ``unlabelled`` texts. ``alone`` of them are right in the strongest way alone, ``alone_by``, ``shared``
    with shared prompts, out of fold; None where there are too few to be cut. ``ways``: each way alone -> how many are
    right. ``shows``: how many of the cases it holds and shows before each text. ``words``: what the file calls a class
    -> the pack's label. ``at``: the point of the pack's curve for as many cases as were learnt from, None where it has
    none. ``sentence`` says what it comes to on the home's own cases, ``sentences`` also where it was measured.
    """

    adapted: str
    name: str
    study: str
    digest: str
    pack: str
    source: str
    donors: int
    n: int
    counts: Mapping[str, int]
    unlabelled: int
    method: str
    alone: int | None
    alone_by: Way | None
    shared: int | None
    difference: Difference | None
    members: tuple[AdaptMember, ...]
    bias: Mapping[str, float]
    words: Mapping[str, str]
    curve: tuple[CurvePoint, ...]
    at: CurvePoint | None
    notes: tuple[str, ...]
    sentence: str
    sentences: tuple[str, ...]
    tokens: int
    cached: int
    clipped: int
    seconds: float
    ways: Mapping[Way, int] = field(default_factory=dict)
    shows: int = 0


def measured(at: CurvePoint, *, public: bool) -> str:
    """Return what a pack's measured point says, in words; a public pack was measured against more ways alone."""
    alone = (
        "alone with the strongest method" if public else "alone with the better of the best template and a tuned prompt"
    )
    sites = "one site" if at.sites == 1 else f"{at.sites:,} sites"
    cases = "without a labelled case" if at.n == 0 else f"with {at.n:,} labelled case{'' if at.n == 1 else 's'}"
    told = (
        f"At {sites} {cases}, the accuracy was {points(at.shared)} % with shared prompts and "
        f"{points(at.alone)} % {alone}: {points(at.gain, signed=True)} points"
    )
    if at.low is None or at.high is None:
        return f"{told}."
    chance = ", which is not significant" if at.low <= 0 <= at.high else ""
    return f"{told} ({points(at.low)} to {points(at.high)}){chance}."
