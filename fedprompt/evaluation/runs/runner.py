"""Runs prompts over cases through a model and sums up what came: scores and paired comparisons.

Per-case values stay in ``PromptRun``, which never leaves the site; only the sums in ``Score`` and ``Comparison`` do.
A case that could not be judged has no value (NaN) there, and is neither a zero nor a case in any sum.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.demonstrations import Shown
from fedprompt.evaluation.runs.generating import Local, generate_and_judge
from fedprompt.evaluation.runs.label_scores import RunCost, fitted_query, label_scores, query
from fedprompt.evaluation.runs.score_cache import ScoreCache
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.models.protocols import CausalModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Answer
from fedprompt.study.score import BINS, CalibrationBin, Comparison, Score, SplitName

__all__ = [
    "PromptRun",
    "RunCost",
    "choice_run",
    "compare_runs",
    "fitted_query",
    "query",
    "run_prompts",
    "to_score",
    "true_labels",
]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class PromptRun:
    """One prompt on every case: values in [0, 1], and for a choice the predicted and true labels.

    ``values``: [cases] float64, NaN where a case could not be judged; ``predicted`` and ``true``: [cases] int64
    indices of labels; ``confidence``: [cases] float64, the softmax over the label words' log-likelihoods at the
    predicted label; ``table``: these log-likelihoods, [cases, labels] float64, where a model of this machine told them;
    ``reasons``: scorer -> its reason -> how many cases it gave it for.
    """

    prompt: Prompt
    values: NDArray[np.float64]
    predicted: NDArray[np.int64] | None = None
    true: NDArray[np.int64] | None = None
    confidence: NDArray[np.float64] | None = None
    reasons: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    table: NDArray[np.float64] | None = None

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which cases have a value, [cases] bool."""
        return ~np.isnan(self.values)

    @property
    def unscored(self) -> int:
        """How many cases could not be judged."""
        return int(np.isnan(self.values).sum())


def run_prompts(
    model: CausalModel,
    prompts: Sequence[Prompt],
    cases: Sequence[Case],
    answer: Answer,
    tune: Sequence[Case] = (),
    progress: Progress | None = None,
    cache: ScoreCache | None = None,
    resources: Resources | None = None,
    *,
    stop: StopToken = NEVER,
) -> tuple[tuple[PromptRun, ...], RunCost]:
    """Run every prompt on every case.

    Args:
        tune: the site's tune split, for demonstrations.
        cache: the site's own, so that what was computed before is not computed again.
        progress: hears (done, total), in parts of the work.
        resources: the encoder and the judge that scorers of free text may need.
        stop: looked at between two batches; what is in the cache stays.

    Raises:
        StudyError: an unknown scorer or option.
        ModelError: a prompt does not fit the model's window or was tuned for another model, or a scorer lacks what it
            needs.
        DataError: too few cases for demonstrations, or an answer that is no label.
    """
    if not cases or not prompts:
        return (), RunCost(0, 0, 0.0)
    if answer.type == "generate":
        shown = [Shown(prompt.template, tune) for prompt in prompts]
        here = Local(model, cache)
        judged = generate_and_judge(model, prompts, cases, answer, shown, progress, resources, here, stop)
        made = tuple(
            PromptRun(prompt, judged.values[:, place], reasons=judged.reasons[place])
            for place, prompt in enumerate(prompts)
        )
        return made, RunCost(judged.tokens, judged.distinct, judged.seconds, judged.cached, judged.clipped)
    true = true_labels(cases, answer)
    scores, cost = label_scores(model, prompts, cases, answer, tune, progress, cache, stop=stop)
    return tuple(choice_run(prompt, scores[:, place], true) for place, prompt in enumerate(prompts)), cost


def true_labels(cases: Sequence[Case], answer: Answer) -> NDArray[np.int64]:
    """Return the index of each case's label, [cases] int64.

    Raises:
        DataError: an answer is no label of the study.
    """
    labels = list(answer.labels)
    if stray := [case for case in cases if case.answer not in labels]:
        raise DataError(f"line {stray[0].line}: the answer is not a label of the study", code="unknown-label")
    return np.array([labels.index(case.answer) for case in cases], dtype=np.int64)


def choice_run(prompt: Prompt, scores: NDArray[np.float64], true: NDArray[np.int64]) -> PromptRun:
    """Return the run that label log-likelihoods ([cases, labels] float64) and true labels ([cases]) amount to.

    The first of equally likely labels is the answer.
    """
    predicted = scores.argmax(axis=1)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    confidence = weights.max(axis=1) / weights.sum(axis=1)
    return PromptRun(prompt, (predicted == true).astype(np.float64), predicted, true, confidence, table=scores)


def _judged(values: NDArray[np.float64], cases: Sequence[Case]) -> tuple[NDArray[np.float64], list[Case]]:
    """Return the values that there are, and their cases."""
    known = ~np.isnan(values)
    return values[known], [case for case, kept in zip(cases, known, strict=True) if kept]


def _residuals(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values - values.mean() if values.size else values


def _group_squares(residuals: NDArray[np.float64], cases: Sequence[Case]) -> tuple[int, float]:
    """Return how many groups there are, and the sum over groups of the squared sum of residuals."""
    sums: dict[str, float] = {}
    for place, (case, residual) in enumerate(zip(cases, residuals.tolist(), strict=True)):
        key = f"g{case.group}" if case.group is not None else f"c{place}"
        sums[key] = sums.get(key, 0.0) + residual
    return len(sums), float(sum(value * value for value in sums.values()))


def to_score(run: PromptRun, cases: Sequence[Case], split: SplitName, answer: Answer) -> Score:
    """Sum one run up over the cases that were judged; ``n`` counts those alone."""
    values, judged = _judged(run.values, cases)
    groups, squares = _group_squares(_residuals(values), judged)
    confusion: tuple[tuple[int, ...], ...] = ()
    bins: tuple[CalibrationBin, ...] = ()
    if run.predicted is not None and run.true is not None and run.confidence is not None:
        table = np.zeros((len(answer.labels),) * 2, dtype=np.int64)
        np.add.at(table, (run.true, run.predicted), 1)
        confusion = tuple(tuple(int(x) for x in row) for row in table)
        place = np.minimum((run.confidence * BINS).astype(int), BINS - 1)
        bins = tuple(
            CalibrationBin(
                n=int((place == b).sum()),
                confidence=float(run.confidence[place == b].sum()),
                right=int(values[place == b].sum()),
            )
            for b in range(BINS)
        )
    return Score(
        prompt=run.prompt.id,
        split=split,
        metric="accuracy" if answer.type == "choice" else "score",
        n=len(judged),
        total=float(values.sum()),
        squares=float((values * values).sum()),
        groups=groups,
        group_squares=squares,
        confusion=confusion,
        bins=bins,
    )


def compare_runs(first: PromptRun, second: PromptRun, cases: Sequence[Case], split: SplitName) -> Comparison:
    """Sum up the differences of two runs over the cases that were judged in both."""
    differences, judged = _judged(first.values - second.values, cases)
    groups, squares = _group_squares(_residuals(differences), judged)
    return Comparison(
        first=first.prompt.id,
        second=second.prompt.id,
        split=split,
        n=len(judged),
        total=float(differences.sum()),
        squares=float((differences * differences).sum()),
        better=int((differences > 0).sum()),
        worse=int((differences < 0).sum()),
        groups=groups,
        group_squares=squares,
    )
