"""What a round leaves, where it is kept, and which round is the best."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

from fedprompt.errors import FederationError
from fedprompt.federation.gathering import Missing
from fedprompt.federation.orders import Taken
from fedprompt.prompts.prompt import Prompt
from fedprompt.strategies.strategy import State
from fedprompt.study.score import Score

__all__ = ["RoundRecord", "RoundWriter", "best_round"]


@dataclass(frozen=True)
class RoundRecord:
    """What a round left: the global prompt, each site's score on validation, and the bytes received.

    ``tuned`` are the sites whose updates the prompt is made of, ``missing`` those that the round did without, and why.
    ``sent`` and ``received`` are bytes by site, ``seconds`` by step and site, ``steps`` the local steps of sites that
    took fewer than the study's. ``orders`` are those that the hub's operator gave since the round before. ``state`` is
    what the strategy goes on from.
    """

    number: int
    prompt: Prompt
    scores: Mapping[str, Score]
    tuned: tuple[str, ...]
    bytes: int
    heads: Mapping[str, str]
    missing: tuple[Missing, ...] = ()
    sent: Mapping[str, int] = field(default_factory=dict)
    received: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)
    orders: tuple[Taken, ...] = field(default=(), compare=False)
    state: State = field(default_factory=dict, compare=False)

    @property
    def by_site(self) -> dict[str, float]:
        """Site -> value of the metric on validation."""
        return {site: score.total / score.n for site, score in self.scores.items()}

    @property
    def mean(self) -> float | None:
        """The unweighted mean over sites; None where the round was not scored."""
        values = [value for _, value in sorted(self.by_site.items())]
        return sum(values) / len(values) if values else None


class RoundWriter(Protocol):
    """Where rounds are kept; filled by whoever knows the bank."""

    def written(self) -> Sequence[RoundRecord]:
        """Return the rounds already written, in order."""
        ...

    def begin(self, number: int, plan: Mapping[str, Any]) -> None:
        """Keep what a round begins with, as JSON; one that is begun again stays as it was."""
        ...

    def write(self, record: RoundRecord) -> None:
        """Keep one round; it is durable when this returns."""
        ...


def best_round(records: Sequence[RoundRecord], without: Collection[str] = (), *, bounded: bool = False) -> RoundRecord:
    """Return the round with the highest mean on validation, the earliest of equals.

    Among those that the most sites scored: a mean over fewer sites is another quantity. ``without`` are sites that
    count for nothing, such as those that the operator left out since. Nor does a site that sent what cannot be true in
    any of them: by answering some rounds alone it would say which one is kept.

    Args:
        records: the rounds.
        without: those sites.
        bounded: a site's values differ from round to round by no more than the median site's do, so that a few sites
            that inflate some scores do not choose the round.

    Raises:
        FederationError: there is none.
    """
    if not records:
        raise FederationError("no round was run, so there is none to keep", code="no-round")

    untrue = {one.site for record in records for one in record.missing if one.why == "untrue"}

    told = {
        record.number: {s: v for s, v in sorted(record.by_site.items()) if s not in {*without, *untrue}}
        for record in records
    }
    if bounded:
        told = _bounded(told)

    def worth(record: RoundRecord) -> tuple[int, float, int]:
        values = list(told[record.number].values())
        return len(values), sum(values) / len(values) if values else 0.0, -record.number

    return max(records, key=worth)


def _bounded(told: Mapping[int, Mapping[str, float]]) -> dict[int, dict[str, float]]:
    """Return round -> site -> how far its value lies from the site's median, cut to the median site's largest."""
    own: dict[str, list[float]] = {}
    for values in told.values():
        for site, value in values.items():
            own.setdefault(site, []).append(value)
    middles = {site: median(values) for site, values in own.items()}
    most = median([max(abs(value - middles[site]) for value in values) for site, values in own.items()]) if own else 0.0
    return {
        number: {site: min(max(value - middles[site], -most), most) for site, value in values.items()}
        for number, values in told.items()
    }
