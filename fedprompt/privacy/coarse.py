"""Numbers as coarse as they may leave: no cell or bin over a few cases, nothing in more digits than it is used in.

Invariants: what a score says of all its cases (``n``, ``total``, the right answers) stays as it is, unless it is to be
a multiple of some number; a calibration bin, a confusion cell or a label's count that is told is over no case or over
``least`` at least. What rounding adds to the variance is in ``group_squares``, so that intervals hold it. Leaving small
cells out, merging neighbours and rounding are the standard ways (Hundepool et al. 2012, Statistical Disclosure Control,
Wiley).
"""

from collections.abc import Sequence
from math import ceil, floor

from fedprompt.study.score import CalibrationBin, Comparison, Score

__all__ = ["coarse_comparison", "coarse_counts", "coarse_score", "rounded_comparison", "rounded_score", "rounded_up"]

DIGITS = 3  # of sums of squares over groups, from which widths of intervals follow
PLACES = 2  # of sums of confidences and of graded values


def coarse_score(score: Score, least: int, details: bool = True) -> Score:
    """Return a score as it may leave.

    Args:
        score: exact.
        least: the fewest cases that a cell or a bin may be over.
        details: whether its confusion matrix and its bins leave at all.
    """
    confusion, bins = (score.confusion, score.bins) if details else ((), ())
    if any(0 < cell < least for row in confusion for cell in row):
        confusion = ()
    changes: dict[str, object] = {"confusion": confusion, "bins": _merged(bins, least)}
    if score.metric == "score":  # graded values, of which each is one of many
        changes |= {"total": round(score.total, PLACES), "squares": round(score.squares, PLACES)}
    if score.metric == "score" or score.groups != score.n:
        changes["group_squares"] = _digits(score.group_squares)
    return score.model_copy(update=changes)


def coarse_comparison(pair: Comparison, graded: bool) -> Comparison:
    """Return a comparison as it may leave; ``graded`` where values are not 0 or 1."""
    changes: dict[str, object] = {}
    if graded:
        changes |= {"total": round(pair.total, PLACES), "squares": round(pair.squares, PLACES)}
    if graded or pair.groups != pair.n:
        changes["group_squares"] = _digits(pair.group_squares)
    return pair.model_copy(update=changes)


def rounded_score(score: Score, nearest: int) -> Score:
    """Return a score of right answers as it leaves of a prompt that a hub brings.

    Their number is a multiple of ``nearest``, or all of them where the next multiple is more than there are. No matrix
    and no bin is told.
    """
    n = score.n
    total = float(_nearest(round(score.total), nearest, n))
    spread = total - total * total / n
    squares = _clustered(score, score.total - score.total**2 / n, spread) + nearest * nearest / 12
    changes = {"total": total, "squares": total, "group_squares": squares, "confusion": (), "bins": ()}
    return score.model_copy(update=changes)


def rounded_comparison(pair: Comparison, nearest: int) -> Comparison:
    """Return a comparison of right answers as it leaves where a hub brings one of the prompts.

    The cases that only one of them answers right are counted as a multiple of ``nearest``, on either side.
    """
    n = pair.n
    larger = _nearest(max(pair.better, pair.worse), nearest, n)
    smaller = _nearest(min(pair.better, pair.worse), nearest, n - larger)
    better, worse = (larger, smaller) if pair.better >= pair.worse else (smaller, larger)
    total, squares = float(better - worse), float(better + worse)
    before, spread = pair.squares - pair.total**2 / n, squares - total * total / n
    changes = {
        "total": total,
        "squares": squares,
        "better": better,
        "worse": worse,
        "group_squares": _clustered(pair, before, spread) + nearest * nearest / 6,
    }
    return pair.model_copy(update=changes)


def coarse_counts(counts: Sequence[int], least: int) -> tuple[int, ...]:
    """Return counts of labels, 0 in place of each that is below ``least``."""
    return tuple(0 if count < least else count for count in counts)


def rounded_up(count: int, least: int) -> int:
    """Return the next multiple of ``least``, 0 for none."""
    return -(-count // least) * least


def _nearest(count: int, nearest: int, most: int) -> int:
    return min(most, floor(count / nearest + 0.5) * nearest)


def _clustered(one: Score | Comparison, before: float, spread: float) -> float:
    """Return ``spread`` times what groups widen it by, in halves; ``before`` is what it was before rounding."""
    if one.groups == one.n:
        return spread
    wider = ceil(2 * one.group_squares / before - 1e-6) / 2 if before > 1e-9 else 1.0
    return spread * min(wider, float(one.n - one.groups + 1))


def _merged(bins: Sequence[CalibrationBin], least: int) -> tuple[CalibrationBin, ...]:
    """Return as many bins, each of which has no case or at least ``least``: a small one joins the next above it.

    What is left at the top joins the highest bin that is large enough. Nothing is told where all bins together are
    too small.
    """
    merged = [CalibrationBin(n=0, confidence=0.0, right=0)] * len(bins)
    n, confidence, right = 0, 0.0, 0
    last: int | None = None
    for place, one in enumerate(bins):
        n, confidence, right = n + one.n, confidence + one.confidence, right + one.right
        if n >= least and one.n:
            merged[place] = CalibrationBin(n=n, confidence=confidence, right=right)
            n, confidence, right, last = 0, 0.0, 0, place
    if n:
        if last is None:
            return ()
        top = merged[last]
        merged[last] = CalibrationBin(n=top.n + n, confidence=top.confidence + confidence, right=top.right + right)
    return tuple(one.model_copy(update={"confidence": round(one.confidence, PLACES)}) for one in merged)


def _digits(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
