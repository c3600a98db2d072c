"""How many of a site's few labelled cases are answered right, by what it can do by itself and with shared prompts.

Alone is the strongest of the ways of ``adapting.alone``, looked up on the same cases: the best of several is taken
after the fact, which is in favour of being alone. Invariant: a case's answer plays no part in what answers it, nor do
cases of the same input or group.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.alone import Way, alone_tables, strongest
from fedprompt.adapting.combining import combined
from fedprompt.adapting.fitting import MemberKind, fit
from fedprompt.adapting.folds import stratified_folds
from fedprompt.adapting.left_out import LeftOut
from fedprompt.adapting.settings import AtN
from fedprompt.evaluation.statistics.pairs import mcnemar_exact

__all__ = ["FOLDS", "WAY_WORDS", "Asked", "Judged", "folds_of", "judged"]

FOLDS = 4
SURE = 0.05
SHOWN_PART = 0.3  # of a prompt that shows the home's cases, beforehand; its fit says whether it counts at all
WAY_WORDS: Mapping[Way, str] = {
    "template": "the best template",
    "templates": "all templates mixed",
    "shown": "some of your cases as examples in the prompt",
    "encoder": "a regression on the sentence encoder",
    "encoder+templates": "a mixture of templates and a regression on the sentence encoder",
}


@dataclass(frozen=True)
class Asked:
    """What was said of each case: ``tables`` [members, cases, labels] of the pack's prompts, and what each is.

    ``shown``: few-shot prompts, calibrated; ``encoded``: the regression. Each by other cases alone, None where it is
    not asked. ``joins``: whether cases may be shown beside shared prompts too.
    """

    tables: NDArray[np.float64]
    kinds: Sequence[MemberKind]
    shown: LeftOut | None = None
    encoded: LeftOut | None = None
    joins: bool = True

    def members(self, fold: int | None = None) -> tuple[NDArray[np.float64], Sequence[MemberKind]]:
        """Return all that is mixed, and what each is: without what a fold's answers have taught, or for good."""
        if self.shown is None or not self.joins:
            return self.tables, self.kinds
        showing = self.shown.table if fold is None else self.shown.without(fold)
        return np.concatenate([self.tables, showing[None]]), [*self.kinds, "shown"]

    def weights(self, towards: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what all that is mixed weighs beforehand, from the weights that the pack gives."""
        joined = len(self.members()[1]) > len(self.kinds)
        return np.append(towards * (1 - SHOWN_PART), SHOWN_PART) if joined else towards

    @property
    def plain(self) -> NDArray[np.float64]:
        """[templates, cases, labels], of the members that are templates."""
        return self.tables[[place for place, kind in enumerate(self.kinds) if kind == "template"]]


@dataclass(frozen=True)
class Judged:
    """Of ``cases``, ``alone`` are right in the strongest way alone, ``alone_by``, and ``shared`` with shared prompts.

    ``better`` are right with shared prompts only and ``worse`` alone only. ``ways``: each way alone -> how many are
    right. ``alone`` is None, and ``better`` and ``worse`` are 0, where there is no way.
    """

    cases: int
    alone: int | None
    shared: int
    better: int = 0
    worse: int = 0
    alone_by: Way | None = None
    ways: Mapping[Way, int] = field(default_factory=dict)

    @property
    def told_apart(self) -> bool:
        """Whether the difference is more than chance explains (McNemar's exact test)."""
        return mcnemar_exact(self.better, self.worse) < SURE

    @property
    def sentence(self) -> str:
        """What it comes to, in words."""
        on = f"On your {self.cases} cases: "
        if self.alone is None or self.alone_by is None:
            return f"{on}{self.shared} correct with shared prompts."
        found = (
            f"{on}{self.alone} correct alone (with {WAY_WORDS[self.alone_by]}), and {self.shared} with shared prompts; "
        )
        if self.told_apart:
            better = "alone is" if self.alone > self.shared else "shared prompts are"
            return f"{found}{better} significantly better."
        return found + ("not significantly different." if self.alone != self.shared else "no difference.")


def folds_of(
    answers: NDArray[np.int64], rng: np.random.Generator, groups: Sequence[Hashable] | None = None
) -> NDArray[np.int64] | None:
    """Return the fold of each case; None where there are fewer than two cases or inputs, or all are alike."""
    if len(answers) < 2 or len(set(answers.tolist())) < 2 or (groups is not None and len(set(groups)) < 2):
        return None
    return stratified_folds(answers, FOLDS, rng, groups)


def judged(
    settings: AtN,
    asked: Asked,
    answers: NDArray[np.int64],
    towards: NDArray[np.float64],
    folds: NDArray[np.int64],
    bias0: NDArray[np.float64] | None = None,
) -> Judged:
    """Return how many cases are right out of fold.

    Args:
        settings: for the number of cases.
        asked: what was said of each case.
        answers: [cases], each a label's place.
        towards: [members], the weights that the pack gives; of at least one member.
        folds: [cases], as :func:`folds_of` gives them.
        bias0: a bias from unlabelled text.
    """
    shared = np.zeros(len(answers), dtype=np.bool_)
    ways: dict[Way, NDArray[np.bool_]] = {}
    for fold in np.unique(folds):
        held, known = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        mixed, kinds = asked.members(int(fold))
        fitted = fit(settings, mixed[:, known], answers[known], asked.weights(towards), kinds=kinds, bias0=bias0)
        answered = combined(mixed[:, held], fitted.weights, fitted.bias)
        shared[held] = answered.argmax(axis=1) == answers[held]
        tables = alone_tables(
            settings,
            asked.plain,
            answers,
            known,
            held,
            shown=None if asked.shown is None else asked.shown.without(int(fold)),
            encoded=None if asked.encoded is None else asked.encoded.without(int(fold)),
        )
        for way, table in tables.items():
            right = ways.setdefault(way, np.zeros(len(answers), dtype=np.bool_))
            right[held] = table.argmax(axis=1) == answers[held]
    counts = {way: int(right.sum()) for way, right in ways.items()}
    best = strongest(counts)
    if best is None:
        return Judged(len(answers), None, int(shared.sum()))
    better, worse = (int((one & ~other).sum()) for one, other in ((shared, ways[best]), (ways[best], shared)))
    return Judged(len(answers), counts[best], int(shared.sum()), better, worse, best, counts)
