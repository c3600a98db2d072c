"""What cannot be in scores and comparisons: numbers that contradict each other, the study, or what the site described.

A case's value is in [0, 1], and 0 or 1 where the answer is a choice; everything here follows from that. Invariant: what
:mod:`fedprompt.evaluation.runs.runner` sums up of real cases has no fault, and what is told of a fault is sums and
counts, as the reply itself is.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fedprompt.study.score import BINS, Comparison, Score, SplitName

__all__ = ["Expected", "comparison_fault", "fault_among", "score_fault"]

SLACK = 1e-9  # of what n values in [0, 1] add up to: rounding in float64, many times over
# A site rounds graded sums and confidences to two places, and sums over groups to three digits (privacy.coarse).
PLACE, DIGIT = 0.006, 0.006
Rules = Iterator[tuple[bool, str]]  # whether a rule holds, and what is wrong where it does not


@dataclass(frozen=True)
class Expected:
    """What is known beforehand of every score on a split.

    Attributes:
        split: which.
        cases: how many the site described there.
        least: the study's ``min_cases``.
        labels: the cases that the site described of each label, over all splits; None where the answer is free text.
        whole: whether every case has a value, as where a model of the site's own machine answers a choice.
    """

    split: SplitName
    cases: int
    least: int
    labels: tuple[int, ...] | None
    whole: bool

    @property
    def metric(self) -> str:
        """The study's."""
        return "score" if self.labels is None else "accuracy"


def score_fault(score: Score, expected: Expected) -> str | None:
    """Return what in a score cannot be, in a phrase; None if it can."""
    return _first(_of_score(score, expected))


def comparison_fault(pair: Comparison, expected: Expected) -> str | None:
    """Return what in a comparison cannot be, in a phrase; None if it can."""
    return _first(_of_comparison(pair, expected))


def fault_among(scores: Sequence[Score], pairs: Sequence[Comparison], expected: Expected) -> str | None:
    """Return what cannot be among the scores and comparisons of one reply, each of which can; None if all can."""
    return _first(_of_groups(scores, pairs, expected)) or _first(_of_pairs(scores, pairs, expected))


def _first(rules: Rules) -> str | None:
    return next((wrong for holds, wrong in rules if not holds), None)


def _of_score(score: Score, expected: Expected) -> Rules:
    n, total = score.n, score.total
    yield score.metric == expected.metric, f"its metric is '{score.metric}' and the study's is '{expected.metric}'"
    yield from _of_size(score.split, n, expected)
    choice = expected.labels is not None
    slack = SLACK * n if choice else PLACE
    yield -slack <= total <= n + slack, f"'total' is {total:g} over {n} cases"
    yield (
        total * total / n - 3 * slack <= score.squares <= total + 2 * slack,
        (f"'squares' is {score.squares:g} where 'total' is {total:g} over {n} cases"),
    )
    if choice:
        yield total == round(total), f"'total' is {total:g}, which is no count of right answers"
        yield score.squares == total, f"'squares' is {score.squares:g} and {total:g} answers are right"
    yield from _of_clusters(n, score.groups, score.group_squares, score.squares - total * total / n, 3 * slack)
    yield choice or not (score.confusion or score.bins), "it has a confusion matrix or bins, and the answer is text"
    yield score.method == "likelihood" or (choice and not expected.whole), f"its method is '{score.method}'"
    if score.confusion and expected.labels is not None:
        yield from _of_confusion(score, expected.labels)
    if score.bins:
        yield from _of_bins(score, 1 / len(expected.labels or (1,)) if expected.whole else 0.0)


def _of_size(split: SplitName, n: int, expected: Expected) -> Rules:
    yield split == expected.split, f"it is over {split} and {expected.split} was asked for"
    yield n <= expected.cases, f"it is over {n} cases and the site has {expected.cases} in {split}"
    yield n >= max(1, expected.least), f"it is over {n} cases, fewer than the study's min_cases"
    if expected.whole:
        yield n == expected.cases, f"it is over {n} of the site's {expected.cases} cases in {split}, which all count"


def _of_clusters(n: int, groups: int, group_squares: float, spread: float, slack: float) -> Rules:
    """``spread``: the sum of squared residuals, known to ``slack``.

    Of a group of m cases the squared sum of residuals is at most m times the sum of their squares, and the largest
    group has n - groups + 1 cases at most.
    """
    yield 1 <= groups <= n, f"'groups' is {groups} over {n} cases"
    largest = n - groups + 1
    rounded = groups != n or slack >= PLACE
    slack = slack * largest + (DIGIT * group_squares if rounded else 0.0)
    if groups == n:
        yield (
            abs(group_squares - spread) <= slack,
            (
                f"'group_squares' is {group_squares:g} where each case is a group and the squared residuals add up to "
                f"{spread:g}"
            ),
        )
    most = 0.0 if groups == 1 else largest * spread
    yield group_squares <= most + slack, f"'group_squares' is {group_squares:g} and can be {most:g} at most"


