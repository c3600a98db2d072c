"""What fedprompt asks of a chat model behind a server: one answer a conversation, or the reason why there is none.

Invariant: a call that fails for good is a reply with a reason of the closed list below, never an exception's text,
which may quote a case or a key.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from fedprompt.errors import ModelError
from fedprompt.prompts.rendered import Rendered
from fedprompt.prompts.tools import Tool
from fedprompt.stopping import NEVER, StopToken

__all__ = ["CHAT", "ChatInfo", "ChatModel", "ChatReply", "ChatTurn", "Failure", "Options", "ToolCall", "Usage", "turns"]

CHAT = "chat"  # the prefix of names that stand in models.toml
Failure = Literal[
    "rate limit",
    "server error",
    "timeout",
    "no connection",
    "key refused",
    "model unknown",
    "request refused",
    "malformed answer",
    "answer withheld",
]


@dataclass(frozen=True)
class ChatInfo:
    """``digest`` names provider and model, never a server; ``remote`` is whether calls leave this machine.

    ``logprobs`` is whether the server may be asked for the likelihoods of its first token, ``schema`` whether for an
    answer that fits a JSON schema.
    """

    name: str
    digest: str
    host: str
    remote: bool
    logprobs: bool
    schema: bool


@dataclass(frozen=True)
class ChatTurn:
    """One message: ``system``, ``user`` or ``assistant``, and its text."""

    role: str
    text: str


@dataclass(frozen=True)
class Options:
    """How an answer is written, and the ``tools`` that the model is offered.

    ``top`` asks for the likelihoods of so many first tokens; ``among`` for one of these words as ``{"answer": word}``.
    """

    max_tokens: int = 64
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    top: int = 0
    among: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()


@dataclass(frozen=True)
class Usage:
    """Tokens as the server counted them."""

    input: int
    output: int


@dataclass(frozen=True)
class ToolCall:
    """A tool that a model asks for, and its arguments as the JSON text that the model wrote. Nothing runs it."""

    name: str
    arguments: str


@dataclass(frozen=True)
class ChatReply:
    """An answer; ``first`` holds the likeliest first tokens and their natural log-probabilities, None if not given.

    ``usage`` is None where the server did not count; with a ``failure`` the text is empty. ``kept``: it was answered
    before, and nothing was paid for it now.
    """

    text: str
    usage: Usage | None = None
    first: tuple[tuple[str, float], ...] | None = None
    failure: Failure | None = None
    kept: bool = False
    calls: tuple[ToolCall, ...] = ()


class ChatModel(Protocol):
    """A model that answers conversations; it holds connections until it is closed."""

    @property
    def info(self) -> ChatInfo:
        """What it is and where it runs."""
        ...

    def ask(
        self,
        conversations: Sequence[Sequence[ChatTurn]],
        options: Options,
        progress: Callable[[int, int], None] | None = None,
        heard: Callable[[int, ChatReply], None] | None = None,
        *,
        stop: StopToken = NEVER,
    ) -> tuple[ChatReply, ...]:
        """Return a reply a conversation, in the order given.

        Args:
            progress: hears (calls done, calls in all).
            heard: gets (place, reply) as soon as it comes, one at a time; also what comes after the run was stopped.
            stop: looked at whenever an answer has come; calls that are out are waited for, since they are paid for.

        Raises:
            ModelError: no call at all can succeed: no connection, or the key or the model is refused.
        """
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


def turns(rendered: Rendered) -> tuple[ChatTurn, ...]:
    """Return the messages of a rendered template; a bare text is one message of the user.

    Raises:
        ModelError: the template has a soft slot, which only a model on this machine can fill.
    """
    if rendered.has_soft:
        raise ModelError(
            "a soft prompt is vectors, which a chat model cannot read; use a model of this machine", code="words-only"
        )
    return tuple(ChatTurn(turn.role or "user", "".join(str(piece) for piece in turn.pieces)) for turn in rendered.turns)
