"""Two to six prompts side by side: their texts, their scores by site, and paired differences over the same cases.

Invariant: "better" and "worse" are said only where the paired 95 % interval excludes zero and, of several pairs, where
the p-value that Holm corrected for all of them is under 0.05 too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fedprompt.bank.rows import ComparisonRow
from fedprompt.errors import FedPromptError
from fedprompt.evaluation.statistics.holm import holm
from fedprompt.evaluation.statistics.intervals import Estimate, Interval
from fedprompt.evaluation.statistics.pooled_pairs import PairTest, PooledPair, pool_pairs, turned
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.score import BINS, CalibrationBin, Comparison, SplitName
from fedprompt.workspace.as_json import INLINE
from fedprompt.workspace.ranking.leaderboard import site_score
from fedprompt.workspace.results.methods import how_judged, ruling_way
from fedprompt.workspace.results.points import points
from fedprompt.workspace.results.views import CompareView, PairView, PromptView, SiteScore
from fedprompt.workspace.workspace import Workspace

__all__ = [
    "PairMeasured",
    "PairShown",
    "PairTold",
    "PromptScores",
    "ScoreAtSite",
    "ScoresCompared",
    "adapted_view",
    "compare",
    "compare_scores",
    "prompt_view",
]

MOST = 6
SURE = 0.05


@dataclass(frozen=True)
class ScoreAtSite:
    """A prompt's mean over ``n`` cases of a site, as a share of 1, and its 95 % interval."""

    value: float
    n: int
    low: float
    high: float


@dataclass(frozen=True)
class PromptScores:
    """A prompt's score by site, None where the site did not score it."""

    prompt: str
    name: str
    by_site: Mapping[str, ScoreAtSite | None]


@dataclass(frozen=True)
class PairMeasured:
    """A difference of two prompts over ``n`` cases, as a share of 1, its 95 % interval, and the test's p-value.

    All but ``n``, which is 0, is None where nobody compared them.
    """

    difference: float | None
    low: float | None
    high: float | None
    n: int
    test: str | None
    p: float | None


@dataclass(frozen=True)
class PairTold:
    """What is said of two prompts; ``p_adjusted`` is corrected for all pairs, ``i2`` the sites' spread as a share of 1.

    ``cases_needed`` would tell them apart, which ``power`` says in a sentence.
    """

    whole: PairMeasured = field(metadata=INLINE)
    p_adjusted: float | None
    i2: float | None
    cases_needed: int | None
    power: str | None
    sentence: str
    by_site: Mapping[str, PairMeasured]


@dataclass(frozen=True)
class PairShown:
    """The ``first`` prompt and another."""

    first: str
    second: str
    told: PairTold = field(metadata=INLINE)


@dataclass(frozen=True)
class ScoresCompared:
    """Prompts side by side; what is told of the first two, and all ``pairs``."""

    split: str
    prompts: tuple[PromptScores, ...]
    told: PairTold = field(metadata=INLINE)
    pairs: tuple[PairShown, ...]


def prompt_view(ws: Workspace, prompt: Prompt) -> PromptView:
    """Return a prompt of the bank as a person reads it."""
    row, template = ws.bank.prompt_row(prompt.id), prompt.template
    if template.text is not None:
        text = template.text
    else:
        text = "\n".join(f"[{message.role}] {message.content}" for message in template.messages or ())
    return PromptView(
        id=prompt.id,
        name=row.name,
        kind=prompt.kind,
        origin=row.origin,
        text=text,
        words=dict(template.words or {}),
        model=None if prompt.tuned is None else prompt.tuned.model,
        tokens=None if prompt.soft is None else prompt.soft.tokens,
        parents=row.parents,
        variables=template.variables,
    )


def adapted_view(ws: Workspace, reference: str) -> PromptView:
    """Return an adapted prompt as a person reads it: the text is that of the member which counts most."""
    row = ws.bank.adapted_row(reference)
    adapted = ws.bank.adapted(row)
    shown = prompt_view(ws, adapted.heaviest)
    others = len(adapted.members) - 1
    return replace(
        shown,
        id=row.id,
        name=row.name,
        kind="adapted",
        origin="adapted",
        text=shown.text + (f"\n(and {others} other prompt{'s' if others > 1 else ''})" if others else ""),
        words=dict(adapted.heaviest.template.with_words(adapted.labels).words or {}),
        parents=adapted.member_ids,
        variables=adapted.fields,
    )


