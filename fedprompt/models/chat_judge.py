"""A chat model as a judge: one prompt in, its text out. A judge is named like any chat model of this machine."""

from collections.abc import Sequence
from pathlib import Path

from fedprompt.errors import ModelError
from fedprompt.models.chat import ChatModel, ChatReply, ChatTurn, Options
from fedprompt.models.chat_langchain import load_chat

__all__ = ["ChatJudge", "load_judge"]


class ChatJudge:
    """Asks a chat model at temperature 0; ``replies`` are the calls so far, for what they cost."""

    def __init__(self, model: ChatModel, max_tokens: int = 256) -> None:
        self.model, self.replies = model, list[ChatReply]()
        self._options = Options(max_tokens=max_tokens)

    @property
    def name(self) -> str:
        """What the machine calls the model."""
        return self.model.info.name

    def ask(self, prompt: str) -> str:
        """Return what the model answers.

        Raises:
            ModelError: the call failed for good; names the kind of failure, never the prompt.
        """
        return self.ask_all([prompt])[0]

    def ask_all(self, prompts: Sequence[str]) -> tuple[str, ...]:
        """Return an answer a prompt, asked side by side.

        Raises:
            ModelError: a call failed for good.
        """
        replies = self.model.ask([(ChatTurn("user", prompt),) for prompt in prompts], self._options)
        self.replies += replies
        if failed := [reply.failure for reply in replies if reply.failure is not None]:
            raise ModelError(f"the judge '{self.name}' gave no answer ({failed[0]}); run again, or check the server")
        return tuple(reply.text for reply in replies)

    def close(self) -> None:
        """Close the connections."""
        self.model.close()


def load_judge(name: str, home: Path, max_tokens: int = 256) -> ChatJudge:
    """Return the judge called ``name``, ``provider:model`` or ``chat:NAME``.

    Raises:
        ModelError: there is no such chat model on this machine, or cases may not be sent to its host.
    """
    return ChatJudge(load_chat(name, home), max_tokens)
