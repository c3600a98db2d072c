"""In which way a ranking's or a comparison's scores were got: scores got in different ways never stand in one.

A way is the method that a choice was answered by, and who judged (scorers, options, the judge's model). It is part of
what a score is, as the study and its model are.
"""

from collections import Counter
from collections.abc import Iterable

from fedprompt.study.score import Method, Score

__all__ = ["Way", "how_judged", "ruling_way", "told_way"]

Way = tuple[Method, str | None]


def how_judged(score: Score) -> Way:
    """Return the way that a score was got in."""
    return score.method, score.judged_by


def ruling_way(ways: Iterable[Way]) -> Way | None:
    """Return the way of most scores, likelihood where they tie, then the first by name; None where there are none."""
    counts = Counter(ways)
    return min(counts, key=lambda way: (-counts[way], way[0] != "likelihood", way[1] or ""), default=None)


def told_way(way: Way) -> str:
    """Return a way in words."""
    method, by = way
    judged = "" if by is None else f", judged by {by}"
    return f"answered by {'likelihood' if method == 'likelihood' else 'constrained answers'}{judged}"