def compare(ws: Workspace, prompts: Sequence[str], *, split: SplitName = "validation") -> CompareView:
    """Put prompts side by side; the first is compared with each of the others.

    Raises:
        BankError: the bank has no such prompt.
        FedPromptError: not two to six different prompts.
    """
    views = tuple(
        adapted_view(ws, id) if ws.bank.is_adapted(id) else prompt_view(ws, ws.bank.prompt(id)) for id in prompts
    )
    ids = [view.id for view in views]
    if not 2 <= len(ids) <= MOST or len(set(ids)) != len(ids):
        raise FedPromptError(
            f"choose two to six different prompts to compare; {len(set(ids))} were chosen", code="two-to-six"
        )
    rows = sorted(ws.bank.scores(prompts=ids, split=split), key=lambda r: r.created)
    models = {study: ws.bank.study(study).model_digest for study in {row.study for row in rows}}
    # What another model or method gave, or another judge, is not comparable.
    ways = [(models[row.study], how_judged(row.score)) for row in rows]
    way = ruling_way(way for _, way in ways)
    model = next((model for model, other in reversed(ways) if other == way), None)
    kept = [row for row, (of, other) in zip(rows, ways, strict=True) if (of, other) == (model, way)]
    scores: dict[str, dict[str, SiteScore | None]] = {id: {} for id in ids}
    for row in kept:
        scores[row.score.prompt][row.site] = site_score(row.score)
    sites = tuple(sorted({site for by_site in scores.values() for site in by_site}))
    table = {id: {site: scores[id].get(site) for site in sites} for id in ids}
    runs = {row.run for row in kept}
    asked = [row for row in ws.bank.comparisons(prompts=ids, split=split) if row.run in runs]
    pairs = [_pair(views[0], other, table, asked) for other in views[1:]]
    tested = [pair for pair in pairs if pair.p_value is not None]
    adjusted = dict(zip([pair.second for pair in tested], holm([p.p_value or 0.0 for p in tested]), strict=True))
    named = {view.id: view for view in views}
    corrected = tuple(
        replace(pair, p_adjusted=p, sentence=_told(views[0].name, named[pair.second].name, pair.found, p, len(tested)))
        if pair.found is not None and (p := adjusted.get(pair.second)) is not None
        else pair
        for pair in pairs
    )
    bins: dict[str, dict[str, tuple[CalibrationBin, ...]]] = {id: {} for id in ids}
    for row in kept:
        bins[row.score.prompt][row.site] = row.score.bins
    calibration = {id: summed for id, by_site in bins.items() if (summed := _summed(tuple(by_site.values())))}
    return CompareView(views, sites, table, corrected, split, calibration)


def _summed(by_site: Sequence[tuple[CalibrationBin, ...]]) -> tuple[CalibrationBin, ...]:
    """Return calibration bins over all sites; nothing where a site sent none."""
    if not by_site or any(len(bins) != BINS for bins in by_site):
        return ()
    return tuple(
        CalibrationBin(n=sum(b.n for b in at), confidence=sum(b.confidence for b in at), right=sum(b.right for b in at))
        for at in zip(*by_site, strict=True)
    )


def compare_scores(ws: Workspace, a: str, b: str, *more: str, split: SplitName = "validation") -> ScoresCompared:
    """Return the comparison of ``a`` with each of the others.

    Raises:
        BankError: the bank has no such prompt.
        FedPromptError: not two to six different prompts.
    """
    view = compare(ws, [a, b, *more], split=split)
    pairs = tuple(PairShown(pair.first, pair.second, _shown(pair)) for pair in view.pairs)
    prompts = tuple(
        PromptScores(p.id, p.name, {site: _at_site(found) for site, found in view.scores[p.id].items()})
        for p in view.prompts
    )
    return ScoresCompared(split, prompts, pairs[0].told, pairs)


