"""Rows that a visitor typed, answered by a chat model; what one row lacks does not stop the others."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from fedprompt.errors import FedPromptError, JobError
from fedprompt.models.chat import ChatReply, ChatTurn, Options, turns
from fedprompt.models.chat_choice import ChatQuery, choose, find_method
from fedprompt.models.chat_langchain import LangChainChat
from fedprompt.prompts.template import Template
from fedprompt.study.score import Method
from fedprompt.workspace.variants import Heard, RowResult, Variant, Writing

__all__ = ["ChatVariant"]


class ChatVariant:
    """A variant behind a server. Its text comes whole: nothing is told while it is written."""

    def __init__(self, model: LangChainChat, template: Template, variant: Variant) -> None:
        self._model, self._template, self._variant = model, template, variant
        self.model_name = variant.model
        self._method: Method | None = None

    def run(self, rows: Sequence[Mapping[str, str]], heard: Heard, writing: Writing, *, explain: bool = False) -> None:
        """Ask all rows, some side by side; the first goes alone, so that what no call can get past ends the run.

        Raises:
            ModelError: the model cannot be asked at all.
        """
        todo = list(enumerate(rows))
        while todo:
            place, row = todo.pop(0)
            start = time.perf_counter()
            found = self._row(row)
            heard(place, found, time.perf_counter() - start)
            if found.text:
                break
        pool = ThreadPoolExecutor(self._model.settings.concurrency, "rows")
        try:
            asked = {pool.submit(self._timed, row): place for place, row in todo}
            for future in as_completed(asked):
                heard(asked[future], *future.result())
        finally:
            pool.shutdown(cancel_futures=True)  # whoever stops the work stops the spending

    def _timed(self, row: Mapping[str, str]) -> tuple[RowResult, float]:
        start = time.perf_counter()
        found = self._row(row)
        return found, time.perf_counter() - start

    def _row(self, row: Mapping[str, str]) -> RowResult:
        try:
            if self._template.demonstrations is not None:
                raise JobError("a template with {demonstrations} shows a site's own cases; write the examples out here")
            rendered = self._template.render(row)
            conversation = turns(rendered)
        except FedPromptError as error:
            return RowResult(text="", error=str(error))
        made: dict[str, Any] = {"text": rendered.text()}
        variant = self._variant
        if variant.labels:
            self._choose(conversation, made)
        if variant.generate and made.get("error") is None:
            decoding = variant.decoding
            options = Options(
                decoding.max_tokens, decoding.stop, decoding.temperature, decoding.top_p, decoding.seed % 2**31
            )
            (reply,) = self._model.ask([conversation], options)
            if reply.failure is None:
                made["generated"] = reply.text
            _count(made, reply)
        return RowResult(**made)

    def _choose(self, conversation: tuple[ChatTurn, ...], made: dict[str, Any]) -> None:
        labels = self._variant.labels
        words = tuple((self._template.words or {})[label] for label in labels)
        if self._method is None:
            self._method = find_method(self._model, [words], self._model.settings.method).method
        (answer,) = choose(self._model, [ChatQuery(conversation, words)], self._method)
        if answer.shares is not None:
            made["probabilities"] = dict(zip(labels, map(float, answer.shares), strict=True))
        if answer.label is not None:
            made["answer"] = labels[answer.label]
        elif answer.reply.failure is None:
            made |= {"generated": answer.reply.text, "error": "the model's answer is none of the answers to choose"}
        _count(made, answer.reply)


def _count(made: dict[str, Any], reply: ChatReply) -> None:
    """Add a reply's tokens, or the reason why there is no reply."""
    if reply.failure is not None:
        made["error"] = f"the server gave no answer ({reply.failure})"
    if reply.usage is not None:
        made["tokens"] = made.get("tokens", 0) + reply.usage.input + reply.usage.output
        made |= {"read": reply.usage.input, "written": reply.usage.output}
