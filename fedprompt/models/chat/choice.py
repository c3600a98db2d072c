"""A choice among labels put to a chat model: by the likelihoods of its first token, else by a constrained answer.

By likelihood, a first token that begins exactly one label's word is that label's; white space before it and case do
not count. A label is told only where tokens that begin several words could not change it. Where the server gives no
likelihoods, or one word begins another, every template of the run is asked for one of the words instead. Invariant:
one run has one method, so that its templates can be ranked; an answer that is no label is unparsed, never guessed.
"""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ModelError
from fedprompt.models.chat.protocol import ChatInfo, ChatModel, ChatReply, ChatTurn, Options
from fedprompt.prompts.ids import canonical_json
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.score import Method

__all__ = [
    "ChatAnswer",
    "ChatQuery",
    "Probe",
    "answer_by_likelihood",
    "asked_with",
    "choose",
    "constrain",
    "constrained_options",
    "digest_with",
    "distinct",
    "find_method",
    "parse",
]

TOP = 20
EDGES = " \t\r\n.,;:!?\"'`*_()[]{}<>\u201c\u201d\u2018\u2019"
QUESTION = (ChatTurn("user", "Is water wet? Answer with one word, yes or no."),)
INSTRUCTION = "\n\nAnswer with exactly one of the following and nothing else: {words}"


