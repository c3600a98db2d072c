"""Two to four prompts side by side: their texts, their scores by site, and paired differences over the same cases."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fedprompt.bank.rows import ComparisonRow
from fedprompt.errors import FedPromptError
from fedprompt.evaluation.intervals import Interval
from fedprompt.evaluation.pairs import PairCounts, mcnemar_exact, paired_difference
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.score import SplitName
from fedprompt.workspace.leaderboard import site_score
from fedprompt.workspace.methods import ruling_method
from fedprompt.workspace.result_table import points
from fedprompt.workspace.views import CompareView, PairView, PromptView, SiteScore
from fedprompt.workspace.workspace import Workspace

__all__ = ["compare", "compare_scores", "prompt_view"]

MOST = 4
SEED = 0


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
        model=None if prompt.soft is None else prompt.soft.model,
        tokens=None if prompt.soft is None else prompt.soft.tokens,
        parents=row.parents,
        variables=template.variables,
    )


def compare(ws: Workspace, prompts: Sequence[str], *, split: SplitName = "validation") -> CompareView:
    """Put prompts side by side; the first is compared with each of the others.

    Raises:
        BankError: the bank has no such prompt.
        FedPromptError: not two to four different prompts.
    """
    found = [ws.bank.prompt(id) for id in prompts]
    ids = [prompt.id for prompt in found]
    if not 2 <= len(ids) <= MOST or len(set(ids)) != len(ids):
        raise FedPromptError(f"compare two to {MOST} different prompts; {len(set(ids))} were chosen")
    views = tuple(prompt_view(ws, prompt) for prompt in found)
    scores: dict[str, dict[str, SiteScore | None]] = {id: {} for id in ids}
    rows = sorted(ws.bank.scores(prompts=ids, split=split), key=lambda r: r.created)
    ruling = ruling_method(row.score.method for row in rows)  # what another method gave is not comparable
    for row in rows:
        if row.score.method == ruling:
            scores[row.score.prompt][row.site] = site_score(row.score)
    sites = tuple(sorted({site for by_site in scores.values() for site in by_site}))
    table = {id: {site: scores[id].get(site) for site in sites} for id in ids}
    asked = ws.bank.comparisons(split=split)
    pairs = tuple(_pair(views[0], other, table, asked) for other in views[1:])
    return CompareView(views, sites, table, pairs, split)


def compare_scores(ws: Workspace, a: str, b: str, *, split: SplitName = "validation") -> dict[str, Any]:
    """Return the comparison of two prompts as JSON.

    Raises:
        BankError: the bank has no such prompt.
    """
    view = compare(ws, [a, b], split=split)
    pair = view.pairs[0]

    def shown(by_site: Mapping[str, SiteScore | None]) -> dict[str, Any]:
        return {
            site: None
            if found is None
            else {"value": found.value, "n": found.n, "low": found.interval.low, "high": found.interval.high}
            for site, found in by_site.items()
        }

    return {
        "split": split,
        "prompts": [{"prompt": p.id, "name": p.name, "by_site": shown(view.scores[p.id])} for p in view.prompts],
        "difference": None if pair.points is None else pair.points / 100,
        "low": None if pair.interval is None else pair.interval.low / 100,
        "high": None if pair.interval is None else pair.interval.high / 100,
        "p": pair.p_value,
        "sentence": pair.sentence,
        "by_site": {
            site: {"difference": value / 100, "low": interval.low / 100, "high": interval.high / 100}
            for site, (value, interval) in pair.by_site.items()
        },
    }


def _pair(
    first: PromptView,
    second: PromptView,
    scores: Mapping[str, Mapping[str, SiteScore | None]],
    asked: Sequence[ComparisonRow],
) -> PairView:
    counts: dict[str, PairCounts] = {}
    for row in asked:
        pair = row.comparison
        if (pair.first, pair.second) == (first.id, second.id):
            counts[row.site] = PairCounts(pair.n, pair.better, pair.worse)
        elif (pair.first, pair.second) == (second.id, first.id):
            counts[row.site] = PairCounts(pair.n, pair.worse, pair.better)
    by_site = {}
    for site, count in sorted(counts.items()):
        estimate = paired_difference([count], np.random.default_rng(SEED))
        if estimate is not None:
            by_site[site] = (100 * estimate.value, Interval(100 * estimate.low, 100 * estimate.high))
    whole = paired_difference([counts[site] for site in sorted(counts)], np.random.default_rng(SEED))
    if whole is None:
        return PairView(first.id, second.id, None, None, None, _unpaired(first, second, scores), {})
    p = mcnemar_exact(sum(c.better for c in counts.values()), sum(c.worse for c in counts.values()))
    ahead = sum(value > 0 for value, _ in by_site.values())
    change = f"{points(whole.value)} points ({points(whole.low)} to {points(whole.high)})"
    at = f"at {ahead} of {len(by_site)} sites"
    if not whole.excludes_zero:
        told = f"“{first.name}” and “{second.name}” cannot be told apart yet: the mean difference is {change}"
    elif whole.value > 0:
        told = f"“{first.name}” is better than “{second.name}” {at}; the mean difference is {change}"
    else:
        told = f"“{first.name}” is worse than “{second.name}” (ahead {at}); the mean difference is {change}"
    interval = Interval(100 * whole.low, 100 * whole.high)
    return PairView(first.id, second.id, 100 * whole.value, interval, p, told, by_site)


def _unpaired(first: PromptView, second: PromptView, scores: Mapping[str, Mapping[str, SiteScore | None]]) -> str:
    both = [
        (a.value, b.value)
        for site, a in scores[first.id].items()
        if a is not None and (b := scores[second.id].get(site)) is not None
    ]
    if not both:
        return (
            f"“{first.name}” and “{second.name}” were not both scored on this split at any site, so nothing can be said"
        )
    change = sum(a - b for a, b in both) / len(both)
    return (
        f"“{first.name}” scores {points(abs(change))} points {'more' if change >= 0 else 'less'} than “{second.name}” "
        f"on average over {len(both)} sites; no site compared the two case by case, so whether that is chance is not "
        "known"
    )
