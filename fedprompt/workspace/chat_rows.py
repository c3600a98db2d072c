"""Rows that a visitor typed, answered by a chat model; what one row lacks does not stop the others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fedprompt.errors import FedPromptError, JobError
from fedprompt.models.chat import ChatModel, ChatReply, ChatTurn, Options, turns
from fedprompt.models.chat_choice import ChatQuery, choose, find_method
from fedprompt.models.chat_langchain import load_chat
from fedprompt.prompts.rendered import Rendered
from fedprompt.prompts.template import Template
from fedprompt.workspace.progress import Progress, Report

__all__ = ["ChatRow", "run_chat_rows"]


@dataclass(frozen=True)
class ChatRow:
    """One row: the text that was sent, label -> probability where the server gives them, and what was written."""

    text: str = ""
    probabilities: dict[str, float] | None = None
    answer: str | None = None
    generated: str | None = None
    tokens: int = 0
    error: str | None = None


def run_chat_rows(
    home: Path,
    name: str,
    template: Template,
    rows: Sequence[Mapping[str, str]],
    labels: Sequence[str],
    max_tokens: int | None,
    report: Report,
) -> list[ChatRow]:
    """Return what the chat model ``name`` answers on every row, and with ``max_tokens`` what it writes.

    Raises:
        ModelError: the model is not known, not allowed or cannot be asked at all, or the template has a soft slot.
    """
    found = [_rendered(template, row) for row in rows]
    places = [place for place, one in enumerate(found) if isinstance(one, tuple)]
    asked = [one[1] for one in found if isinstance(one, tuple)]
    made = [ChatRow(text=one[0].text()) if isinstance(one, tuple) else one for one in found]
    parts = bool(labels) + (max_tokens is not None)

    def told(part: int, done: int) -> None:
        total = parts * len(places)
        report(Progress("run", f"{len(places)} rows", part * len(places) + done, max(1, total), None))

    with load_chat(name, home) as model:
        if labels and places:
            _choose(model, template, labels, places, asked, made, lambda done, _: told(0, done))
        if max_tokens is not None and places:
            replies = model.ask(asked, Options(max_tokens), lambda done, _: told(parts - 1, done))
            for place, reply in zip(places, replies, strict=True):
                text = None if reply.failure else reply.text
                made[place] = _with(made[place], reply, replace(made[place], generated=text))
    return made


def _rendered(template: Template, row: Mapping[str, str]) -> tuple[Rendered, tuple[ChatTurn, ...]] | ChatRow:
    try:
        if template.demonstrations is not None:
            raise JobError("a template with {demonstrations} shows a site's own cases; write the examples out here")
        rendered = template.render(row)
        return rendered, turns(rendered)
    except FedPromptError as error:
        return ChatRow(error=str(error))


def _choose(
    model: ChatModel,
    template: Template,
    labels: Sequence[str],
    places: Sequence[int],
    asked: Sequence[tuple[ChatTurn, ...]],
    made: list[ChatRow],
    told: Callable[[int, int], None],
) -> None:
    words = tuple((template.words or {})[label] for label in labels)
    method = find_method(model, [words]).method
    answers = choose(model, [ChatQuery(one, words) for one in asked], method, told)
    for place, answer in zip(places, answers, strict=True):
        row = made[place]
        if answer.shares is not None:
            row = replace(row, probabilities=dict(zip(labels, map(float, answer.shares), strict=True)))
        if answer.label is not None:
            row = replace(row, answer=labels[answer.label])
        elif answer.reply.failure is None:
            row = replace(row, generated=answer.reply.text, error="the model's answer is none of the answers to choose")
        made[place] = _with(made[place], answer.reply, row)


def _with(before: ChatRow, reply: ChatReply, row: ChatRow) -> ChatRow:
    """Return a row with a reply's tokens, or with the reason why there is no reply."""
    if reply.failure is not None:
        return replace(before, error=f"the server gave no answer ({reply.failure})")
    used = 0 if reply.usage is None else reply.usage.input + reply.usage.output
    return replace(row, tokens=before.tokens + used)
