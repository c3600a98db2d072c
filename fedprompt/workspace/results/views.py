"""What the pages draw: plain values, made by actions out of the bank."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fedprompt.bank.rows import JobRow, RoundRow
from fedprompt.evaluation.statistics.intervals import Interval
from fedprompt.evaluation.statistics.pooled_pairs import PooledPair
from fedprompt.study.score import CalibrationBin
from fedprompt.workspace.results.travelled import NOTHING, Travelled
from fedprompt.workspace.results.worth import CurvePoint

__all__ = [
    "CompareView",
    "GainView",
    "LeaderRow",
    "OverviewView",
    "PairView",
    "PromptView",
    "SiteScore",
    "SiteView",
]


@dataclass(frozen=True)
class SiteView:
    """A site of a federation: its sizes, and the share of each label (known to the demo's own machine)."""

    name: str
    source: str
    tune: int
    validation: int
    test: int
    labels: Mapping[str, float]


@dataclass(frozen=True)
class SiteScore:
    """One prompt at one site."""

    value: float
    n: int
    interval: Interval


@dataclass(frozen=True)
class LeaderRow:
    """A prompt in the ranking; ``sites`` holds None where it was not measured.

    ``pooled`` is the mean by case, over ``cases`` cases. ``otherwise``: its scores were got in another way than the
    ranking's, so that it has neither mean nor standing.
    """

    id: str
    name: str
    kind: str
    origin: str
    mean: float | None
    worst: float | None
    interval: Interval | None
    probability_best: float | None
    distinguishable: bool | None
    sites: Mapping[str, SiteScore | None]
    nominated: bool
    test_mean: float | None
    test_interval: Interval | None
    otherwise: bool = False
    pooled: float | None = None
    cases: int = 0


@dataclass(frozen=True)
class GainView:
    """What joining gained one site, in points, with its 95 % interval and one sentence."""

    site: str
    points: float
    interval: Interval
    verdict: str
    sentence: str
    kept: str


@dataclass(frozen=True)
class OverviewView:
    """The state of the home at a glance. ``result`` is the last finished demo's JSON, ``headline`` its sentence.

    ``curve`` is what shared prompts are worth by how many labelled cases a site has, where the run measured it, and
    ``has`` how many its newcomer has; then ``gains`` are those of shared prompts at the sites that took part.
    """

    jobs: tuple[JobRow, ...]
    sites: tuple[SiteView, ...]
    rounds: tuple[RoundRow, ...]
    manual: float | None
    best: tuple[LeaderRow, ...]
    gains: tuple[GainView, ...]
    headline: str | None
    transfer: Mapping[str, Mapping[str, float]]
    federated: Mapping[str, float]
    result: Mapping[str, Any] | None
    assets_ready: bool
    study: str | None
    curve: tuple[CurvePoint, ...] = ()
    has: int | None = None
    traffic: Travelled = NOTHING


@dataclass(frozen=True)
class PromptView:
    """A prompt as a person reads it."""

    id: str
    name: str
    kind: str
    origin: str
    text: str
    words: Mapping[str, str]
    model: str | None
    tokens: int | None
    parents: tuple[str, ...]
    variables: tuple[str, ...]


@dataclass(frozen=True)
class PairView:
    """The first prompt against another over the same cases: points, interval, sentence, and the same by site.

    ``p_adjusted`` is Holm's over all pairs of the comparison. ``found`` holds the tests by site, I squared and how many
    cases it takes; None where no site compared the two.
    """

    first: str
    second: str
    points: float | None
    interval: Interval | None
    p_value: float | None
    sentence: str
    by_site: Mapping[str, tuple[float, Interval]]
    p_adjusted: float | None = None
    found: PooledPair | None = None


@dataclass(frozen=True)
class CompareView:
    """Two to six prompts side by side; ``calibration`` is over all sites, of those prompts whose sites sent it."""

    prompts: tuple[PromptView, ...]
    sites: tuple[str, ...]
    scores: Mapping[str, Mapping[str, SiteScore | None]]
    pairs: tuple[PairView, ...]
    split: str
    calibration: Mapping[str, tuple[CalibrationBin, ...]] = field(default_factory=dict)
