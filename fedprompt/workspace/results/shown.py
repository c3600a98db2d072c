"""Scores and work as commands print them.

A score: value and 95 % interval, of a choice also macro F1, balanced accuracy and calibration. Work: tokens, the part
of them that was computed, the rate, and its bound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.runner import PromptRun
from fedprompt.evaluation.scorers.registry import is_shipped
from fedprompt.evaluation.statistics.bootstrap import bootstrap_mean
from fedprompt.evaluation.statistics.classification import balanced_accuracy, calibration_error, macro_f1
from fedprompt.evaluation.statistics.clusters import effective_n
from fedprompt.evaluation.statistics.intervals import wilson
from fedprompt.models.protocols import ModelInfo
from fedprompt.models.work import Work
from fedprompt.study.score import Method, Score
from fedprompt.workspace.as_json import ABSENT, INLINE

__all__ = [
    "ChoiceMeasures",
    "ShownRun",
    "ShownScore",
    "ShownWork",
    "method_of",
    "shown_reasons",
    "shown_run",
    "shown_score",
    "shown_work",
    "told_work",
]

FAILED = "model"  # who gives the reasons of calls that failed, out of a closed list
WITHHELD = "not shown: the scorer is not one of fedprompt's"


@dataclass(frozen=True)
class ChoiceMeasures:
    """What is told of a choice beside its accuracy, each a share of 1.

    None where the score has no confusion matrix and no bins, as of an average or of answers without likelihoods.
    """

    macro_f1: float | None
    balanced_accuracy: float | None
    calibration_error: float | None


@dataclass(frozen=True)
class ShownScore:
    """A mean over ``n`` cases in so many ``groups``, as a share of 1, and its 95 % interval; None where n is 0.

    ``choice`` is None where texts are written.
    """

    metric: str
    n: int
    groups: int | None = field(metadata=ABSENT)
    value: float | None
    low: float | None
    high: float | None
    choice: ChoiceMeasures | None = field(metadata=INLINE)


@dataclass(frozen=True)
class ShownRun:
    """A score with what only the site's own values of single cases can tell.

    ``interval`` is how the interval came about, the bootstrap where values are graded. ``unscored`` cases are in no
    score. ``reasons``: scorer -> reason -> cases.
    """

    score: ShownScore = field(metadata=INLINE)
    interval: Literal["wilson", "bootstrap"]
    unscored: int
    reasons: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class ShownWork:
    """Tokens asked for, the part of them that was computed, how many of those a second, and the part of the bound.

    The bound is the machine's matrix product. All is None where the model ran elsewhere.
    """

    share_ratio: float | None
    tokens: int | None
    tokens_per_second: float | None
    part_of_product: float | None


def shown_score(score: Score) -> ShownScore:
    """Return a score with Wilson's 95 % interval, over effective cases where they come in groups."""
    choice = None
    if score.metric == "accuracy":
        choice = ChoiceMeasures(
            macro_f1(score.confusion), balanced_accuracy(score.confusion), calibration_error(score.bins)
        )
    size = effective_n(score.n, score.total, score.squares, score.groups, score.group_squares)
    if size is None or score.value is None:
        return ShownScore(score.metric, 0, None, None, None, None, choice)
    interval = wilson(score.value * size, size)
    return ShownScore(score.metric, score.n, score.groups, score.value, interval.low, interval.high, choice)


def shown_run(score: Score, run: PromptRun, cases: Sequence[Case], seed: int) -> ShownRun:
    """Return a score of the site's own cases; ``seed`` is the bootstrap's."""
    found = shown_score(score)
    interval: Literal["wilson", "bootstrap"] = "wilson"
    known = run.values[run.scored]
    if score.metric == "score" and not np.isin(known, (0, 1)).all():
        estimate = bootstrap_mean(run.values, np.random.default_rng(seed), [case.group for case in cases])
        assert estimate is not None
        found, interval = replace(found, low=estimate.low, high=estimate.high), "bootstrap"
    return ShownRun(found, interval, run.unscored, shown_reasons(run.reasons))


def shown_reasons(reasons: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Return scorer -> reason -> cases, the most frequent first.

    Reasons of fedprompt's own scorers are fixed sentences that quote no case, which tests hold; what a scorer that
    somebody else added says is counted and not shown.
    """
    found: dict[str, dict[str, int]] = {}
    for label, counts in reasons.items():
        kept = {reason: cases for reason, cases in counts.items() if cases}
        if kept and label != FAILED and not is_shipped(label.partition(" ")[0]):
            kept = {WITHHELD: sum(kept.values())}
        if kept:
            found[label] = dict(sorted(kept.items(), key=lambda one: (-one[1], one[0])))
    return found


def method_of(score: Score) -> Method | None:
    """Return how a choice was answered, ``likelihood`` or ``constrained``; None for free text."""
    return score.method if score.metric == "accuracy" else None


def shown_work(work: Work, info: ModelInfo | None) -> ShownWork:
    """Return what the work was; ``info`` is the model's, None where it ran elsewhere and nothing is known of it."""
    if info is None:
        return ShownWork(None, None, None, None)
    return ShownWork(work.share_ratio, work.tokens, work.tokens_per_second, work.part_of_product(info))


def told_work(found: ShownWork) -> str | None:
    """Return the same in one sentence, or None where nothing was computed or nothing is known."""
    if not found.tokens or found.share_ratio is None:
        return None
    told = f"{found.tokens:,} tokens, of them {100 * found.share_ratio:.0f} % computed"
    if (rate := found.tokens_per_second) is not None:
        told += f", {rate:,.0f} a second"
    if (part := found.part_of_product) is not None:
        told += f", {100 * part:.0f} % of the machine's matrix product"
    return told
