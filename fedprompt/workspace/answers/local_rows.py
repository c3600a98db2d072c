"""Rows that a visitor typed, answered by a model of this machine, with how much each word spoke for the answer.

Labels are compared as ``serve`` and ``Prompt.run`` compare them, length and prior taken off where the variant says so.

Invariant: each row goes through the model alone, so that its numbers do not depend on its neighbours.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fedprompt.errors import FedPromptError, JobError
from fedprompt.models.protocols import CausalModel, Encoder, GenerateQuery
from fedprompt.prompts.adapted import Adapted
from fedprompt.prompts.rendered import Rendered
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.prompts.tensors import Tensors
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.answers.adapted_answers import answer_adapted
from fedprompt.workspace.answers.answering import choose_label
from fedprompt.workspace.answers.contributions import contributions
from fedprompt.workspace.answers.variants import Heard, RowResult, Variant, Writing

__all__ = ["LocalVariant"]


class LocalVariant:
    """A variant on a model of this machine; with ``adapted`` its members answer, and no word speaks for the answer."""

    def __init__(
        self,
        model: CausalModel,
        template: Template,
        tuned: Tensors | None,
        variant: Variant,
        adapted: Adapted | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        self._model, self._template, self._tuned, self._variant = model, template, tuned, variant
        self._adapted, self._encoder = adapted, encoder
        self.model_name = model.info.name

    def run(
        self,
        rows: Sequence[Mapping[str, str]],
        heard: Heard,
        writing: Writing,
        *,
        explain: bool = False,
        stop: StopToken = NEVER,
    ) -> None:
        """Run rows, one after the other."""
        for place, row in enumerate(rows):
            stop.check()

            def told(_: int, text: str, place: int = place) -> None:
                writing(place, text)

            start = time.perf_counter()
            result = self._row(row, told, stop)
            seconds = time.perf_counter() - start
            if explain and result.error is None and self._adapted is None:
                result = self._explained(row, result)
            heard(place, result, seconds)

    def _row(self, row: Mapping[str, str], told: Callable[[int, str], None], stop: StopToken) -> RowResult:
        variant, tuned = self._variant, self._tuned
        soft = tuned.tokens if isinstance(tuned, SoftPrompt) else 0
        found: dict[str, Any] = {"text": ""}
        try:
            rendered = _rendered(self._template, row)
            found["text"] = rendered.text()
            found["read"] = self._model.length(rendered, soft=soft)
            tokens = 0
            if self._adapted is not None:
                given = answer_adapted(self._model, self._adapted, row, variant, self._encoder)
                found |= {"probabilities": given.probabilities, "answer": given.text}
                return RowResult(**found, tokens=given.tokens)
            if variant.labels and self._template.words is not None:
                given = choose_label(self._model, self._template, tuned, row, variant.labels, variant)
                found |= {"probabilities": given.probabilities, "answer": given.text}
                tokens += given.tokens
            if variant.generate:
                (written,) = self._model.generate([GenerateQuery(rendered, tuned)], variant.decoding, told, stop=stop)
                found |= {"generated": written.text, "written": written.tokens}
                tokens += written.tokens
            return RowResult(**found, tokens=tokens)
        except FedPromptError as error:
            return RowResult(text=found["text"], error=str(error), code=error.code)

    def _explained(self, row: Mapping[str, str], result: RowResult) -> RowResult:
        labels, words = self._variant.labels, self._template.words or {}
        if result.answer is not None:
            asked, of = tuple(words[label] for label in labels), labels.index(result.answer)
        elif result.generated:
            asked, of = (result.generated,), 0
        else:
            return result
        try:
            found = contributions(self._model, _rendered(self._template, row), asked, of, self._tuned)
        except FedPromptError:
            return result  # such as a text written up to the window's end, which does not fit a second time
        return result.model_copy(update={"contributions": found})


def _rendered(template: Template, row: Mapping[str, str]) -> Rendered:
    if template.demonstrations is not None:
        raise JobError(
            "a template with {demonstrations} shows a site's own cases; write your own examples here",
            code="sites-demonstrations",
        )
    return template.render(row)
