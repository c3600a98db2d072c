"""From a rendered template to tokens: whole runs of text, split only where a control token or a soft slot stands.

Rules. A soft slot is a hard boundary. A chat marker is a control token only where the model's own chat template put
it; the same characters inside a case or a template stay text (special tokens are split there). A run of text and the
label word after it are tokenised as one, then divided at the longest common *token* prefix. A tokenizer that begins
every text with a token of its own (BOS) does so here, after a soft slot at the very start, as PEFT lays it out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fedprompt.errors import ModelError
from fedprompt.prompts.rendered import SOFT, Rendered, SoftSlot

__all__ = ["Encoded", "Encoder"]

# Private-use characters mark a message's place in the chat template; they cannot be typed by accident.
_OPEN, _CLOSE = "\ue000", "\ue001"


@dataclass(frozen=True)
class _Control:
    id: int


_Segment = str | _Control | SoftSlot


@dataclass(frozen=True)
class Encoded:
    """``context``: token ids with -1 for each soft token; ``paths``: for each word the ids that follow."""

    context: tuple[int, ...]
    paths: tuple[tuple[int, ...], ...]


class Encoder:
    """Wraps a Hugging Face fast tokenizer; ``window`` is the most tokens that the model takes."""

    def __init__(self, tokenizer: Any, window: int) -> None:
        self._tokenizer = tokenizer
        self._window = window
        self._formats: dict[tuple[str, ...], list[tuple[str, int | None]]] = {}
        self._controls = {str(t): int(i) for t, i in tokenizer.get_added_vocab().items()}
        opening = tokenizer("", add_special_tokens=True)["input_ids"]
        self._opening = tuple(int(i) for i in opening if i == tokenizer.bos_token_id)

    def choices(self, items: Sequence[tuple[Rendered, Sequence[str], int]]) -> tuple[Encoded, ...]:
        """Encode (rendered, words, soft tokens) for label scoring.

        Raises:
            ModelError: a prompt is longer than the model's window, or is empty.
        """
        layouts = [self._segments(rendered) for rendered, _, _ in items]
        runs = self._tokenise(
            text for segments, (_, words, _) in zip(layouts, items, strict=True) for text in _texts(segments, words)
        )
        encoded = []
        for segments, (_, words, soft) in zip(layouts, items, strict=True):
            head, tail = _split_tail(segments)
            before = self._flatten(head, runs, soft)
            plain, whole = runs[tail], [runs[tail + word] for word in words]
            common = min(_common(plain, ids) for ids in whole)
            common = min(common, min(len(ids) for ids in whole) - 1)
            context = before + plain[:common]
            if not context:
                raise ModelError("a prompt is empty: this model needs at least one token before the answer")
            paths = tuple(ids[common:] for ids in whole)
            self._check(len(context) + max(map(len, paths)))
            encoded.append(Encoded(context, paths))
        return tuple(encoded)

    def context(self, rendered: Rendered, soft: int) -> tuple[int, ...]:
        """Encode a prompt to be continued, -1 standing for each soft token.

        Raises:
            ModelError: it is longer than the window, or empty.
        """
        segments = self._segments(rendered)
        ids = self._flatten(segments, self._tokenise(_texts(segments, ())), soft)
        if not ids:
            raise ModelError("a prompt is empty: this model needs at least one token to continue")
        self._check(len(ids))
        return ids

    def length(self, rendered: Rendered, words: Sequence[str], soft: int) -> int:
        """Return how many tokens a prompt has with the longest of the words."""
        segments = self._segments(rendered)
        runs = self._tokenise(_texts(segments, words))
        head, tail = _split_tail(segments)
        return len(self._flatten(head, runs, soft)) + max(len(runs[tail + word]) for word in (words or ("",)))

    def plain(self, text: str) -> tuple[int, ...]:
        """Tokenise text alone, control tokens split."""
        return self._tokenise([text])[text]

    def _check(self, length: int) -> None:
        if length > self._window:
            raise ModelError(
                f"a prompt has {length:,} tokens and the model's window holds {self._window:,}; "
                "shorten the case, the template or its demonstrations"
            )

    def _segments(self, rendered: Rendered) -> tuple[_Segment, ...]:
        found: list[_Segment] = []
        if rendered.is_chat:
            for literal, turn in self._chat(rendered):
                found.extend(self._split_controls(literal))
                if turn is not None:
                    found.extend(rendered.turns[turn].pieces)
        else:
            found.extend(rendered.turns[0].pieces)
            opening = [_Control(i) for i in self._opening]
            found[1 if found and found[0] is SOFT else 0 : 0] = opening
        merged: list[_Segment] = []
        for segment in found:
            last = merged[-1] if merged else None
            if isinstance(segment, str) and isinstance(last, str):
                merged[-1] = last + segment
            elif segment != "":
                merged.append(segment)
        return tuple(merged)

    def _chat(self, rendered: Rendered) -> list[tuple[str, int | None]]:
        """Return the chat format around the messages: literals, each with the number of the message after it."""
        if not getattr(self._tokenizer, "chat_template", None):
            raise ModelError("this model has no chat format; write the template as text instead of messages")
        roles = tuple(turn.role or "user" for turn in rendered.turns)
        if roles not in self._formats:
            self._formats[roles] = self._format(roles)
        return self._formats[roles]

    def _format(self, roles: Sequence[str]) -> list[tuple[str, int | None]]:
        from jinja2 import TemplateError

        marks = [f"{_OPEN}{number}{_CLOSE}" for number in range(len(roles))]
        messages = [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)]
        try:
            text = str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        except TemplateError as error:  # its words are of the model's folder, and no case's text was in it
            raise ModelError(
                f"this model's chat format does not take messages of the roles {', '.join(roles)} "
                f"({str(error)[:200]}); say what the system message says in the first message of the user, let user "
                "and assistant take turns, or write the template as text"
            ) from None
        if any(text.count(mark) != 1 for mark in marks):
            raise ModelError("this model's chat format leaves a message out or repeats it; write the template as text")
        parts: list[tuple[str, int | None]] = []
        while _OPEN in text:
            literal, rest = text.split(_OPEN, 1)
            number, text = rest.split(_CLOSE, 1)
            parts.append((literal, int(number)))
        return [*parts, (text, None)]

    def _split_controls(self, literal: str) -> Iterable[_Segment]:
        while literal:
            hits = [(literal.find(token), -len(token), token) for token in self._controls if token in literal]
            if not hits:
                yield literal
                return
            at, _, token = min(hits)
            if at:
                yield literal[:at]
            yield _Control(self._controls[token])
            literal = literal[at + len(token) :]

    def _tokenise(self, texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
        wanted = [text for text in dict.fromkeys(texts) if text]
        runs: dict[str, tuple[int, ...]] = {"": ()}
        if wanted:
            ids = self._tokenizer(wanted, add_special_tokens=False, split_special_tokens=True)["input_ids"]
            runs.update(zip(wanted, map(tuple, ids), strict=True))
        return runs

    @staticmethod
    def _flatten(segments: Sequence[_Segment], runs: dict[str, tuple[int, ...]], soft: int) -> tuple[int, ...]:
        ids: list[int] = []
        for segment in segments:
            if isinstance(segment, SoftSlot):
                ids.extend([-1] * soft)
            elif isinstance(segment, _Control):
                ids.append(segment.id)
            else:
                ids.extend(runs[segment])
        return tuple(ids)


def _split_tail(segments: Sequence[_Segment]) -> tuple[Sequence[_Segment], str]:
    """Return what stands before the last run of text, and that run (empty after a control token or a soft slot)."""
    last = segments[-1] if segments else None
    return (segments[:-1], last) if isinstance(last, str) else (segments, "")


def _texts(segments: Sequence[_Segment], words: Sequence[str]) -> list[str]:
    _, tail = _split_tail(segments)
    return [s for s in segments if isinstance(s, str)] + [tail + word for word in words]


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length
