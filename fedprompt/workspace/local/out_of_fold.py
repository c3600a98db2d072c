"""How many of a site's few labelled cases are answered right, alone and with shared prompts, each by a fit without it.

Alone is the strongest of what a site can do by itself: the best template with a bias for each label, or its own tuned
prompt where there is one. Which is the better is looked up on the same cases, so that alone is never made to look
worse than it is. Invariant: a case's answer plays no part in what answers it, nor do cases of the same input or group.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.combining import combined
from fedprompt.adapting.fitting import MemberKind, fit
from fedprompt.adapting.folds import stratified_folds
from fedprompt.adapting.settings import AtN, Method
from fedprompt.evaluation.statistics.pairs import mcnemar_exact

__all__ = ["FOLDS", "Judged", "folds_of", "judged"]

FOLDS = 8
SURE = 0.05


@dataclass(frozen=True)
class Judged:
    """``alone`` and ``shared`` of ``cases`` are right; ``alone_by``: which way of a site's own.

    ``better`` are right with shared prompts only and ``worse`` alone only. ``alone`` is None, and both are 0, where the
    pack has no template and the site no prompt of its own.
    """

    cases: int
    alone: int | None
    alone_by: Method | None
    shared: int
    better: int = 0
    worse: int = 0

    @property
    def told_apart(self) -> bool:
        """Whether the difference is more than chance explains (McNemar's exact test)."""
        return mcnemar_exact(self.better, self.worse) < SURE

    @property
    def sentence(self) -> str:
        """What it comes to, in words."""
        on = f"On your {self.cases} cases: "
        if self.alone is None:
            return f"{on}{self.shared} right with shared prompts."
        found = f"{on}{self.alone} right alone, {self.shared} with shared prompts; "
        if self.told_apart:
            return (
                found + f"{'alone' if self.alone > self.shared else 'shared'} is better, by more than chance explains."
            )
        return found + ("too few to tell." if self.alone != self.shared else "no difference.")


def folds_of(
    answers: NDArray[np.int64], rng: np.random.Generator, groups: Sequence[Hashable] | None = None
) -> NDArray[np.int64] | None:
    """Return the fold of each case; None where there are fewer than two cases or inputs, or all are alike."""
    if len(answers) < 2 or len(set(answers.tolist())) < 2 or (groups is not None and len(set(groups)) < 2):
        return None
    return stratified_folds(answers, FOLDS, rng, groups)


def judged(
    settings: AtN,
    tables: NDArray[np.float64],
    answers: NDArray[np.int64],
    towards: NDArray[np.float64],
    kinds: Sequence[MemberKind],
    folds: NDArray[np.int64],
    bias0: NDArray[np.float64] | None = None,
) -> Judged:
    """Return how many cases are right out of fold.

    Args:
        settings: for the number of cases.
        tables: [members, cases, labels] log-probabilities, of the site's own prompt out of fold.
        answers: [cases], each a label's place.
        towards: [members], the weights that the pack gives; of at least one member.
        kinds: what each member is.
        folds: [cases], as :func:`folds_of` gives them.
        bias0: a bias from unlabelled text.
    """
    ways: dict[Method, AtN] = {settings.method: settings}
    if "template" in kinds:
        ways["template"] = settings.model_copy(update={"method": "template"})
    if "own" in kinds:
        ways["alone"] = settings.model_copy(update={"method": "alone"})
    right: Mapping[Method, NDArray[np.bool_]] = {
        method: _right(way, tables, answers, towards, kinds, folds, bias0) for method, way in ways.items()
    }
    shared = right[settings.method]
    at_home: tuple[Method, ...] = ("template", "alone")
    own = [method for method in at_home if method in right]
    if not own:
        return Judged(len(answers), None, None, int(shared.sum()))
    best = max(own, key=lambda method: int(right[method].sum()))
    alone = right[best]
    better, worse = int((shared & ~alone).sum()), int((alone & ~shared).sum())
    return Judged(len(answers), int(alone.sum()), best, int(shared.sum()), better, worse)


def _right(
    settings: AtN,
    tables: NDArray[np.float64],
    answers: NDArray[np.int64],
    towards: NDArray[np.float64],
    kinds: Sequence[MemberKind],
    folds: NDArray[np.int64],
    bias0: NDArray[np.float64] | None,
) -> NDArray[np.bool_]:
    found = np.zeros(len(answers), dtype=np.bool_)
    for fold in np.unique(folds):
        held = folds == fold
        fitted = fit(settings, tables[:, ~held], answers[~held], towards, kinds=kinds, bias0=bias0)
        found[held] = combined(tables[:, held], fitted.weights, fitted.bias).argmax(axis=1) == answers[held]
    return found
