"""Tuned prompts in LangChain: a runnable that answers cases, and a chat model, both on the local model.

    from fedprompt.langchain import PromptRunnable

    sentiment = PromptRunnable.from_bank("sentiment@production")
    sentiment.invoke({"text": "I would gladly see it again."})

Soft prompts run in their slot. Nothing leaves the machine. Needs langchain-core; nothing else imports this file.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import ConfigDict, SkipValidation

from fedprompt.errors import PromptError
from fedprompt.models.protocols import CausalModel, Decoding, GenerateQuery
from fedprompt.models.registry import DEFAULT_MODEL, load
from fedprompt.prompts.rendered import Rendered, Turn
from fedprompt.workspace.answers.adapted_answers import LocalAdapted, runnable
from fedprompt.workspace.answers.answering import LocalPrompt
from fedprompt.workspace.home import find_home
from fedprompt.workspace.workspace import open_workspace

__all__ = ["LocalChatModel", "PromptRunnable"]

_ROLES: tuple[tuple[type[BaseMessage], str], ...] = (
    (SystemMessage, "system"),
    (HumanMessage, "user"),
    (AIMessage, "assistant"),
)


class PromptRunnable(Runnable[Mapping[str, Any], str]):
    """Fields of a case in, the answer out: the likeliest label, or the text that the model writes."""

    def __init__(self, prompt: LocalPrompt | LocalAdapted) -> None:
        self._prompt = prompt

    @classmethod
    def from_bank(cls, reference: str, home: Path | None = None) -> "PromptRunnable":
        """Return a prompt of the bank by its id, a beginning of one, ``name@tag``, or an adapted prompt's name.

        Raises:
            BankError: the bank holds no such prompt.
            ModelError, AssetError: its model cannot be loaded, or is another one.
        """
        with open_workspace(home) as ws:
            return cls(runnable(ws, reference))

    def invoke(self, input: Mapping[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> str:
        """Answer one case.

        Raises:
            PromptError: a field is missing.
            ModelError: it does not fit the model's window.
        """
        return self._call_with_config(self._answer, input, config, run_type="llm")

    def probabilities(self, input: Mapping[str, Any]) -> Mapping[str, float] | None:
        """Return each label's probability for one case; None where the answer is free text."""
        return self._prompt.run(_texts(input)).probabilities

    def _answer(self, input: Mapping[str, Any]) -> str:
        return self._prompt.run(_texts(input)).text


class LocalChatModel(BaseChatModel):
    """A local model as a LangChain chat model; with a prompt, the last human message fills the prompt's one field.

    ``prompt`` None sends the conversation itself, in the model's own chat format.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: SkipValidation[CausalModel]
    prompt: SkipValidation[LocalPrompt | LocalAdapted | None] = None
    max_tokens: int = 64
    temperature: float = 0.0
    seed: int = 0

    @classmethod
    def from_bank(cls, reference: str, home: Path | None = None, **settings: Any) -> "LocalChatModel":
        """Return a chat model that answers with a prompt of the bank.

        Raises:
            BankError: the bank holds no such prompt.
            PromptError: the prompt has not exactly one field.
            ModelError, AssetError: its model cannot be loaded, or is another one.
        """
        with open_workspace(home) as ws:
            prompt = runnable(ws, reference)
        names = prompt.fields
        if len(names) != 1:
            raise PromptError(
                f"prompt '{prompt.name}' has the fields {', '.join(names) or 'none'}, "
                "and one message fills one; take PromptRunnable",
                code="several-fields",
            )
        return cls(model=prompt.model, prompt=prompt, **settings)

    @classmethod
    def local(cls, model: str = DEFAULT_MODEL, home: Path | None = None, **settings: Any) -> "LocalChatModel":
        """Return the bare model, without a prompt.

        Raises:
            ModelError: there is no such model, or it cannot be loaded.
            AssetError: it was not fetched yet.
        """
        return cls(model=load(model, find_home(home).path), **settings)

    @property
    def _llm_type(self) -> str:
        return "fedprompt"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {
            "model": self.model.info.name,
            "digest": self.model.info.digest,
            "prompt": None if self.prompt is None else self.prompt.id,
        }

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        decoding = Decoding(self.max_tokens, tuple(stop or ()), self.temperature, seed=self.seed)
        told: dict[str, Any] = dict(self._identifying_params)
        if self.prompt is None:
            (written,) = self.model.generate([GenerateQuery(_conversation(messages))], decoding)
            text = written.text
        else:
            last = next((one for one in reversed(messages) if isinstance(one, HumanMessage)), None)
            if last is None:
                raise PromptError(
                    "the conversation has no human message to fill the prompt with", code="no-human-message"
                )
            (name,) = self.prompt.fields
            given = self.prompt.run({name: _text(last)}, decoding if stop else None)
            text, told["probabilities"] = given.text, given.probabilities
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text, response_metadata=told))])


def _texts(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else str(value) for name, value in fields.items()}


def _conversation(messages: Sequence[BaseMessage]) -> Rendered:
    turns = []
    for message in messages:
        role = next((role for kind, role in _ROLES if isinstance(message, kind)), None)
        if role is None:
            raise PromptError(
                f"a message of the kind {type(message).__name__} cannot be sent to a local model", code="message-role"
            )
        turns.append(Turn(role, (_text(message),)))
    return Rendered(tuple(turns))


def _text(message: BaseMessage) -> str:
    if not isinstance(message.content, str):
        raise PromptError(
            "a message holds more than text, which a local language model cannot read", code="not-only-text"
        )
    return message.content
