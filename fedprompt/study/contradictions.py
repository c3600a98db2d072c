"""What cannot be in scores and comparisons: numbers that contradict each other, the study, or what the site described.

A case's value is in [0, 1], and 0 or 1 where the answer is a choice; everything here follows from that. Invariant: what
:mod:`fedprompt.evaluation.runs.runner` sums up of real cases and :mod:`fedprompt.privacy.coarse` rounds and merges has
no fault, and what is told of a fault is sums and counts, as the reply itself is.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fedprompt.study.score import BINS, Comparison, Score, SplitName

__all__ = ["Expected", "comparison_fault", "fault_among", "score_fault"]

SLACK = 1e-9  # of what n values in [0, 1] add up to: rounding in float64, many times over
PLACE, DIGIT = 0.0051, 0.0051  # what two decimals lose, and three digits of a number as a part of it
FARTHEST = 12.0  # deviations that no noise goes beyond, once in 10^32
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
        cell: the fewest cases that a cell or a bin is told of, the study's ``min_cell``.
        nearest: right answers of a prompt that the hub brings may be rounded to a multiple of it.
        exact: the ids of the prompts that are not the hub's to bring, the study's templates.
        noised: the most that noise adds to the variance of a count, 0 where counts carry none.
    """

    split: SplitName
    cases: int
    least: int
    labels: tuple[int, ...] | None
    whole: bool
    cell: int = 1
    nearest: int = 1
    exact: frozenset[str] = frozenset()
    noised: float = 0.0

    def off(self, one: Score | Comparison) -> int:
        """How far two counts of right answers that a score or comparison holds may be off together, by rounding."""
        if self.noised:
            return math.ceil(FARTHEST * math.sqrt(2 * self.noised))
        prompts = {one.prompt} if isinstance(one, Score) else {one.first, one.second}
        return 0 if self.nearest == 1 or prompts <= self.exact else self.nearest

    def added(self, one: Score | Comparison) -> float:
        """What rounding or noise adds to the variance, of one count in a score and of two in a comparison."""
        if self.noised:
            return self.noised * (1 if isinstance(one, Score) else 2)
        return self.off(one) ** 2 / (12 if isinstance(one, Score) else 6)

    @property
    def metric(self) -> str:
        """The study's."""
        return "score" if self.labels is None else "accuracy"

    def slack(self, n: int) -> float:
        """How far a sum over so many cases may be off: graded values travel in two decimals."""
        return SLACK * n + (PLACE if self.labels is None else 0.0)


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
    n, total, squares = score.n, score.total, score.squares
    yield score.metric == expected.metric, f"its metric is '{score.metric}', but the study's is '{expected.metric}'"
    yield from _of_size(score.split, n, expected)
    slack = expected.slack(n)
    yield -slack <= total <= n + slack, f"'total' is {total:g} over {n} cases"
    possible = total * total / n - 3 * slack <= squares <= total + 2 * slack
    yield possible, f"'squares' is {squares:g}, but 'total' is {total:g} over {n} cases"
    choice = expected.labels is not None
    if choice:
        yield total == round(total), f"'total' is {total:g}, which is not a count of correct answers"
        yield squares == total, f"'squares' is {squares:g}, but {total:g} answers are correct"
    yield from _of_clusters(score, expected)
    yield choice or not (score.confusion or score.bins), "it has a confusion matrix or bins, but the answer is text"
    yield score.method == "likelihood" or (choice and not expected.whole), f"its method is '{score.method}'"
    if score.confusion and expected.labels is not None:
        yield from _of_confusion(score, expected.labels, expected.cell)
    if score.bins:
        yield from _of_bins(score, 1 / len(expected.labels or (1,)) if expected.whole else 0.0, expected.cell)


def _of_size(split: SplitName, n: int, expected: Expected) -> Rules:
    yield split == expected.split, f"it covers {split}, but the hub asked for {expected.split}"
    yield n <= expected.cases, f"it covers {n} cases, but the site has {expected.cases} in {split}"
    yield n >= max(1, expected.least), f"it covers {n} cases, which is below the study's min_cases"
    if expected.whole:
        yield n == expected.cases, f"it covers {n} of the site's {expected.cases} cases in {split}, but all count"


def _of_clusters(one: Score | Comparison, expected: Expected) -> Rules:
    """Of a group of m cases the squared sum of residuals is at most m times the sum of their squares.

    The largest group has n - groups + 1 cases at most.
    """
    n, groups, found = one.n, one.groups, one.group_squares
    yield 1 <= groups <= n, f"'groups' is {groups}, but there are {n} cases"
    largest = n - groups + 1
    spread = max(0.0, one.squares - one.total * one.total / n)  # the sum of squared residuals
    slack = 3 * expected.slack(n) * largest
    if expected.labels is None or groups != n:
        slack += DIGIT * found
    rounding = expected.added(one)
    if groups == n:
        fits = -slack <= found - spread <= slack + rounding
        yield fits, f"'group_squares' is {found:g}, but the squared residuals give {spread:g}"
    most = (0.0 if groups == 1 else largest * spread) + rounding
    yield found <= most + slack, f"'group_squares' is {found:g}, but can be at most {most:g}"


