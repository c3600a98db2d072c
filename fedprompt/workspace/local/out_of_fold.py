"""How many of a site's few labelled cases are answered right, by a template alone and with shared prompts.

Alone is the pack's best template with a bias for each label: what these cases tell without any tuned prompt. It is not
the strongest that a site can do by itself (showing cases in the prompt or tuning one may do better), so every sentence
names it. Invariant: a case's answer plays no part in what answers it, nor do cases of the same input or group.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.combining import combined
from fedprompt.adapting.fitting import MemberKind, fit
from fedprompt.adapting.folds import stratified_folds
from fedprompt.adapting.settings import AtN
from fedprompt.evaluation.statistics.pairs import mcnemar_exact

__all__ = ["FOLDS", "Judged", "folds_of", "judged"]

FOLDS = 8
SURE = 0.05


@dataclass(frozen=True)
class Judged:
    """Of ``cases``, ``alone`` are right with the best template and ``shared`` with shared prompts.

    ``better`` are right with shared prompts only and ``worse`` with the template only. ``alone`` is None, and both are
    0, where the pack has no template.
    """

    cases: int
    alone: int | None
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
        found = f"{on}{self.alone} right with the best template alone, {self.shared} with shared prompts; "
        if self.told_apart:
            better = "the template is" if self.alone > self.shared else "shared prompts are"
            return f"{found}{better} better, by more than chance explains."
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
        tables: [members, cases, labels] log-probabilities.
        answers: [cases], each a label's place.
        towards: [members], the weights that the pack gives; of at least one member.
        kinds: what each member is.
        folds: [cases], as :func:`folds_of` gives them.
        bias0: a bias from unlabelled text.
    """
    shared = _right(settings, tables, answers, towards, kinds, folds, bias0)
    if "template" not in kinds:
        return Judged(len(answers), None, int(shared.sum()))
    template = settings.model_copy(update={"method": "template"})
    alone = _right(template, tables, answers, towards, kinds, folds, bias0)
    better, worse = int((shared & ~alone).sum()), int((alone & ~shared).sum())
    return Judged(len(answers), int(alone.sum()), int(shared.sum()), better, worse)


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
