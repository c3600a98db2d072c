"""From a rendered template to tokens: whole runs of text, split only where a control token or a soft slot stands.

Rules. A soft slot is a hard boundary: each side of it is read as a text of its own. A chat marker is a control token
only where the model's own chat template put it; the same characters inside a case or a template stay text. A run of
text and the label word after it are tokenised as one, then divided at the longest common *token* prefix. A tokenizer
that begins every text with a token of its own (BOS) does so here, after a soft slot at the very start, as PEFT lays it
out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fedprompt.errors import ModelError
from fedprompt.models.hf.chat_format import ChatFormatError, filled_format
from fedprompt.models.hf.plain_reader import PlainReader
from fedprompt.models.nested import Nested, longer_words, untold
from fedprompt.prompts.rendered import SOFT, Rendered, SoftSlot

__all__ = ["Encoded", "Encoder"]

# Private-use characters mark a message's place in the chat template; they cannot be typed by accident.
_OPEN, _CLOSE = "\ue000", "\ue001"


@dataclass(frozen=True)
class _Control:
    id: int


class _Run(NamedTuple):
    """A run of text; ``later`` where a control token of the chat format stands before it."""

    text: str
    later: bool = False


_Segment = _Run | _Control | SoftSlot


class _Layout(NamedTuple):
    """A prompt's segments; ``tail`` is its last run of text, empty after a control token or a soft slot."""

    head: tuple[_Segment, ...]
    tail: _Run

    def runs(self, words: Sequence[str]) -> list[_Run]:
        """Return every run of text, and the tail with each of the words."""
        found = [segment for segment in self.head if isinstance(segment, _Run)]
        return [*found, self.tail, *(_with(self.tail, word) for word in words)]


@dataclass(frozen=True)
class Encoded:
    """``context``: token ids with -1 for each soft token; ``paths``: for each word the ids that follow.

    ``longer``: for each word the places of the words that its ids begin (``models.nested``); empty if it begins none.
    """

    context: tuple[int, ...]
    paths: tuple[tuple[int, ...], ...]
    longer: tuple[tuple[int, ...], ...] = ()


