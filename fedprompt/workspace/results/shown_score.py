"""A score as commands print it: value and 95 % interval, of a choice also macro F1, balanced accuracy, calibration.

The interval is Wilson's, over effective cases where they come in groups. Where graded values of single cases are at
hand it is the bootstrap's, of whole groups: Wilson's is right for zeros and ones, and wide for all else. Invariant:
over no cases every number is null.
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
from fedprompt.study.score import Score

__all__ = ["method_of", "shown_reasons", "shown_run", "shown_score"]

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
