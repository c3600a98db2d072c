"""From what sites answered as newcomers to a curve: which way is best, what sharing gains, how many cases that saves.

A site's way of sharing is chosen by the other sites alone, so that no site's gain is told by what it chose itself; at
home it is the way that was best over all sites, which favours home. Gains are pooled by random effects with the
interval of Hartung and Knapp (``evaluation.statistics.meta_analysis``); how much sites scatter gives its width. A
site's own variance, which says what it weighs, is taken as if the two ways were right on unrelated cases, since how
often both are right does not leave a site. Invariant: ``shared`` less ``alone`` is ``gain``.
"""

from collections.abc import Mapping, Sequence

from fedprompt.adapting.settings import AtN, Settings
from fedprompt.evaluation.statistics.cases_needed import cases_needed
from fedprompt.evaluation.statistics.meta_analysis import random_effects
from fedprompt.verbs.worth import WorthReply
from fedprompt.workspace.results.points import of_100, points
from fedprompt.workspace.results.worth import CurvePoint, SiteWorth, WorthAtN
from fedprompt.workspace.rounds.worth_ways import at_home, way_words

__all__ = ["curve_of", "found_at", "settings_of_found", "worth_sentences"]

Replies = Mapping[str, WorthReply]


def found_at(ways: Sequence[AtN], replies: Replies, missing: Mapping[str, str]) -> WorthAtN:
    """Return what was found for one number of cases.

    Args:
        ways: that were asked for, those that need nobody first.
        replies: site -> its answer, of one site at least.
        missing: site -> why it did not answer.
    """
    values = {site: [right / reply.cases for right in reply.right] for site, reply in sorted(replies.items())}
    every = range(len(ways))
    home = _best([place for place in every if at_home(ways[place])], list(values.values()))
    by_site = {}
    for site, own in values.items():
        others = [one for name, one in values.items() if name != site] or [own]
        reply = replies[site]
        by_site[site] = SiteWorth(own[home], own[_best(every, others)], reply.cases, reply.draws)
    return WorthAtN(
        n=ways[0].n,
        home=way_words(ways[home]),
        chosen=ways[_best(every, list(values.values()))],
        by_way={way_words(way): _mean([one[place] for one in values.values()]) for place, way in enumerate(ways)},
        by_site=by_site,
        worst_site=min(by_site, key=lambda site: (by_site[site].shared - by_site[site].alone, site)),
        missing=dict(sorted(missing.items())),
    )


def _best(places: Sequence[int], values: Sequence[Sequence[float]]) -> int:
    """Return which of some ways has the highest mean over sites, the first of equals."""
    return max(places, key=lambda place: (_mean([one[place] for one in values]), -place))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def curve_of(found: Sequence[WorthAtN]) -> tuple[CurvePoint, ...]:
    """Return a point for each number of cases; how many would be needed is read off the curve of ``alone``."""
    points = [_point(one) for one in found]
    counts, alone = [point.n for point in points], [point.alone for point in points]
    return tuple(point.model_copy(update={"needed": cases_needed(counts, alone, point.shared)}) for point in points)


def _point(found: WorthAtN) -> CurvePoint:
    sites = list(found.by_site.values())
    gains = [one.shared - one.alone for one in sites]
    variances = [_variance(one.alone, one.cases) + _variance(one.shared, one.cases) for one in sites]
    pooled = random_effects(gains, variances)
    between = 0.0 if pooled is None else pooled.tau2
    weights = [1 / (variance + between) for variance in variances]
    alone, shared = (
        sum(weight * value for weight, value in zip(weights, values, strict=True)) / sum(weights)
        for values in ([one.alone for one in sites], [one.shared for one in sites])
    )
    gain = shared - alone
    return CurvePoint(
        n=found.n,
        sites=len(sites),
        alone=_within(alone, 0.0),
        shared=_within(shared, 0.0),
        gain=_within(gain, -1.0),
        low=None if pooled is None else min(gain, _within(pooled.low, -1.0)),
        high=None if pooled is None else max(gain, _within(pooled.high, -1.0)),
        worst=_within(min(gains), -1.0),
    )


def _variance(part: float, cases: int) -> float:
    """Return the variance of a part of so many cases; smoothed, so that all right is not beyond doubt."""
    smoothed = (part * cases + 0.5) / (cases + 1)
    return smoothed * (1 - smoothed) / cases


def _within(value: float, low: float) -> float:
    return min(1.0, max(low, value))


def settings_of_found(found: Sequence[WorthAtN]) -> Settings | None:
    """Return the best way for each number of cases, None where nothing was found."""
    return Settings(at=tuple(one.chosen for one in found)) if found else None


def worth_sentences(curve: Sequence[CurvePoint], found: Sequence[WorthAtN]) -> tuple[str, ...]:
    """Return each point in a sentence or two."""
    return tuple(_sentence(point, one.worst_site) for point, one in zip(curve, found, strict=True))


def _sentence(point: CurvePoint, worst_site: str) -> str:
    cases = "no labelled case" if point.n == 0 else f"{point.n:,} labelled case{'' if point.n == 1 else 's'}"
    told = (
        f"with {cases}, a site's accuracy is {of_100(point.alone)} % alone and {of_100(point.shared)} % with "
        "shared prompts"
    )
    if point.low is None or point.high is None:
        return f"{told}. Only one site was measured, so there is no interval"
    span = f"{points(point.low)} to {points(point.high)}"
    told += f". The mean gain over {point.sites} sites is {points(point.gain, signed=True)} points (95 %: {span})"
    if point.low <= 0 <= point.high:
        told += ", which is not significant"
    elif point.needed is not None and point.needed > point.n:
        told += f". Alone, it would need about {round(point.needed):,} cases for the same accuracy"
    elif point.needed is None:
        told += ". Alone, it would need more cases for the same accuracy than were measured"
    return f"{told}. The smallest gain is {points(point.worst or 0.0, signed=True)} points, at {worst_site}"
