"""How likely each label's word is after each prompt, case by case: what is compared, and what mixtures are made of.

Invariant: the numbers are those that a study's answer is read by (its normalising and its prior are in them), and a
case's answer plays no part in them, so that texts without one are read alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.choices import GROUP, ask
from fedprompt.evaluation.runs.demonstrations import Always, Demonstrated, Showing, Shown
from fedprompt.evaluation.runs.fitting import fit
from fedprompt.evaluation.runs.likelihoods import LabelReading, adjusted, premises
from fedprompt.evaluation.runs.score_cache import ScoreCache
from fedprompt.models.protocols import CausalModel, ChoiceQuery
from fedprompt.models.work import Work
from fedprompt.prompts.prompt import Prompt
from fedprompt.stopping import NEVER, StopToken

__all__ = ["LabelAnswer", "RunCost", "fitted_query", "label_scores", "query"]


class LabelAnswer(LabelReading, Protocol):
    """Among which labels an answer is chosen, and how their likelihoods are compared; a study's answer is one."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels."""


@dataclass(frozen=True)
class RunCost:
    """Tokens asked for, tokens computed, seconds in the model.

    ``cached`` scores of single cases were known before; ``clipped`` cases were too long and lost their end.
    """

    tokens: int
    distinct: int
    seconds: float
    cached: int = 0
    clipped: int = 0

    @property
    def work(self) -> Work:
        """What the model did."""
        return Work(self.tokens, self.distinct, self.seconds, self.distinct)


def query(prompt: Prompt, case: Case, labels: Sequence[str], shown: Demonstrated) -> ChoiceQuery:
    """Return what to ask the model about one case, after the cases that are shown to it."""
    words = prompt.template.words or {}
    rendered = prompt.template.render(case.fields, shown)
    return ChoiceQuery(rendered, tuple(words[label] for label in labels), prompt.tuned)


def fitted_query(
    model: CausalModel, prompt: Prompt, case: Case, labels: Sequence[str], shown: Showing, *, soft: int | None = None
) -> tuple[ChoiceQuery, bool]:
    """Return what to ask the model about one case, cut to its window, and whether it was cut.

    Args:
        shown: what the prompt's template shows.
        soft: how many soft tokens stand in the slot; those of the prompt's own soft prompt if None.
    """
    own = shown.to(case)  # of the whole case: cut, it would not be known for one that is shown
    return fit(model, lambda one: query(prompt, one, labels, own), case, soft=soft)


def label_scores(
    model: CausalModel,
    prompts: Sequence[Prompt],
    cases: Sequence[Case],
    answer: LabelAnswer,
    tune: Sequence[Case] = (),
    progress: Callable[[int, int], None] | None = None,
    cache: ScoreCache | None = None,
    *,
    group: int = GROUP,
    cut: bool = True,
    shown: Demonstrated | None = None,
    stop: StopToken = NEVER,
) -> tuple[NDArray[np.float64], RunCost]:
    """Return the scores to compare, [cases, prompts, labels] float64, of at least one prompt on at least one case.

    Args:
        tune: the site's tune split, for demonstrations.
        progress: hears (done, total), in parts of the work.
        cache: the site's own, so that what was computed before is not computed again.
        group: how many cases go through the model before what it said is kept.
        cut: whether a case that is too long for the model loses its end; else it is refused.
        shown: what templates with demonstrations show before every case, in place of cases of ``tune``.
        stop: looked at between two batches; what is in the cache stays.

    Raises:
        PromptError: a case lacks a field.
        ModelError: a prompt does not fit the model's window or was tuned for another model.
        DataError: too few cases for demonstrations, or the cache cannot be written.
    """
    labels = list(answer.labels)
    asking: list[tuple[Prompt, Showing]] = [
        (prompt, Shown(prompt.template, tune) if shown is None else Always(shown)) for prompt in prompts
    ]

    def asked_of(prompt: Prompt, case: Case, own: Showing) -> tuple[ChoiceQuery, bool]:
        if cut:
            return fitted_query(model, prompt, case, labels, own)
        return query(prompt, case, labels, own.to(case)), False

    fitted = [[asked_of(prompt, case, own) for prompt, own in asking] for case in cases]
    table = [[asked for asked, _ in row] for row in fitted]
    clipped = sum(any(cut for _, cut in row) for row in fitted)
    found, prior, cost = ask(model, table, cache, progress, group=group, stop=stop), None, RunCost(0, 0, 0.0)
    if texts := premises(answer):
        empty = [Case(dict.fromkeys(cases[0].fields, text), labels[0]) for text in texts]
        rows = [[query(prompt, case, labels, own.to(case)) for prompt, own in asking] for case in empty]
        before = ask(model, rows, cache, stop=stop)
        prior, cost = before.values, RunCost(before.tokens, before.distinct, before.seconds, before.cached)
    scores = adjusted(answer, found.values, found.lengths, [asked.words for asked in table[0]], prior)
    return scores, RunCost(
        cost.tokens + found.tokens,
        cost.distinct + found.distinct,
        cost.seconds + found.seconds,
        cost.cached + found.cached,
        clipped,
    )
