"""Rows that a visitor typed, answered by a chat model; what one row lacks does not stop the others."""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any

from fedprompt.errors import FedPromptError, JobError
from fedprompt.models.chat.choice import ChatQuery, choose, find_method
from fedprompt.models.chat.protocol import ChatReply, ChatTurn, Options, turns
from fedprompt.models.chat.through_langchain import LangChainChat
from fedprompt.prompts.template import Template
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.score import Method
from fedprompt.workspace.answers.variants import CalledTool, Heard, RowResult, Variant, Writing

__all__ = ["ChatVariant"]

TICK_SECONDS = 0.1


class ChatVariant:
    """A variant behind a server. Rows are asked side by side; what they write is told from the caller's thread."""

    def __init__(self, model: LangChainChat, template: Template, variant: Variant) -> None:
        self._model, self._template, self._variant = model, template, variant
        self.model_name = variant.model
        self._method: Method | None = None
        self._written: dict[int, str] = {}

    def run(
        self,
        rows: Sequence[Mapping[str, str]],
        heard: Heard,
        writing: Writing,
        *,
        explain: bool = False,
        stop: StopToken = NEVER,
    ) -> None:
        """Ask all rows, some side by side; the first goes alone, so that what no call can get past ends the run.

        Raises:
            ModelError: the model cannot be asked at all.
        """
        todo, window = iter(enumerate(rows)), 1
        running: dict[Future[tuple[RowResult, float]], int] = {}
        over = threading.Event()
        calls = stop.or_when(lambda: "cancelled" if over.is_set() else None)
        with ThreadPoolExecutor(self._model.settings.concurrency, "rows") as pool:
            try:
                while True:
                    stop.check()
                    for place, row in islice(todo, window - len(running)):
                        running[pool.submit(self._timed, place, row, calls)] = place
                    if not running:
                        break
                    ended = wait(running, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED).done
                    for future, place in running.items():
                        if future not in ended:
                            writing(place, self._written.get(place, ""))
                    for future in ended:
                        place = running.pop(future)
                        self._written.pop(place, None)
                        found, seconds = future.result()
                        if found.text:  # it could be asked, and so can others
                            window = self._model.settings.concurrency
                        heard(place, found, seconds)
            finally:
                over.set()  # whatever ends the work ends the spending, in the middle of an answer too

    def _timed(self, place: int, row: Mapping[str, str], stop: StopToken) -> tuple[RowResult, float]:
        def told(_: int, text: str) -> None:
            self._written[place] = text

        start = time.perf_counter()
        found = self._row(row, told, stop)
        return found, time.perf_counter() - start

    def _row(self, row: Mapping[str, str], told: Writing, stop: StopToken) -> RowResult:
        try:
            if self._template.demonstrations is not None:
                raise JobError(
                    "a template with {demonstrations} shows a site's own cases; write your own examples here",
                    code="sites-demonstrations",
                )
            rendered = self._template.render(row)
            conversation = turns(rendered)
        except FedPromptError as error:
            return RowResult(text="", error=str(error), code=error.code)
        made: dict[str, Any] = {"text": rendered.text()}
        variant = self._variant
        if variant.labels:
            self._choose(conversation, made, stop)
        if variant.generate and made.get("error") is None:
            decoding = variant.decoding
            options = Options(
                decoding.max_tokens,
                decoding.stop,
                decoding.temperature,
                decoding.top_p,
                decoding.seed % 2**31,
                tools=rendered.tools,
            )
            (reply,) = self._model.ask([conversation], options, told=told, stop=stop)
            if reply.failure is None:
                made["generated"] = reply.text
                made["calls"] = tuple(CalledTool(name=one.name, arguments=one.arguments) for one in reply.calls)
            self._count(made, reply)
        return RowResult(**made)

    def _choose(self, conversation: tuple[ChatTurn, ...], made: dict[str, Any], stop: StopToken) -> None:
        labels = self._variant.labels
        words = tuple((self._template.words or {})[label] for label in labels)
        if self._method is None:
            self._method = find_method(self._model, [words], self._model.settings.method).method
        (answer,) = choose(self._model, [ChatQuery(conversation, words)], self._method, stop=stop)
        if answer.shares is not None:
            made["probabilities"] = dict(zip(labels, map(float, answer.shares), strict=True))
        if answer.label is not None:
            made["answer"] = labels[answer.label]
        elif answer.reply.failure is None:
            made |= {"generated": answer.reply.text, "error": "the model's answer is not one of the labels"}
        self._count(made, answer.reply)

    def _count(self, made: dict[str, Any], reply: ChatReply) -> None:
        """Add a reply's tokens and what they cost by the machine's price, or the reason why there is no reply."""
        if reply.failure is not None:
            made["error"] = f"the server gave no answer ({reply.failure})"
        if reply.usage is None:
            return
        made["tokens"] = made.get("tokens", 0) + reply.usage.input + reply.usage.output
        made |= {"read": reply.usage.input, "written": reply.usage.output}
        if (price := self._model.settings.price) is not None:
            cost = price.of(reply.usage)
            made |= {"cost": made.get("cost", 0.0) + cost.amount, "currency": cost.currency}
