"""What a visitor adds to a variant's template: constants, examples, and the turns of a conversation.

Each is kept apart from the template, so that it can be changed or taken back. :func:`composed` writes all of them out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from fedprompt.errors import PromptError
from fedprompt.evaluation.cases import Case, input_key
from fedprompt.prompts.template import Demonstrations, Message, Template, escaped
from fedprompt.study.schema import Closed

__all__ = ["MOST_EXAMPLES", "MOST_TURNS", "Example", "SaidTurn", "composed", "own_rows"]

MOST_EXAMPLES, MOST_TURNS, LONGEST = 32, 40, 100_000
Text = Annotated[str, StringConstraints(max_length=LONGEST)]


class Example(Closed):
    """A labelled case that a variant shows before each text."""

    fields: Annotated[dict[Annotated[str, StringConstraints(max_length=200)], Text], Field(max_length=64)]
    answer: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)]


class SaidTurn(Closed):
    """One message of a conversation that went on after the template's own."""

    role: Literal["user", "assistant"]
    content: Text


def composed(
    template: Template, constants: Mapping[str, str], examples: Sequence[Example], turns: Sequence[SaidTurn]
) -> Template:
    """Return a template with its constants filled in, its examples written out and the turns appended.

    Args:
        template: the template, with a word for each label.
        constants: variable -> the value that it has for every case; names that are no variable are ignored.
        examples: each has the template's variables that are no constants.
        turns: what was said after the template's messages, the oldest first.

    Raises:
        PromptError: an example lacks a field, a text template has turns, or the prompt becomes too long.
    """
    template = template.filled(constants)
    if examples:
        pairs = [(one.fields, one.answer) for one in examples]
        if template.messages is None or template.demonstrations is not None:
            template = _as_text(template, pairs)
        else:
            template = replace(template, messages=_as_turns(template, template.messages, pairs))
    if turns:
        if template.messages is None:
            raise PromptError("only a chat has several turns; choose the form Chat", code="not-a-chat")
        said = tuple(Message(one.role, escaped(one.content)) for one in turns)
        template = replace(template, messages=(*template.messages, *said))
    return template


def own_rows(template: Template, examples: Sequence[Example], rows: Iterable[Mapping[str, str]]) -> frozenset[int]:
    """Return the places of the rows that are among a template's own examples: case and white space do not count."""
    names = template.variables
    shown = {_key(names, one.fields) for one in examples}
    return frozenset(place for place, row in enumerate(rows) if shown and _key(names, row) in shown)


def _key(names: Sequence[str], row: Mapping[str, str]) -> str:
    return input_key(Case({name: row.get(name, "") for name in names}, ""))


def _as_text(template: Template, pairs: Sequence[tuple[Mapping[str, str], str]]) -> Template:
    if template.demonstrations is None:
        slot = Demonstrations(len(pairs))
        return replace(template, text="{demonstrations}" + (template.text or ""), demonstrations=slot).showing(pairs)
    slot = replace(template.demonstrations, count=len(pairs))
    return replace(template, demonstrations=slot).showing(pairs)


def _as_turns(
    template: Template, messages: tuple[Message, ...], pairs: Sequence[tuple[Mapping[str, str], str]]
) -> tuple[Message, ...]:
    """Return messages with each example as turns of its own, before the last one of the user."""
    users = [place for place, message in enumerate(messages) if message.role == "user"]
    first = users[-1] if users else len(messages) - 1
    before, asked = messages[:first], messages[first:]
    words = template.words or {}
    shown: list[Message] = []
    for fields, answer in pairs:
        if missing := [name for name in template.variables if name not in fields]:
            raise PromptError(f"an example lacks the field '{missing[0]}'; take it out", code="field-missing")
        filled = replace(template, messages=asked, words=None).filled({**fields, "soft": ""})
        turns = list(filled.messages or ())
        said = escaped(words.get(answer, answer))
        if turns[-1].role == "assistant":  # the template begins the answer
            turns[-1] = Message("assistant", turns[-1].content + said)
        else:
            turns.append(Message("assistant", said))
        shown += turns
    return (*before, *shown, *asked)
