"""Scores got in different ways are never ranked together: the way of a run is that of most of its sites.

Not of the first: whoever comes first in the alphabet could have the scores of all others left out.
"""

from collections.abc import Mapping, Sequence

from fedprompt.errors import ReplyUntrue
from fedprompt.study.score import Score
from fedprompt.verbs.score import ScoreReply
from fedprompt.workspace.results.methods import Way, how_judged, ruling_way, told_way

__all__ = ["otherwise", "unlike"]


def otherwise(came: Mapping[str, ScoreReply | None]) -> dict[str, ReplyUntrue]:
    """Return site -> why its scores are not taken: they were got in another way than those of most sites."""
    found = {site: reply.scores for site, reply in came.items() if reply is not None}
    ruling = ruling_way(how_judged(scores[0]) for scores in found.values())
    if ruling is None:
        return {}
    errors = {site: unlike(site, scores, ruling) for site, scores in found.items()}
    return {site: error for site, error in errors.items() if error is not None}


def unlike(site: str, scores: Sequence[Score], way: Way) -> ReplyUntrue | None:
    """Return why scores are not taken: one of them was got in another way; None where all were got in this one."""
    other = next((how_judged(score) for score in scores if how_judged(score) != way), None)
    if other is None:
        return None
    return ReplyUntrue(
        f"site '{site}' sent scores {told_way(other)}, but the other sites' are {told_way(way)}. Different "
        "methods cannot be ranked together, so its scores were left out; use the same 'method' in models.toml "
        "and the same judge at all sites",
        code="mixed-methods",
    )
