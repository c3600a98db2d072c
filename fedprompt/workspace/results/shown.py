"""Scores and work as commands print them.

A score: value and 95 % interval, of a choice also macro F1, balanced accuracy and calibration. Work: tokens, the part
of them that was computed, the rate, and its bound.
"""

from collections.abc import Mapping, Sequence
from typing import Any

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
from fedprompt.study.score import Score

__all__ = [
    "WORK",
    "method_of",
    "shown_reasons",
    "shown_run",
    "shown_score",
    "shown_work",
    "told_work",
]

FAILED = "model"  # who gives the reasons of calls that failed, out of a closed list
WITHHELD = "not shown: the scorer is not one of fedprompt's"


def shown_score(score: Score) -> dict[str, Any]:
    """Return metric, n, value and Wilson's 95 % interval, over effective cases where they come in groups.

    Of a choice ``macro_f1``, ``balanced_accuracy`` and ``calibration_error`` too, null where the score has no confusion
    matrix and no bins, as of an average or of answers without likelihoods.
    """
    more: dict[str, Any] = {}
    if score.metric == "accuracy":
        more = {
            "macro_f1": macro_f1(score.confusion),
            "balanced_accuracy": balanced_accuracy(score.confusion),
            "calibration_error": calibration_error(score.bins),
        }
    size = effective_n(score.n, score.total, score.squares, score.groups, score.group_squares)
    if size is None or score.value is None:
        return {"metric": score.metric, "n": 0, "value": None, "low": None, "high": None, **more}
    interval = wilson(score.value * size, size)
    return {
        "metric": score.metric,
        "n": score.n,
        "groups": score.groups,
        "value": score.value,
        "low": interval.low,
        "high": interval.high,
        **more,
    }


def shown_run(score: Score, run: PromptRun, cases: Sequence[Case], seed: int) -> dict[str, Any]:
    """Return a score with what only the site's own values of single cases can tell.

    Returns:
        As :func:`shown_score`, ``interval`` (``wilson``, or ``bootstrap`` where values are graded), ``unscored`` and
        ``reasons``.
    """
    found = {**shown_score(score), "interval": "wilson"}
    known = run.values[run.scored]
    if score.metric == "score" and not np.isin(known, (0, 1)).all():
        estimate = bootstrap_mean(run.values, np.random.default_rng(seed), [case.group for case in cases])
        assert estimate is not None
        found |= {"low": estimate.low, "high": estimate.high, "interval": "bootstrap"}
    return {**found, "unscored": run.unscored, "reasons": shown_reasons(run.reasons)}


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


def method_of(score: Score) -> str | None:
    """Return how a choice was answered, ``likelihood`` or ``constrained``; None for free text."""
    return score.method if score.metric == "accuracy" else None


WORK = ("share_ratio", "tokens", "tokens_per_second", "part_of_product")


def shown_work(work: Work, info: ModelInfo | None) -> dict[str, Any]:
    """Return ``share_ratio``, ``tokens``, ``tokens_per_second`` and ``part_of_product``.

    Args:
        info: the model's; None where the model ran elsewhere, and nothing is known of it.
    """
    if info is None:
        return dict.fromkeys(WORK)
    return {
        "share_ratio": work.share_ratio,
        "tokens": work.tokens,
        "tokens_per_second": work.tokens_per_second,
        "part_of_product": work.part_of_product(info),
    }


def told_work(found: Mapping[str, Any]) -> str | None:
    """Return the same in one sentence, or None where nothing was computed or nothing is known."""
    if not found.get("tokens"):
        return None
    told = f"{found['tokens']:,} tokens, of which {100 * found['share_ratio']:.0f} % were computed"
    if (rate := found["tokens_per_second"]) is not None:
        told += f", {rate:,.0f} a second"
    if (part := found["part_of_product"]) is not None:
        told += f", {100 * part:.0f} % of the machine's matrix product"
    return told
