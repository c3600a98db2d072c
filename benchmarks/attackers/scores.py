"""Who is a member, read from exact scores: each asked prompt is an equation in the cases of a split.

The hub holds candidate texts and the model, so it knows what any soft prompt makes of each text. It asks prompts whose
answers differ as much as possible, and solves for who must be there for the counts to come out as they did; or it asks
two prompts between which one text alone is answered otherwise, and sees whether the count moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.attackers.conversation import CuriousHub
from benchmarks.attackers.equations import Equation, solve
from benchmarks.attackers.targets import OwnCopy
from fedprompt.study.score import CalibrationBin, Score, SplitName

__all__ = [
    "Pool",
    "ask_scores",
    "chosen",
    "labels_by_scores",
    "line",
    "single_texts",
    "spread_prompts",
    "sums_of_scores",
]

Vectors = NDArray[np.float32]
BINS = 10
COUNT_SPREAD = 0.2  # an answer that two copies of the model give otherwise, now and then
CONFIDENCE_SPREAD = 0.02


@dataclass(frozen=True, eq=False)
class Pool:
    """Soft prompts and what they make of the candidates: ``predicted`` and ``confidence`` are [prompts, candidates]."""

    vectors: tuple[Vectors, ...]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]

    @classmethod
    def of(cls, copy: OwnCopy, vectors: Sequence[Vectors]) -> "Pool":
        """Compute what each soft prompt makes of each candidate."""
        chances = [np.exp(-copy.losses(one)) for one in vectors]
        return cls(
            tuple(vectors),
            np.array([one.argmax(axis=1) for one in chances]),
            np.array([one.max(axis=1) for one in chances]),
        )

    def only(self, places: Sequence[int]) -> "Pool":
        """Return some of them."""
        kept = list(places)
        return Pool(tuple(self.vectors[place] for place in kept), self.predicted[kept], self.confidence[kept])


def spread_prompts(start: Vectors, count: int, seed: int = 0) -> list[Vectors]:
    """Return soft prompts at random distances around a start, some near and some far."""
    rng = np.random.default_rng(seed)
    size = float(np.std(start))
    scales = np.geomspace(0.5, 16.0, 8)
    return [
        (start + size * scales[place % 8] * rng.normal(size=start.shape)).astype(np.float32) for place in range(count)
    ]


def line(first: Vectors, last: Vectors, count: int) -> list[Vectors]:
    """Return ``count`` soft prompts on the way from one to another."""
    return [(first + part * (last - first)).astype(np.float32) for part in np.linspace(0.0, 1.0, count)]


def chosen(pool: Pool, labels: NDArray[np.int64], count: int) -> list[int]:
    """Return the places of ``count`` prompts whose answers to the candidates differ most from each other's.

    Greedy: the next is the one that the chosen explain least (QR with column pivoting).
    """
    from scipy.linalg import qr

    right = (pool.predicted == labels).astype(np.float64)
    _, _, order = qr((right - right.mean(axis=1, keepdims=True)).T, mode="economic", pivoting=True)
    return [int(place) for place in order[:count]]


def ask_scores(hub: CuriousHub, vectors: Sequence[Vectors], split: SplitName, *, together: bool = True) -> list[Score]:
    """Return the scores of the first prompts, of all in one task or, where that is refused, until the site refuses."""
    if together and vectors and (whole := hub.scores(vectors, split)) is not None:
        return list(whole)
    found: list[Score] = []
    for one in vectors:
        if (score := hub.scores([one], split)) is None:
            break
        found.append(score[0])
    return found


def sums_of_scores(pool: Pool, scores: Sequence[Score], labels: NDArray[np.int64], nearest: int = 1) -> list[Equation]:
    """Return what the scores of a pool's prompts say of who is in the split.

    Args:
        nearest: of what number their right answers are told as a multiple.
    """
    return [one for place, score in enumerate(scores) for one in _equations(pool, place, score, labels, nearest)]


def labels_by_scores(
    pool: Pool, scores: Sequence[Score], members: NDArray[np.int64], nearest: int = 1
) -> NDArray[np.float64]:
    """Return [members]: of two labels, how much each known member looks like one of the second.

    Args:
        members: places of the members among the pool's candidates.
        nearest: of what number right answers are told as a multiple.
    """
    found = []
    for place, score in enumerate(scores):
        predicted, confidence = pool.predicted[place][members], pool.confidence[place][members]
        second = predicted.astype(np.float64)
        # A case is right where label and answer agree: y p + (1 - y) (1 - p) = (1 - p) + y (2 p - 1).
        found.append(Equation(2 * second - 1, score.total - float((1 - second).sum()), _spread(nearest)))
        if score.confusion:
            found += [
                Equation((predicted == answer).astype(np.float64), float(score.confusion[1][answer]), COUNT_SPREAD)
                for answer in (0, 1)
            ]
        where = np.minimum((confidence * BINS).astype(int), BINS - 1)
        for low, high, one in _ranges(score):
            here = ((low <= where) & (where < high)).astype(np.float64)
            told = one.right - float((here * (1 - second)).sum())
            found.append(Equation(here * (2 * second - 1), told, COUNT_SPREAD))
    return solve(found, len(members), len(members) // 2)


def single_texts(
    hub: CuriousHub, pool: Pool, labels: NDArray[np.int64], split: SplitName, most: int
) -> dict[int, float]:
    """Return candidate -> 1.0 if the count moved where that candidate's answer alone does, 0.0 if not.

    Args:
        pool: prompts in an order in which neighbours differ in few answers, as on a line.
        most: how many candidates to look for.
    """
    right = pool.predicted == labels
    steps: dict[int, tuple[int, int]] = {}
    for a, b in pairwise(range(len(pool.vectors))):
        moved = np.flatnonzero(right[a] != right[b])
        if len(moved) == 1:
            steps.setdefault(int(moved[0]), (a, b))
    found: dict[int, float] = {}
    for candidate, (a, b) in list(steps.items())[:most]:
        ends = [hub.scores([pool.vectors[place]], split) for place in (a, b)]
        if ends[0] is None or ends[1] is None:
            break
        found[candidate] = float(abs(ends[0][0].total - ends[1][0].total) > 0.5)
    return found


def _spread(nearest: int) -> float:
    """Return how far a told count is off: by rounding, or by an answer that two copies of the model give otherwise."""
    return max(COUNT_SPREAD, nearest / 12**0.5 if nearest > 1 else 0.0)


def _equations(pool: Pool, place: int, score: Score, labels: NDArray[np.int64], nearest: int) -> list[Equation]:
    """Return what one score says: of cells where they are told, else of its total; and of bins where they are."""
    predicted, confidence = pool.predicted[place], pool.confidence[place]
    right = predicted == labels
    found = []
    if score.confusion:
        for true, row in enumerate(score.confusion):
            for answer, count in enumerate(row):
                adds = (labels == true) & (predicted == answer)
                found.append(Equation(adds.astype(np.float64), float(count), COUNT_SPREAD))
    else:
        found.append(Equation(right.astype(np.float64), score.total, _spread(nearest)))
    where = np.minimum((confidence * BINS).astype(int), BINS - 1)
    for low, high, one in _ranges(score):
        here = ((low <= where) & (where < high)).astype(np.float64)
        found.append(Equation(here, float(one.n), COUNT_SPREAD))
        found.append(Equation(here * right, float(one.right), COUNT_SPREAD))
        found.append(Equation(here * confidence, one.confidence, CONFIDENCE_SPREAD))
    return found


def _ranges(score: Score) -> list[tuple[int, int, CalibrationBin]]:
    """Return the bins that are told, each from which tenth on and up to which.

    A small one has joined the next above it, and those at the top the highest that is told.
    """
    told = [place for place, one in enumerate(score.bins) if one.n]
    starts = [0, *(place + 1 for place in told[:-1])]
    ends = [*(place + 1 for place in told[:-1]), BINS]
    return [(low, high, score.bins[place]) for low, high, place in zip(starts, ends, told, strict=True)] if told else []