def _of_confusion(score: Score, labels: Sequence[int], cell: int) -> Rules:
    table = score.confusion
    yield len(table) == len(labels), f"its confusion matrix has {len(table)} labels, but the study has {len(labels)}"
    right = sum(row[place] for place, row in enumerate(table))
    yield right == score.total, f"its confusion matrix has {right} correct answers, but 'total' is {score.total:g}"
    small = min((one for row in table for one in row if one), default=cell)
    yield small >= cell, f"its confusion matrix has a cell of {small} cases, which is below the study's min_cell"
    for place, (row, described) in enumerate(zip(map(sum, table), labels, strict=True), 1):
        yield row <= described, f"its confusion matrix has {row} cases of label {place}, but the site has {described}"


def _of_bins(score: Score, least: float, cell: int) -> Rules:
    """A bin of fewer than ``cell`` cases joins the next above it, the rest at the top the highest that is told.

    Args:
        score: with bins.
        least: the least that a confidence can be.
        cell: the fewest cases that a bin is told of.
    """
    bins, told, slack = score.bins, [place for place, one in enumerate(score.bins) if one.n], SLACK * score.n + PLACE
    yield len(bins) == BINS, f"it has {len(bins)} calibration bins, not {BINS}"
    count, right = sum(one.n for one in bins), sum(one.right for one in bins)
    yield count == score.n, f"its calibration bins hold {count} of {score.n} cases"
    yield right == score.total, f"its calibration bins have {right} correct answers, but 'total' is {score.total:g}"
    below = 0.0  # where what may have joined the next bin begins
    for place, one in enumerate(bins):
        yield one.right <= one.n, f"calibration bin {place + 1} has {one.right} correct answers of {one.n}"
        yield one.n == 0 or one.n >= cell, f"calibration bin {place + 1} covers {one.n} cases, which is below min_cell"
        joined = min(cell, one.n) - 1 if one.n else 0
        low = (one.n - joined) * max(place / BINS, least) + joined * max(below, least)
        above = joined if told[-1:] == [place] else 0
        high = (one.n - above) * (place + 1) / BINS + above
        possible = low - slack <= one.confidence <= high + slack
        yield possible, f"calibration bin {place + 1} has a confidence of {one.confidence:g} over {one.n} cases"
        below = (place + 1) / BINS if one.n else below


def _of_comparison(pair: Comparison, expected: Expected) -> Rules:
    n, total, better, worse = pair.n, pair.total, pair.better, pair.worse
    yield from _of_size(pair.split, n, expected)
    slack = expected.slack(n)
    counts = f"{better} cases are better and {worse} worse"
    yield better + worse <= n, f"{counts} of {n}"
    yield -worse - slack <= total <= better + slack, f"'total' is {total:g}, but {counts}"
    # What is above zero adds up to 'better' at most, what is below to 'worse', and a square is no more than its root.
    most = min(total + 2 * worse, 2 * better - total)
    possible = total * total / n - 3 * slack <= pair.squares <= most + 2 * slack
    yield possible, f"'squares' is {pair.squares:g}, but 'total' is {total:g} and {counts}"
    if expected.labels is not None:
        yield total == better - worse, f"'total' is {total:g}, but {counts}"
        yield pair.squares == better + worse, f"'squares' is {pair.squares:g}, but {counts}"
    yield from _of_clusters(pair, expected)


def _of_groups(scores: Sequence[Score], pairs: Sequence[Comparison], expected: Expected) -> Rules:
    """What is over every case of the split has as many groups, and as many cases of each label."""
    every: tuple[Score | Comparison, ...] = (*scores, *pairs)
    found = [one.groups for one in every if one.n == expected.cases]
    yield len(set(found)) <= 1, f"the same cases form {' and '.join(map(str, sorted(set(found))))} groups"
    rows = {tuple(map(sum, one.confusion)) for one in scores if one.confusion and one.n == expected.cases}
    yield len(rows) <= 1, "the labels of the same cases differ between confusion matrices"


def _of_pairs(scores: Sequence[Score], pairs: Sequence[Comparison], expected: Expected) -> Rules:
    """A comparison over every case is the difference of its two scores over every case."""
    whole: Mapping[str, Score] = {one.prompt: one for one in scores if one.n == expected.cases}
    for pair in pairs:
        first, second = whole.get(pair.first), whole.get(pair.second)
        if first is None or second is None or pair.n != expected.cases:
            continue
        # Each count is off by half a multiple at most: two in the comparison, one in each score that is rounded.
        off = expected.off(pair) + (expected.off(first) + expected.off(second)) / 2
        slack = expected.slack(expected.cases) + off
        apart, told = first.total - second.total, f"{first.total:g} and {second.total:g}"
        yield abs(pair.total - apart) <= 3 * slack, f"a comparison's 'total' is {pair.total:g} of totals {told}"
        longer, shorter = sorted((first.squares, second.squares), reverse=True)
        least = max(0.0, math.sqrt(max(0.0, longer - slack)) - math.sqrt(shorter + slack)) ** 2
        possible = least - slack <= pair.squares <= longer + shorter + 3 * slack
        yield possible, f"a comparison's 'squares' is {pair.squares:g} of squares {longer:g} and {shorter:g}"
        if expected.labels is not None:
            most = min(first.total, pair.n - second.total), min(second.total, pair.n - first.total)
            possible = pair.better <= most[0] + off and pair.worse <= most[1] + off
            yield possible, f"a comparison has {pair.better} better and {pair.worse} worse answers of totals {told}"