def _of_confusion(score: Score, labels: Sequence[int]) -> Rules:
    table = score.confusion
    yield len(table) == len(labels), f"its confusion matrix is of {len(table)} labels and the study has {len(labels)}"
    right = sum(row[place] for place, row in enumerate(table))
    yield right == score.total, f"its confusion matrix has {right} right answers and 'total' is {score.total:g}"
    for place, (row, described) in enumerate(zip(map(sum, table), labels, strict=True), 1):
        yield row <= described, f"its confusion matrix has {row} cases of label {place} and the site has {described}"


def _of_bins(score: Score, least: float) -> Rules:
    """``least``: the least that a confidence can be."""
    bins, slack = score.bins, SLACK * score.n
    yield len(bins) == BINS, f"it has {len(bins)} calibration bins, not {BINS}"
    count, right = sum(one.n for one in bins), sum(one.right for one in bins)
    yield count == score.n, f"its calibration bins hold {count} of {score.n} cases"
    yield right == score.total, f"its calibration bins hold {right} right answers and 'total' is {score.total:g}"
    told = [place for place, one in enumerate(bins) if one.n]
    for place, one in enumerate(bins):
        yield one.right <= one.n, f"calibration bin {place + 1} has {one.right} right answers of {one.n}"
        # A bin of a few cases has joined a neighbour, so that one which is told spans what lies around it.
        low = max((max((p for p in told if p < place), default=-1) + 1) / BINS, least) * one.n
        high = min((p for p in told if p > place), default=BINS) / BINS * one.n
        yield (
            low - slack - PLACE <= one.confidence <= high + slack + PLACE,
            (f"calibration bin {place + 1} has a confidence of {one.confidence:g} over {one.n} cases"),
        )


def _of_comparison(pair: Comparison, expected: Expected) -> Rules:
    n, total, better, worse = pair.n, pair.total, pair.better, pair.worse
    yield from _of_size(pair.split, n, expected)
    slack = SLACK * n if expected.labels is not None else PLACE
    yield better + worse <= n, f"'better' and 'worse' are {better} and {worse} of {n} cases"
    yield (
        -worse - slack <= total <= better + slack,
        (f"'total' is {total:g} where {better} cases are better and {worse} worse"),
    )
    # What is above zero adds up to 'better' at most, what is below to 'worse', and a square is no more than its root.
    most = min(total + 2 * worse, 2 * better - total)
    yield (
        total * total / n - 3 * slack <= pair.squares <= most + 3 * slack,
        (f"'squares' is {pair.squares:g} where 'total' is {total:g}, {better} cases are better and {worse} worse"),
    )
    if expected.labels is not None:
        yield total == better - worse, f"'total' is {total:g} where {better} answers are better and {worse} worse"
        yield pair.squares == better + worse, f"'squares' is {pair.squares:g} and {better + worse} answers differ"
    yield from _of_clusters(n, pair.groups, pair.group_squares, pair.squares - total * total / n, 3 * slack)


def _of_groups(scores: Sequence[Score], pairs: Sequence[Comparison], expected: Expected) -> Rules:
    """What is over every case of the split has as many groups, and as many cases of each label."""
    found = [one.groups for one in scores if one.n == expected.cases]
    found += [one.groups for one in pairs if one.n == expected.cases]
    yield len(set(found)) <= 1, f"the same cases form {' and '.join(map(str, sorted(set(found))))} groups"
    rows = {tuple(map(sum, one.confusion)) for one in scores if one.confusion and one.n == expected.cases}
    yield len(rows) <= 1, "the same cases have other labels from one confusion matrix to the next"


def _of_pairs(scores: Sequence[Score], pairs: Sequence[Comparison], expected: Expected) -> Rules:
    """A comparison over every case is the difference of its two scores over every case."""
    whole: Mapping[str, Score] = {one.prompt: one for one in scores if one.n == expected.cases}
    slack = SLACK * expected.cases if expected.labels is not None else 3 * PLACE
    for pair in pairs:
        first, second = whole.get(pair.first), whole.get(pair.second)
        if first is None or second is None or pair.n != expected.cases:
            continue
        apart = first.total - second.total
        yield (
            abs(pair.total - apart) <= slack,
            (f"a comparison's 'total' is {pair.total:g} and its prompts' totals differ by {apart:g}"),
        )
        # Rounded sums of squares are known to a place; the root of one near zero is then known to a tenth at most.
        blur = 0.0 if expected.labels is not None else PLACE
        apart_squares = abs(math.sqrt(first.squares) - math.sqrt(second.squares)) - 2 * math.sqrt(blur)
        least = max(0.0, apart_squares) ** 2
        most = first.squares + second.squares + 2 * blur
        yield (
            least - slack <= pair.squares <= most + slack,
            (
                f"a comparison's 'squares' is {pair.squares:g} and its prompts' are {first.squares:g} and "
                f"{second.squares:g}"
            ),
        )
        room = min(first.total, pair.n - second.total), min(second.total, pair.n - first.total)
        if expected.labels is not None:
            yield (
                pair.better <= room[0] and pair.worse <= room[1],
                (
                    f"a comparison has {pair.better} better and {pair.worse} worse answers where {first.total:g} and "
                    f"{second.total:g} of {pair.n} are right"
                ),
            )