@dataclass(frozen=True)
class ChatQuery:
    """A conversation, and the word that means each label."""

    conversation: tuple[ChatTurn, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ChatAnswer:
    """``label``: index of the word that was chosen, None where the answer is none of them or there is no answer.

    ``shares``: [words] float64 that sum to 1, by likelihood alone.
    """

    label: int | None
    reply: ChatReply
    shares: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Probe:
    """Which method a run has, and the reply to the question that told it, None where none was asked."""

    method: Method
    reply: ChatReply | None


def find_method(model: ChatModel, words: Sequence[tuple[str, ...]], wanted: Method | None = None) -> Probe:
    """Return the method for templates with these words, asking the server a question that holds no case.

    Args:
        words: of each template.
        wanted: the method that the machine's owner fixed, or None.

    Raises:
        ModelError: the server cannot be asked, or likelihoods are wanted of words that one token cannot tell apart.
    """
    apart = all(map(distinct, words))
    if wanted == "likelihood" and not apart:
        raise ModelError(
            "one label's word is the start of another's, so the first token cannot distinguish them; give the "
            "template other words, or remove 'method' from models.toml",
            code="same-first-token",
        )
    if wanted == "constrained" or not apart or not model.info.logprobs:
        return Probe("constrained", None)
    (reply,) = model.ask([QUESTION], Options(max_tokens=1, top=TOP))
    if reply.failure in ("request refused", "malformed answer") and wanted is None:
        return Probe("constrained", reply)
    if reply.failure is not None:
        raise ModelError(
            f"the chat model '{model.info.name}' did not report whether it gives likelihoods "
            f"({reply.failure}); run again",
            code="no-answer",
        )
    if wanted is None and reply.first is None:
        return Probe("constrained", reply)
    return Probe("likelihood", reply)


def choose(
    model: ChatModel,
    queries: Sequence[ChatQuery],
    method: Method,
    progress: Callable[[int, int], None] | None = None,
    *,
    stop: StopToken = NEVER,
) -> tuple[ChatAnswer, ...]:
    """Answer every query by one method.

    Raises:
        ModelError: the model cannot be asked at all.
    """
    if method == "likelihood":
        options = Options(max_tokens=1, top=TOP)
        replies = model.ask([query.conversation for query in queries], options, progress, stop=stop)
        return tuple(answer_by_likelihood(reply, q.words) for reply, q in zip(replies, queries, strict=True))
    answers: dict[int, ChatAnswer] = {}
    for words in dict.fromkeys(query.words for query in queries):  # a schema lists one set of words
        places = [place for place, query in enumerate(queries) if query.words == words]
        before = len(answers)

        def told(finished: int, _: int, before: int = before) -> None:
            if progress is not None:
                progress(before + finished, len(queries))

        asked = [constrain(queries[place].conversation, words) for place in places]
        replies = model.ask(asked, constrained_options(words), told, stop=stop)
        for place, reply in zip(places, replies, strict=True):
            answers[place] = ChatAnswer(None if reply.failure else parse(reply.text, words), reply)
    return tuple(answers[place] for place in range(len(queries)))


def digest_with(info: ChatInfo, method: Method | None) -> str:
    """Return the digest of a model asked by a method: another method is another study, which nothing ranks with it."""
    if method is None:
        return info.digest
    how = [info.digest, method, info.schema and method == "constrained"]
    return f"sha256:{hashlib.sha256(b'fedprompt chat method' + canonical_json(how)).hexdigest()}"


def constrained_options(words: Sequence[str]) -> Options:
    """Return room for the longest word as JSON, a token a byte at most."""
    return Options(max_tokens=16 + max(len(word.encode()) for word in words), among=tuple(w.strip() for w in words))


def asked_with(query: ChatQuery, method: Method) -> tuple[tuple[ChatTurn, ...], Options]:
    """Return the conversation as it is sent, and the most that is written, by a method."""
    if method == "likelihood":
        return query.conversation, Options(max_tokens=1, top=TOP)
    return constrain(query.conversation, query.words), constrained_options(query.words)


def constrain(conversation: Sequence[ChatTurn], words: Sequence[str]) -> tuple[ChatTurn, ...]:
    """Return the conversation with the instruction to answer by one of the words, in the last message of the user."""
    told = INSTRUCTION.format(words=", ".join(f'"{word.strip()}"' for word in words))
    turns = list(conversation)
    for place in range(len(turns) - 1, -1, -1):
        if turns[place].role == "user":
            turns[place] = ChatTurn("user", turns[place].text + told)
            return tuple(turns)
    return (*turns, ChatTurn("user", told.strip()))


def distinct(words: Sequence[str]) -> bool:
    """Return whether no word is another's beginning, white space around and case left out."""
    plain = [_plain(word) for word in words]
    return all(plain) and not any(
        other.startswith(word) for place, word in enumerate(plain) for at, other in enumerate(plain) if at != place
    )


def answer_by_likelihood(reply: ChatReply, words: Sequence[str]) -> ChatAnswer:
    """Return the label whose word the model most likely begins with; a label that is not listed has what is left."""
    if reply.failure is not None or reply.first is None:
        return ChatAnswer(None, reply)
    plain = [_plain(word) for word in words]
    mass, shared = np.zeros(len(words)), 0.0
    for token, logprob in reply.first:
        begun = _plain(token)
        # A token may run past its word: " positive." is still the word.
        of = [place for place, word in enumerate(plain) if begun and (word.startswith(begun) or _ends(begun, word))]
        if len(of) == 1:
            mass[of[0]] += math.exp(logprob)
        elif of:
            shared += math.exp(logprob)
    order = np.argsort(-mass, kind="stable")
    if mass[order[0]] <= 0 or mass[order[0]] - mass[order[1]] <= shared:
        return ChatAnswer(None, reply)
    left = max(1e-12, min(1.0 - sum(math.exp(lp) for _, lp in reply.first), math.exp(min(lp for _, lp in reply.first))))
    mass = np.where(mass > 0, mass, min(left, float(mass[order[0]])))
    return ChatAnswer(int(order[0]), reply, mass / mass.sum())


def parse(text: str, words: Sequence[str]) -> int | None:
    """Return the index of the word that an answer is, as it stands or as ``{"answer": word}``; None if it is none.

    Case, and punctuation around it, do not count unless two words differ by nothing else.
    """
    said = text
    if text.lstrip()[:1] == "{":
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict) and set(body) == {"answer"} and isinstance(body["answer"], str):
            said = body["answer"]
    for form in (str.strip, lambda one: one.strip().strip(EDGES), lambda one: one.strip().strip(EDGES).casefold()):
        found = [place for place, word in enumerate(words) if form(word) and form(word) == form(said)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _ends(token: str, word: str) -> bool:
    return token.startswith(word) and not token[len(word) : len(word) + 1].isalnum()


def _plain(text: str) -> str:
    return text.strip().casefold()
