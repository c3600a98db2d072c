"""How good words are in a soft prompt's place: their loss on a site's cases, and how unlikely they are as text.

Measured on the template that the words make, as any text-only model would read it, never on vectors: so what the words
do to the tokens around them is in the measure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import Formatter

import numpy as np

from fedprompt.errors import TuningError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.demonstrations import Shown
from fedprompt.evaluation.runs.runner import fitted_query, true_labels
from fedprompt.models.protocols import CausalModel, ChoiceQuery, SoftObjective
from fedprompt.models.vocabulary import Vocabulary
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.rendered import SOFT, Rendered, Turn
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Message, Template
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Answer

__all__ = ["WordObjective", "Words", "with_words"]

READ_AT = 4  # cases whose text the words' own likelihood is taken after


@dataclass(frozen=True)
class Words:
    """Words in the slot's place: their ``tokens``, mean ``loss`` over cases and mean ``surprise`` of a token, in nats.

    ``objective`` is the loss plus the fluency weight times the surprise; the lower, the better.
    """

    tokens: tuple[int, ...]
    loss: float
    surprise: float
    objective: float


class WordObjective:
    """A template with a slot over some cases; ``fluency`` is what a nat of surprise weighs against a nat of loss."""

    def __init__(
        self,
        model: CausalModel,
        vocabulary: Vocabulary,
        template: Template,
        cases: Sequence[Case],
        answer: Answer,
        *,
        tokens: int,
        fluency: float,
        tune: Sequence[Case] = (),
        stop: StopToken = NEVER,
    ) -> None:
        """Prepare.

        Args:
            model: what reads the words.
            vocabulary: its own.
            template: with a slot, and a word for each label.
            cases: what the loss is over.
            answer: the study's labels.
            tokens: how many the slot takes.
            fluency: 0 for any words at all.
            tune: where demonstrations are taken from, if the template shows any.
            stop: looked at between two batches.

        Raises:
            TuningError: no slot, no cases, or a weight below 0.
            DataError: an answer is no label, or too few cases for demonstrations.
        """
        if not template.has_soft or not cases:
            raise TuningError(
                "to look for words there must be a template with a {soft} slot, and cases to measure on",
                code="nothing-to-measure",
            )
        if not (np.isfinite(fluency) and fluency >= 0):
            raise TuningError(f"the fluency weight is a number from 0 up, not {fluency}", code="fluency-weight")
        self._model, self._vocabulary, self._template, self._cases = model, vocabulary, template, tuple(cases)
        self._labels, self._fluency, self._tokens, self._stop = list(answer.labels), fluency, tokens, stop
        self._shown = Shown(template, tune)
        self._true = true_labels(cases, answer)
        slot = Prompt(template, SoftPrompt(np.zeros((1, 1), np.float32), "slot"))
        self._open = [self._query(slot, case, tokens) for case in self._cases]

    def __len__(self) -> int:
        return len(self._cases)

    def measure(self, candidates: Sequence[tuple[int, ...]], rows: Sequence[int] | None = None) -> tuple[Words, ...]:
        """Measure candidates over the cases ``rows``, all of them if None.

        Raises:
            TuningError: a measure is not a finite number.
            ModelError: a prompt does not fit the model's window.
        """
        chosen = list(range(len(self._cases)) if rows is None else rows)
        if not candidates or not chosen:
            return ()
        prompts = [Prompt(with_words(self._template, self._vocabulary.spelt(one), "words")) for one in candidates]
        # Candidates of one case stand together: all that comes before the slot is computed once for them.
        asked = [self._query(prompt, self._cases[row]) for row in chosen for prompt in prompts]
        before = [_before(self._open[row].rendered) for row in chosen[:READ_AT]]
        read = [ChoiceQuery(text, (self._vocabulary.spelt(one),)) for text in before for one in candidates]
        found = self._model.choices([*asked, *read], stop=self._stop)
        table = np.stack(found.loglikelihoods[: len(asked)]).reshape(len(chosen), len(candidates), -1)
        shares = table - table.max(axis=2, keepdims=True)
        shares -= np.log(np.exp(shares).sum(axis=2, keepdims=True))
        losses = -shares[np.arange(len(chosen)), :, self._true[chosen]].mean(axis=0)
        parts = zip(found.loglikelihoods[len(asked) :], found.lengths[len(asked) :], strict=True)
        nats = np.array([-float(one[0]) / int(length[0]) for one, length in parts])
        surprises = nats.reshape(len(before), len(candidates)).mean(axis=0)
        totals = losses + self._fluency * surprises
        if not np.isfinite(totals).all():
            raise TuningError(
                "the loss of some words is not a finite number, so words cannot be compared", code="not-finite"
            )
        rated = zip(candidates, losses.tolist(), surprises.tolist(), totals.tolist(), strict=True)
        return tuple(Words(tuple(one), loss, surprise, total) for one, loss, surprise, total in rated)

    def slopes(self) -> SoftObjective:
        """Return the same cases with the slot open, prepared for gradients by what stands in it."""
        tokens, answers = self._tokens, self._true.tolist()
        return self._model.objective(self._open, answers, tokens, stop=self._stop)

    def _query(self, prompt: Prompt, case: Case, soft: int = 0) -> ChoiceQuery:
        return fitted_query(self._model, prompt, case, self._labels, self._shown, soft=soft)[0]


def with_words(template: Template, words: str, name: str) -> Template:
    """Return the template with words in place of its soft slot."""
    messages = template.messages
    return replace(
        template,
        name=name,
        text=None if template.text is None else _filled(template.text, words),
        messages=None if messages is None else tuple(Message(m.role, _filled(m.content, words)) for m in messages),
    )


def _filled(source: str, words: str) -> str:
    parts = []
    for literal, name, _, _ in Formatter().parse(source):
        parts.append(_braced(literal))
        if name is not None:
            parts.append(_braced(words) if name == "soft" else f"{{{name}}}")
    return "".join(parts)


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _before(rendered: Rendered) -> Rendered:
    """Return what stands before the slot in its turn, as bare text; a line break where nothing does."""
    turn = next(turn for turn in rendered.turns if SOFT in turn.pieces)
    before = "".join(piece for piece in turn.pieces[: turn.pieces.index(SOFT)] if isinstance(piece, str))
    return Rendered((Turn(None, (before or "\n",)),))
