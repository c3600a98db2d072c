"""What joining is worth, as a federation found it, and as a pack, a command and a page tell it.

A point says how many of 100 cases sites answer right that have ``n`` labelled cases each: ``alone``, in the strongest
of the ways that need nobody, and ``shared``, with what other sites share. Invariant: a point comes from sites that took
no part in what they were helped with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, model_validator

from fedprompt.adapting.settings import AtN, Settings
from fedprompt.boundary.closed import Closed
from fedprompt.workspace.as_json import ABSENT

__all__ = ["CurvePoint", "SiteWorth", "WorthAtN", "WorthResult", "nearest"]

Part = Annotated[float, Field(ge=0, le=1)]
Gain = Annotated[float, Field(ge=-1, le=1)]


class CurvePoint(Closed):
    """What sites with ``n`` labelled cases answer right, as parts of 1.

    ``gain`` is ``shared`` less ``alone``, ``low`` to ``high`` its 95 % interval; None where fewer than two sites were
    measured. ``worst`` is the gain of the site that gained least; None where single sites' scores are not told.
    ``needed``: how many labelled cases sites would otherwise need for as much; None where that is more than any that
    were measured.
    """

    n: Annotated[int, Field(ge=0, le=100_000)]
    sites: Annotated[int, Field(ge=1, le=10_000)]
    alone: Part
    shared: Part
    gain: Gain
    low: Gain | None = None
    high: Gain | None = None
    worst: Gain | None = None
    needed: Annotated[float, Field(ge=0, le=1e9)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "CurvePoint":
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval has two ends or none")
        if self.low is not None and self.high is not None and not self.low <= self.gain <= self.high:
            raise ValueError("a gain must be inside its interval")
        return self


def nearest(curve: Sequence[CurvePoint], n: int) -> CurvePoint | None:
    """Return the point that says most of ``n`` cases: the nearest by ratio; no case is like no other number."""
    known = [point for point in curve if (point.n == 0) == (n == 0)]
    return min(known, key=lambda point: max(point.n, n) / max(1, min(point.n, n)), default=None)


@dataclass(frozen=True)
class SiteWorth:
    """One site with n labelled cases: ``alone`` and ``shared`` over ``cases``, averaged over ``draws`` draws of n."""

    alone: float
    shared: float
    cases: int
    draws: int


@dataclass(frozen=True)
class WorthAtN:
    """What was found for ``n``: the strongest way at ``home``, the best of all ways (``chosen``), and the sites.

    ``by_way``: each way in words -> its mean over sites. ``missing``: site -> why it did not answer.
    """

    n: int
    home: str
    chosen: AtN
    by_way: Mapping[str, float]
    by_site: Mapping[str, SiteWorth]
    worst_site: str
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WorthResult:
    """The curve, the settings for each number of cases, and what is behind them; ``folds`` are the sites of each part.

    ``sentences`` say it in words. ``note`` says why nothing could be measured, where that is so.
    """

    curve: tuple[CurvePoint, ...]
    settings: Settings | None
    at: tuple[WorthAtN, ...]
    folds: tuple[tuple[str, ...], ...]
    sentences: tuple[str, ...]
    note: str | None = field(default=None, metadata=ABSENT)
