"""A score as commands print it: value and Wilson's 95 % interval, null where there are no cases."""

from typing import Any

from fedprompt.evaluation.statistics import effective_n, wilson
from fedprompt.study.score import Score

__all__ = ["method_of", "shown_score"]


def shown_score(score: Score) -> dict[str, Any]:
    """Return metric, n, value and Wilson's 95 % interval, over effective cases where they come in groups."""
    size = effective_n(score.n, score.total, score.squares, score.groups, score.group_squares)
    if size is None or score.value is None:
        return {"metric": score.metric, "n": 0, "value": None, "low": None, "high": None}
    interval = wilson(score.value * size, size)
    return {
        "metric": score.metric,
        "n": score.n,
        "groups": score.groups,
        "value": score.value,
        "low": interval.low,
        "high": interval.high,
    }


def method_of(score: Score) -> str | None:
    """Return how a choice was answered, ``likelihood`` or ``constrained``; None for free text."""
    return score.method if score.metric == "accuracy" else None
