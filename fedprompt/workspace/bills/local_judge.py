"""A model of this machine as a judge: it answers conversations in its own chat format, one after the other.

Nothing leaves the process, and nothing is paid.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from fedprompt.models.chat.cost import Price
from fedprompt.models.chat.judge import JUDGE_TOKENS, ChatJudge
from fedprompt.models.chat.protocol import ChatInfo, ChatReply, ChatTurn, Options, Usage
from fedprompt.models.protocols import CausalModel, Decoding, GenerateQuery
from fedprompt.models.registry import load
from fedprompt.prompts.rendered import Rendered, Turn
from fedprompt.stopping import NEVER, StopToken

__all__ = ["FREE", "LocalChat", "load_local_judge"]

FREE = Price(input=0.0, output=0.0)
HERE = "this machine"


class LocalChat:
    """A :class:`~fedprompt.models.chat.protocol.ChatModel` over a model of this machine."""

    def __init__(self, model: CausalModel) -> None:
        self._model = model
        self.info = ChatInfo(model.info.name, model.info.digest, HERE, remote=False, logprobs=False, schema=False)

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

        Raises:
            ModelError: a conversation is too long for the model.
        """
        found = []
        decoding = Decoding(options.max_tokens, options.stop, options.temperature, options.top_p, options.seed)
        for place, one in enumerate(conversations):
            stop.check()
            rendered = Rendered(tuple(Turn(turn.role, (turn.text,)) for turn in one))
            (written,) = self._model.generate([GenerateQuery(rendered)], decoding, stop=stop)
            reply = ChatReply(written.text, Usage(self._model.length(rendered), written.tokens))
            found.append(reply)
            if heard is not None:
                heard(place, reply)
            if progress is not None:
                progress(place + 1, len(conversations))
        return tuple(found)

    def close(self) -> None:
        """Do nothing: it has no connections."""


def load_local_judge(name: str, home: Path) -> ChatJudge:
    """Return a model of this machine as a judge.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
        AssetError: the model's files are not here yet.
    """
    return ChatJudge(LocalChat(load(name, home)), JUDGE_TOKENS, FREE)
