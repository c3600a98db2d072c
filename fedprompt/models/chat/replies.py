"""Answers of chat models, kept at the site as they come, so that a run that goes on pays for nothing twice.

A row's name is a hash under the site's key of provider, model and what of the settings moves an answer, the server, the
conversation and how it is to be answered. The file is the site's own (mode 0600) and holds what the model wrote, which
may tell of cases; it never leaves. A call that failed is not kept. Invariant: the same question in the same run is
asked once.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from fedprompt.models.chat.protocol import ChatInfo, ChatModel, ChatReply, ChatTurn, Options, Usage
from fedprompt.models.private_rows import PrivateRows
from fedprompt.prompts.ids import canonical_json
from fedprompt.stopping import NEVER, StopToken

__all__ = ["ChatReplies", "KeptChat"]

VERSION = 1
Conversation = Sequence[ChatTurn]


class ChatReplies:
    """The answers in the file at ``path``, under the site's key."""

    def __init__(self, path: Path, key: bytes) -> None:
        self.path, self._key, self._rows = path, key, PrivateRows(path, "replies")

    def name(self, info: ChatInfo, server: str, conversation: Conversation, options: Options) -> bytes:
        """Return the name of a question, 16 bytes."""
        turns = [[turn.role, turn.text] for turn in conversation]
        how = {key: value for key, value in asdict(options).items() if key != "tools" or value}
        body = [VERSION, info.digest, info.schema, server, turns, how]
        return hashlib.blake2b(canonical_json(body), digest_size=16, key=self._key).digest()

    def get(self, names: Sequence[bytes]) -> dict[bytes, ChatReply]:
        """Return the answers that are known."""
        found = {}
        for name, body in self._rows.get(names).items():
            try:
                text, usage, first = json.loads(body)
                counted = None if usage is None else Usage(int(usage[0]), int(usage[1]))
                told = None if first is None else tuple((str(token), float(value)) for token, value in first)
                found[name] = ChatReply(str(text), counted, told, kept=True)
            except (ValueError, TypeError, IndexError):
                continue  # a row that cannot be read is asked for anew
        return found

    def known(
        self,
        info: ChatInfo,
        server: str,
        conversations: Sequence[Conversation],
        options: Sequence[Options],
        *,
        anew: bool = False,
    ) -> list[bool]:
        """Return of each question, with its own options, whether no call of its own is needed to answer it.

        Args:
            anew: whether all are asked again; the same question twice is one call all the same.
        """
        names = [self.name(info, server, one, how) for one, how in zip(conversations, options, strict=True)]
        found = set() if anew else set(self.get(names))
        known = []
        for name in names:
            known.append(name in found)
            found.add(name)  # the same question once more is answered by the one call
        return known

    def put(self, name: bytes, reply: ChatReply) -> None:
        """Keep an answer, on disk before this returns.

        Raises:
            DataError: the file cannot be written.
        """
        usage = None if reply.usage is None else [reply.usage.input, reply.usage.output]
        self._rows.put({name: json.dumps([reply.text, usage, reply.first]).encode()}, replace=True)


class KeptChat:
    """A :class:`~fedprompt.models.chat.protocol.ChatModel` that asks another one only what is not known.

    Args:
        model: who is asked.
        replies: where answers are kept.
        server: the address that answers, so that two servers of one model stay apart.
        anew: ask whatever is known, and keep the new answers in its place.
        paid: hears each call's reply as it comes, also one that failed.
    """

    def __init__(
        self,
        model: ChatModel,
        replies: ChatReplies,
        server: str = "",
        *,
        anew: bool = False,
        paid: Callable[[ChatReply], None] | None = None,
    ) -> None:
        self._model, self._replies, self._server, self._anew, self._paid = model, replies, server, anew, paid

    @property
    def info(self) -> ChatInfo:
        """What it is and where it runs."""
        return self._model.info

    def known(self, conversations: Sequence[Conversation], options: Sequence[Options]) -> list[bool]:
        """Return of each question, with its own options, whether no call of its own is needed to answer it."""
        return self._replies.known(self._model.info, self._server, conversations, options, anew=self._anew)

    def ask(
        self,
        conversations: Sequence[Conversation],
        options: Options,
        progress: Callable[[int, int], None] | None = None,
        heard: Callable[[int, ChatReply], None] | None = None,
        *,
        stop: StopToken = NEVER,
    ) -> tuple[ChatReply, ...]:
        """Return a reply a conversation, in the order given, those that are known marked ``kept``.

        Raises:
            ModelError: no call at all can succeed.
            DataError: the answers cannot be kept, so nothing more is paid for.
        """
        names = [self._name(one, options) for one in conversations]
        found = {} if self._anew else self._replies.get(names)
        todo: dict[bytes, int] = {}
        for place, name in enumerate(names):
            if name not in found:
                todo.setdefault(name, place)
        asked, before = list(todo.items()), len(conversations) - len(todo)
        came: dict[int, ChatReply] = {}

        def keep(at: int, reply: ChatReply) -> None:
            name, place = asked[at]
            came[place] = reply
            if self._paid is not None:
                self._paid(reply)
            if reply.failure is None:
                self._replies.put(name, reply)
            if heard is not None:
                heard(place, reply)
            if progress is not None:
                progress(before + len(came), len(conversations))

        if asked:
            self._model.ask([conversations[place] for _, place in asked], options, None, keep, stop=stop)
        elif progress is not None and conversations:
            progress(len(conversations), len(conversations))
        replies = []
        for place, name in enumerate(names):
            if name in found:
                replies.append(found[name])
            else:  # the same question once more is answered by the one call
                first = came[todo[name]]
                replies.append(first if todo[name] == place else replace(first, kept=first.failure is None))
        return tuple(replies)

    def close(self) -> None:
        """Close the connections."""
        self._model.close()

    def __enter__(self) -> "KeptChat":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _name(self, conversation: Conversation, options: Options) -> bytes:
        return self._replies.name(self._model.info, self._server, conversation, options)