def _at_site(found: SiteScore | None) -> ScoreAtSite | None:
    return None if found is None else ScoreAtSite(found.value, found.n, found.interval.low, found.interval.high)


def _shown(pair: PairView) -> PairTold:
    found = pair.found
    return PairTold(
        whole=PairMeasured(None, None, None, 0, None, None) if found is None else _tested(found.whole),
        p_adjusted=pair.p_adjusted,
        i2=None if found is None else found.i2,
        cases_needed=None if found is None else found.needed,
        power=None if found is None else found.power,
        sentence=pair.sentence,
        by_site={} if found is None else {site: _tested(test) for site, test in found.by_site.items()},
    )


def _tested(test: PairTest) -> PairMeasured:
    change = test.difference
    return PairMeasured(change.value, change.low, change.high, test.n, test.test, test.pvalue)


def _pair(
    first: PromptView,
    second: PromptView,
    scores: Mapping[str, Mapping[str, SiteScore | None]],
    asked: Sequence[ComparisonRow],
) -> PairView:
    by_site: dict[str, Comparison] = {}
    for row in asked:  # the newest word of a site counts
        pair = row.comparison
        if (pair.first, pair.second) == (first.id, second.id):
            by_site[row.site] = pair
        elif (pair.first, pair.second) == (second.id, first.id):
            by_site[row.site] = turned(pair)
    found = pool_pairs(by_site)
    if found is None:
        return PairView(first.id, second.id, None, None, None, _unpaired(first, second, scores), {})
    whole = found.whole.difference
    return PairView(
        first.id,
        second.id,
        100 * whole.value,
        Interval(100 * whole.low, 100 * whole.high),
        found.whole.pvalue,
        "",
        {site: _in_points(test.difference) for site, test in found.by_site.items()},
        found=found,
    )


def _told(first: str, second: str, found: PooledPair, adjusted: float, pairs: int) -> str:
    """Return what two prompts' differences come to; ``adjusted`` is the p-value corrected for so many ``pairs``."""
    whole = found.whole.difference
    ahead = sum(test.difference.value > 0 for test in found.by_site.values())
    alone = len(found.by_site) == 1
    at = "at one site" if alone else f"at {ahead} of {len(found.by_site)} sites"
    kind = "difference" if alone else "pooled difference"
    corrected = f", corrected for {pairs} pairs" if pairs > 1 else ""
    change = f"the {kind} is {points(whole.value)} points ({points(whole.low)} to {points(whole.high)})"
    if not whole.excludes_zero or (pairs > 1 and adjusted >= SURE):
        return f"“{first}” and “{second}” are not significantly different{corrected}: {change}"
    if whole.value > 0:
        return f"“{first}” is significantly better than “{second}” {at}{corrected}: {change}"
    behind = f"{at}{corrected}" if alone else f"(ahead {at}{corrected})"
    return f"“{first}” is significantly worse than “{second}” {behind}: {change}"


def _in_points(difference: Estimate) -> tuple[float, Interval]:
    return 100 * difference.value, Interval(100 * difference.low, 100 * difference.high)


def _unpaired(first: PromptView, second: PromptView, scores: Mapping[str, Mapping[str, SiteScore | None]]) -> str:
    if mixed := [view.name for view in (first, second) if view.kind == "adapted"]:
        return f"“{mixed[0]}” is an adapted prompt, which no site has scored; compare both on your own cases"
    both = [
        (a.value, b.value)
        for site, a in scores[first.id].items()
        if a is not None and (b := scores[second.id].get(site)) is not None
    ]
    if not both:
        return f"no site scored both “{first.name}” and “{second.name}” on this split, so they cannot be compared"
    change = sum(a - b for a, b in both) / len(both)
    on = "at the only site that scored both" if len(both) == 1 else f"on average over {len(both)} sites"
    return (
        f"“{first.name}” scores {points(abs(change))} points {'more' if change >= 0 else 'less'} than "
        f"“{second.name}” {on}. No site compared the two case by case, so the significance is unknown"
    )
