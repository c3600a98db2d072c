"""Labelled cases of one's own shown before each question, calibrated on texts that say nothing (Zhao et al. 2021).

Which labels a few-shot prompt leans to hangs on which cases are shown, and in which order; what it answers to
content-free texts tells it, without a label (arXiv 2102.09690). Invariant: the same stands before every case, so that
the model reads it once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.content_free import content_free_bias
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.demonstrations import Demonstrated, demonstrated, in_turn
from fedprompt.evaluation.runs.label_scores import LabelAnswer, RunCost, label_scores
from fedprompt.evaluation.runs.likelihoods import CONTENT_FREE
from fedprompt.evaluation.runs.score_cache import ScoreCache
from fedprompt.models.protocols import CausalModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Demonstrations, Template
from fedprompt.stopping import NEVER, StopToken

__all__ = ["FewShot", "can_show", "few_shot", "showing", "shown_cases"]

SHOWN = 8  # cases; half of those there are, where they are fewer than twice as many
LEAST = 4  # cases, of which two are shown
LONGEST = 500  # characters of a case that is shown, on average


@dataclass(frozen=True)
class FewShot:
    """``prompt`` shows ``shown``; ``table`` [cases, labels] log-probabilities, ``bias`` [labels] calibrates them."""

    prompt: Prompt
    shown: Demonstrated
    table: NDArray[np.float64]
    bias: NDArray[np.float64]
    cost: RunCost

    @property
    def calibrated(self) -> NDArray[np.float64]:
        """The table with the bias, normalised."""
        return normalised(self.table + self.bias)


def can_show(template: Template) -> bool:
    """Whether cases can be shown before a template: it is plain text without a slot."""
    return template.text is not None and template.demonstrations is None and not template.has_soft


def showing(template: Template, count: int) -> Template:
    """Return a template that :func:`can_show` so many cases, with the place for them before its text."""
    name = f"{template.name}, {count} cases shown"
    return replace(
        template, name=name, text="{demonstrations}" + (template.text or ""), demonstrations=Demonstrations(count)
    )


def shown_cases(cases: Sequence[Case], among: int) -> tuple[Case, ...]:
    """Return which of ``cases`` are shown where there are ``among`` in all, labels in turn; none of too few.

    None either where their texts are so long that a question would be read many times over for them.
    """
    chosen = in_turn(cases, min(SHOWN, among // 2)) if among >= LEAST else ()
    long = sum(len(text) for case in chosen for text in case.fields.values())
    return chosen if long <= LONGEST * len(chosen) else ()


def few_shot(
    model: CausalModel,
    template: Template,
    shown: Sequence[Case],
    cases: Sequence[Case],
    reading: LabelAnswer,
    *,
    cache: ScoreCache | None = None,
    stop: StopToken = NEVER,
) -> FewShot:
    """Ask a template about cases, with others shown before each; at least one is shown.

    Args:
        reading: how label likelihoods are read; where its prior calibrates already, ``bias`` is zero.
        cache: the home's own.
        stop: looked at between two batches.

    Raises:
        ModelError: what is shown does not fit the model's window.
        PromptError: a case lacks a field.
    """
    prompt = Prompt(showing(template, len(shown)).with_words(reading.labels))
    empty = [Case(dict.fromkeys(prompt.template.variables, text), "") for text in CONTENT_FREE]
    held = demonstrated(shown)
    asked = [*cases, *empty] if reading.prior == "none" else list(cases)
    if not asked:
        nothing = np.zeros((0, len(reading.labels)))
        return FewShot(prompt, held, nothing, np.zeros(len(reading.labels)), RunCost(0, 0, 0.0))
    scores, cost = label_scores(model, [prompt], asked, reading, cache=cache, shown=held, stop=stop)
    table = normalised(scores[:, 0])
    known, rest = table[: len(cases)], table[len(cases) :]
    bias = content_free_bias(rest) if len(rest) else np.zeros(table.shape[1])
    return FewShot(prompt, held, known, bias, cost)