class Encoder:
    """Wraps a Hugging Face fast tokenizer; ``window`` is the most tokens that the model takes."""

    def __init__(self, tokenizer: Any, window: int) -> None:
        self._tokenizer = tokenizer
        self._window = window
        self._formats: dict[tuple[str, ...], list[tuple[str, int | None]]] = {}
        self._reader = PlainReader(tokenizer)
        opening = tokenizer("", add_special_tokens=True)["input_ids"]
        self._opening = tuple(int(i) for i in opening if i == tokenizer.bos_token_id)

    def choices(self, items: Sequence[tuple[Rendered, Sequence[str], int]]) -> tuple[Encoded, ...]:
        """Encode (rendered, words, soft tokens) for label scoring.

        Raises:
            ModelError: a prompt is longer than the model's window, or is empty; or two words are the same tokens.
        """
        layouts = [self._layout(rendered) for rendered, _, _ in items]
        runs = self._tokenise(
            run for layout, (_, words, _) in zip(layouts, items, strict=True) for run in layout.runs(words)
        )
        encoded = []
        for (head, tail), (_, words, soft) in zip(layouts, items, strict=True):
            before = self._flatten(head, runs, soft)
            plain, whole = runs[tail], [runs[_with(tail, word)] for word in words]
            common = min(_common(plain, ids) for ids in whole)
            common = min(common, min(len(ids) for ids in whole) - 1)
            context = before + plain[:common]
            if not context:
                raise ModelError(
                    "a prompt is empty: this model needs at least one token before the answer", code="empty-prompt"
                )
            paths = tuple(ids[common:] for ids in whole)
            self._check(len(context) + max(map(len, paths)))
            nested = Nested.of(paths)
            if nested.same:
                raise untold(words, nested)
            encoded.append(Encoded(context, paths, longer_words(paths) if nested.pairs else ()))
        return tuple(encoded)

    def nested(self, rendered: Rendered, words: Sequence[str]) -> Nested:
        """Return which words' tokens begin others' after a prompt."""
        layout = self._layout(rendered)
        runs = self._tokenise(layout.runs(words))
        return Nested.of([runs[_with(layout.tail, word)] for word in words])

    def context(self, rendered: Rendered, soft: int) -> tuple[int, ...]:
        """Encode a prompt to be continued, -1 standing for each soft token.

        Raises:
            ModelError: it is longer than the window, or empty.
        """
        layout = self._layout(rendered)
        ids = self._flatten((*layout.head, layout.tail), self._tokenise(layout.runs(())), soft)
        if not ids:
            raise ModelError("a prompt is empty: this model needs at least one token to continue", code="empty-prompt")
        self._check(len(ids))
        return ids

    def length(self, rendered: Rendered, words: Sequence[str], soft: int) -> int:
        """Return how many tokens a prompt has with the longest of the words."""
        layout = self._layout(rendered)
        runs = self._tokenise(layout.runs(words))
        ends = [len(runs[_with(layout.tail, word)]) for word in (words or ("",))]
        return len(self._flatten(layout.head, runs, soft)) + max(ends)

    def plain(self, text: str) -> tuple[int, ...]:
        """Tokenise text alone, control tokens split."""
        return self.plain_batch([text])[0]

    def plain_batch(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Tokenise each text alone, control tokens split."""
        return self._reader.read(texts)

    def _check(self, length: int) -> None:
        if length > self._window:
            raise ModelError(
                f"a prompt has {length:,} tokens, but the model's window has {self._window:,}; shorten the "
                "case, the template or its examples",
                code="window",
            )

    def _layout(self, rendered: Rendered) -> _Layout:
        if rendered.tools:
            raise ModelError(
                "tools are offered through chat servers only; choose one, or take the tools out of the prompt",
                code="tools-need-a-server",
            )
        found: list[str | _Control | SoftSlot] = []
        if rendered.is_chat:
            for literal, turn in self._chat(rendered):
                found.extend(self._split_controls(literal))
                if turn is not None:
                    found.extend(rendered.turns[turn].pieces)
        else:
            found.extend(rendered.turns[0].pieces)
            opening = [_Control(i) for i in self._opening]
            found[1 if found and found[0] is SOFT else 0 : 0] = opening
        head: list[_Segment] = []
        tail = _Run("")
        for segment in found:
            if isinstance(segment, str):
                tail = _with(tail, segment)
            else:
                head += [tail, segment]
                tail = _Run("", rendered.is_chat and isinstance(segment, _Control))
        return _Layout(tuple(head), tail)

    def _chat(self, rendered: Rendered) -> list[tuple[str, int | None]]:
        """Return the chat format around the messages: literals, each with the number of the message after it."""
        if not getattr(self._tokenizer, "chat_template", None):
            raise ModelError(
                "this model has no chat format; write the template as text instead of messages", code="no-chat-format"
            )
        roles = tuple(turn.role or "user" for turn in rendered.turns)
        if roles not in self._formats:
            self._formats[roles] = self._format(roles)
        return self._formats[roles]

    def _format(self, roles: Sequence[str]) -> list[tuple[str, int | None]]:
        marks = [f"{_OPEN}{number}{_CLOSE}" for number in range(len(roles))]
        messages = [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)]
        try:
            text = filled_format(self._tokenizer.get_chat_template(), messages, self._tokenizer.special_tokens_map)
        except ChatFormatError as error:  # its words are of the model's folder, and no case's text was in it
            raise ModelError(
                f"this model's chat format does not support messages of the roles {', '.join(roles)} "
                f"({error}). Move the system message into the first user message, let user and assistant "
                "alternate, or write the template as text",
                code="chat-format-refuses",
            ) from None
        if any(text.count(mark) != 1 for mark in marks):
            raise ModelError(
                "this model's chat format drops or repeats a message; write the template as text",
                code="chat-format-refuses",
            )
        parts: list[tuple[str, int | None]] = []
        while _OPEN in text:
            literal, rest = text.split(_OPEN, 1)
            number, text = rest.split(_CLOSE, 1)
            parts.append((literal, int(number)))
        return [*parts, (text, None)]

    def _split_controls(self, literal: str) -> Iterable[str | _Control]:
        markers = self._reader.markers
        while literal:
            hits = [(literal.find(token), -len(token), token) for token in markers if token in literal]
            if not hits:
                yield literal
                return
            at, _, token = min(hits)
            marker, before, literal = markers[token], literal[:at], literal[at + len(token) :]
            yield before.rstrip() if marker.takes_before else before
            yield _Control(marker.id)
            literal = literal.lstrip() if marker.takes_after else literal

    def _tokenise(self, runs: Iterable[_Run]) -> dict[_Run, tuple[int, ...]]:
        wanted = dict.fromkeys(runs, ())
        found: dict[_Run, tuple[int, ...]] = {**wanted}
        for later in (False, True):
            group = [run for run in wanted if run.text and run.later is later]
            found.update(zip(group, self._reader.read([run.text for run in group], later=later), strict=True))
        return found

    @staticmethod
    def _flatten(segments: Sequence[_Segment], runs: dict[_Run, tuple[int, ...]], soft: int) -> tuple[int, ...]:
        ids: list[int] = []
        for segment in segments:
            if isinstance(segment, SoftSlot):
                ids.extend([-1] * soft)
            elif isinstance(segment, _Control):
                ids.append(segment.id)
            else:
                ids.extend(runs[segment])
        return tuple(ids)


def _with(run: _Run, more: str) -> _Run:
    return _Run(run.text + more, run.later)


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length
