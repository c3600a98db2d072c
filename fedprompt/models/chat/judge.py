"""A chat model as a judge: one prompt in, its text out. A judge is named like any chat model of this machine.

A judge asks at temperature 0, so a site that keeps what it said need not ask it the same twice. Many prompts are asked
side by side, as many as the machine's configuration of the model allows.
"""

from collections.abc import Sequence
from pathlib import Path

from fedprompt.errors import ModelError
from fedprompt.models.chat.config import chat_settings, read_machine
from fedprompt.models.chat.cost import Hear, Price, tallied
from fedprompt.models.chat.protocol import ChatModel, ChatReply, ChatTurn, Options
from fedprompt.models.chat.replies import ChatReplies, KeptChat
from fedprompt.models.chat.through_langchain import LangChainChat, chat_info, load_chat

__all__ = ["JUDGE_TOKENS", "ChatJudge", "judge_digest", "load_judge"]

JUDGE_TOKENS = 256  # the most that a judge writes


class ChatJudge:
    """Asks a chat model at temperature 0; ``replies`` are the calls so far, for what they cost by ``price``.

    ``hear`` is told the model's name and what each batch of questions took, as soon as it ends, however it ends.
    """

    def __init__(
        self,
        model: ChatModel,
        max_tokens: int = JUDGE_TOKENS,
        price: Price | None = None,
        hear: Hear | None = None,
    ) -> None:
        self.model, self.replies = model, list[ChatReply]()
        self._max_tokens, self._options = max_tokens, Options(max_tokens=max_tokens)
        self._price, self._hear = price, hear

    @property
    def name(self) -> str:
        """What the machine calls the model."""
        return self.model.info.name

    def kept_in(self, replies: ChatReplies) -> "ChatJudge":
        """Return the judge that asks only what ``replies`` do not hold."""
        server = self.model.settings.url() if isinstance(self.model, LangChainChat) else ""
        return ChatJudge(KeptChat(self.model, replies, server), self._max_tokens, self._price, self._hear)

    def heard_by(self, hear: Hear) -> "ChatJudge":
        """Return the judge that tells what each batch took."""
        return ChatJudge(self.model, self._max_tokens, self._price, hear)

    def to_ask(self, prompts: Sequence[str]) -> tuple[tuple[ChatTurn, ...], ...]:
        """Return the conversations that asking these prompts takes; none for what is known."""
        asked = [(ChatTurn("user", prompt),) for prompt in prompts]
        known = [False] * len(asked)
        if isinstance(self.model, KeptChat):
            known = self.model.known(asked, [self._options] * len(asked))
        return tuple(one for one, there in zip(asked, known, strict=True) if not there)

    def ask(self, prompt: str) -> str:
        """Return what the model answers.

        Raises:
            ModelError: the call failed for good; names the kind of failure, never the prompt.
        """
        (found,) = self.ask_each([prompt])
        if isinstance(found, ModelError):
            raise found
        return found

    def ask_each(self, prompts: Sequence[str]) -> tuple[str | ModelError, ...]:
        """Return an answer a prompt, or why its call failed for good.

        Raises:
            ModelError: no call at all can succeed.
        """
        came: list[ChatReply] = []  # what is paid for, should the batch break off
        try:
            replies = self.model.ask(
                [(ChatTurn("user", prompt),) for prompt in prompts],
                self._options,
                heard=lambda _, reply: came.append(reply),
            )
            came = list(replies)
        finally:
            self.replies += came
            if self._hear is not None:
                self._hear(self.name, tallied(came, self._price))
        return tuple(self._said(reply) for reply in replies)

    def _said(self, reply: ChatReply) -> str | ModelError:
        if reply.failure is None:
            return reply.text
        return ModelError(
            f"the judge '{self.name}' gave no answer ({reply.failure}); run again, or check the server",
            code="no-answer",
        )

    def close(self) -> None:
        """Close the connections."""
        self.model.close()


def judge_digest(name: str, home: Path) -> str:
    """Return what names the judge's provider and model, without connecting.

    Raises:
        ModelError: there is no such chat model on this machine.
    """
    return chat_info(name, chat_settings(name, read_machine(home))).digest


def load_judge(name: str, home: Path, max_tokens: int = JUDGE_TOKENS) -> ChatJudge:
    """Return the judge called ``name``, ``provider:model`` or ``chat:NAME``.

    Raises:
        ModelError: there is no such chat model on this machine, or cases may not be sent to its host.
    """
    chat = load_chat(name, home)
    return ChatJudge(chat, max_tokens, chat.settings.price)
