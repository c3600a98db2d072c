"""What a home's labelled cases give without others' prompts: cases shown in the prompt, and sentence vectors.

Each case is answered by what other cases teach, so that both stand beside shared prompts on the same cases. Invariant:
cases of one fold, and so those of one input or group, are never shown to each other.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.encoded import regression
from fedprompt.adapting.few_shot import FewShot, can_show, few_shot, shown_cases
from fedprompt.adapting.left_out import LeftOut, left_out
from fedprompt.errors import AssetError, ModelError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.score_cache import ScoreCache
from fedprompt.models.sentence_encoder import load_encoder
from fedprompt.prompts.template import Template
from fedprompt.stopping import StopToken
from fedprompt.workspace.local.asking import Asking
from fedprompt.workspace.local.home_cases import HomeCases
from fedprompt.workspace.local.ready_pack import ReadyPack
from fedprompt.workspace.workspace import Workspace

__all__ = ["LEAST_FOLDS", "all_shown", "by_encoder", "by_showing", "shown_template"]

LEAST_FOLDS = 3  # two that teach, one that is judged
TWICE = 64  # cases; with more, a fold's part in what is learnt from the others is not worth its time


class _TooLong(Exception):
    """Some of the cases are too long to be shown."""


def shown_template(ready: ReadyPack) -> Template | None:
    """Return the pack's template that cases are shown before: the best at the donors, None where none can show any."""
    found = [
        (one.template, -np.inf if known.mean is None else known.mean, known.weight)
        for one, known in zip(ready.file.members, ready.file.pack.members, strict=True)
        if one.soft is None and can_show(one.template)
    ]
    return max(found, key=lambda one: one[1:])[0] if found else None


def by_showing(
    ready: ReadyPack,
    home: HomeCases,
    folds: NDArray[np.int64],
    cache: ScoreCache,
    notes: list[str],
    asking: Asking,
    stop: StopToken,
) -> LeftOut | None:
    """Return the calibrated answers of few-shot prompts; None where none can be asked, and then says why in ``notes``.

    Args:
        ready: the pack and its model.
        home: its cases, in as many folds as ``LEAST_FOLDS`` at least.
        folds: [cases].
        cache: the home's own.
        notes: sentences for people.
        asking: hears how far it is, and what it took.
        stop: looked at between two batches.
    """
    template, labels = shown_template(ready), ready.file.pack.labels
    if template is None:
        return None
    if not shown_cases(home.cases, len(home.cases)):
        notes.append("your cases are too few or too long to use as examples, so the comparison leaves out")
        return None
    many, done = len(np.unique(folds)), 0
    twice = len(home.cases) <= TWICE
    sets = many * (many + 1) // 2 if twice else many

    def learn(known: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.float64]:
        nonlocal done
        asking.showing(done, sets)
        found = _asked(ready, template, home.cases, known, asked, cache, stop)
        done += 1
        asking.spent(found.cost)
        return found.calibrated

    try:
        return left_out(learn, folds, len(labels), twice=twice)
    except (ModelError, _TooLong):
        notes.append("your cases are too long to use as examples, so the comparison leaves out")
        return None


def all_shown(ready: ReadyPack, home: HomeCases, cache: ScoreCache, stop: StopToken) -> FewShot:
    """Return the prompt that shows the cases chosen among all, with what calibrates it; asked about no case."""
    template, cases = shown_template(ready), home.cases
    assert template is not None
    return few_shot(ready.model, template, shown_cases(cases, len(cases)), [], ready.answer, cache=cache, stop=stop)


def by_encoder(
    ws: Workspace, home: HomeCases, folds: NDArray[np.int64], labels: int, notes: list[str]
) -> LeftOut | None:
    """Return the answers of a regression on sentence vectors; None where the encoder is not there, which is noted."""
    try:
        encoder = load_encoder(ws.home.path)
    except (AssetError, ModelError):
        notes.append(
            "the comparison leaves out a regression on the sentence encoder, because the encoder is missing; "
            "get it with 'fedprompt assets pull'"
        )
        return None
    vectors = encoder.encode(["\n".join(case.fields.values()) for case in home.cases])
    learn = partial(_regressed, vectors, home.answers, labels)
    return left_out(learn, folds, labels, twice=len(home.cases) <= TWICE)


def _asked(
    ready: ReadyPack,
    template: Template,
    cases: Sequence[Case],
    known: NDArray[np.int64],
    asked: NDArray[np.int64],
    cache: ScoreCache,
    stop: StopToken,
) -> FewShot:
    shown = shown_cases([cases[row] for row in known], len(cases))
    if not shown:
        raise _TooLong
    return few_shot(ready.model, template, shown, [cases[row] for row in asked], ready.answer, cache=cache, stop=stop)


def _regressed(
    vectors: NDArray[np.float32],
    answers: NDArray[np.int64],
    labels: int,
    known: NDArray[np.int64],
    asked: NDArray[np.int64],
) -> NDArray[np.float64]:
    return regression(vectors[known], answers[known], vectors[asked], labels)
