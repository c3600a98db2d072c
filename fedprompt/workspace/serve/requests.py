"""What a request to ``fedprompt serve`` may say, in OpenAI's words.

Invariant: a parameter that would change the answer is obeyed or refused by its name; every other one, also one that
this version does not know, has no effect, and the answer lists those (:meth:`Request.idle`). A value of a wrong type
is refused. What a parameter may be depends on the prompt: a label is chosen and given whole, so limits, stops and the
settings of drawing mean nothing to it.

The message's text is the prompt's one field; where a prompt has several, it is a JSON object of them.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, field_validator

from fedprompt.boundary.checked import Bounds, Unfit, checked_json
from fedprompt.errors import PromptError
from fedprompt.models.protocols import Decoding
from fedprompt.study.schema import Answer, Closed

__all__ = ["REQUEST", "ChatRequest", "CompletionRequest", "Refused", "Request", "decoding_of", "fields_of", "refusal"]

MOST_STOPS = 64
LONGEST_STOP = 80
MOST_TOKENS = 4096  # what a request asks beyond it, it gets so many
MOST_IDLE = 50
ALMOST_GREEDY = 1e-3  # clients that take no 0 send 1e-7 and the like
LEAST_TOP_P = 1e-6  # the likeliest token alone

# What has an effect, or asks for something that is refused where it is not the value that does nothing.
OBEYED = frozenset(
    ("model", "messages", "prompt", "stream", "stream_options", "logprobs", "top_logprobs", "temperature")
)
WRITING = frozenset({"max_tokens", "max_completion_tokens", "top_p", "seed", "stop"})
IN_MESSAGES = ("role", "content", "type", "text")
_OBJECT = TypeAdapter(dict[str, str])
REQUEST = Bounds(1024 * 1024, values=5_000, nested=500, members=200, depth=16)
_FIELDS = Bounds(1024 * 1024, values=300, nested=1, members=100, depth=1)


class Refused(PromptError):
    """A request that is not answered: status, a sentence, OpenAI's code, and the parameter that it is about."""

    code = "request-refused"

    def __init__(self, message: str, *, param: str | None = None, openai: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param, self.openai, self.status = param, openai, status


class Open(Closed):
    """A part of a request: what it does not know is kept by its name and has no effect."""

    model_config = ConfigDict(extra="allow")


class StreamOptions(Open):
    """What comes with a stream."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Request(Open):
    """What both kinds of requests have; the ranges are looked at once it is known what the prompt does."""

    model: Annotated[str, Field(max_length=500)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: str | Annotated[list[str], Field(max_length=MOST_STOPS)] | None = None
    n: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    user: str | None = None

    @property
    def limit(self) -> int | None:
        """The most tokens to write, where the request says so."""
        return self.max_tokens

    @property
    def alternatives(self) -> int | None:
        """How many labels are listed with their likelihoods; None where none were asked for."""
        raise NotImplementedError

    @property
    def refused(self) -> Mapping[str, bool]:
        """Parameter -> whether its value asks for an answer that no prompt of a bank gives."""
        return {"n": self.n not in (None, 1), "logit_bias": bool(self.logit_bias)}

    def idle(self, answer: Answer) -> tuple[str, ...]:
        """Return the parameters of the request that have no effect on its answer, in the order of the alphabet."""
        obeyed = OBEYED if answer.type == "choice" else OBEYED | WRITING
        more = self.model_extra or {}
        given = {name: more[name] if name in more else getattr(self, name) for name in self.model_fields_set - obeyed}
        return tuple(sorted(name[:80] for name, value in given.items() if value not in (None, [], {}, ""))[:MOST_IDLE])


class CompletionRequest(Request):
    """``POST /v1/completions``."""

    prompt: str | Annotated[list[str], Field(min_length=1, max_length=1)]
    logprobs: Annotated[int, Field(ge=0)] | None = None
    echo: bool | None = None
    best_of: int | None = None
    suffix: str | None = None

    @property
    def text(self) -> str:
        """The text; clients also send it as the one member of a list."""
        return self.prompt if isinstance(self.prompt, str) else self.prompt[0]

    @property
    def refused(self) -> Mapping[str, bool]:
        """Parameter -> whether its value asks for an answer that no prompt of a bank gives."""
        return {**super().refused, "echo": bool(self.echo), "suffix": bool(self.suffix)}

    @property
    def alternatives(self) -> int | None:
        """How many labels are listed with their likelihoods; None where none were asked for."""
        return self.logprobs


class TextPart(Open):
    """One piece of a message."""

    type: Literal["text"]
    text: str


class UserMessage(Open):
    """The one message."""

    role: Literal["user"]
    content: str | Annotated[list[TextPart], Field(min_length=1, max_length=64)]


class EmptyMessage(Open):
    """What clients send before it by habit: no word in it, so there is nothing that the prompt would not see."""

    role: Literal["system", "developer"]
    content: Literal[""] | None = None


class Format(Open):
    """How the answer is written."""

    type: str


class ChatRequest(Request):
    """``POST /v1/chat/completions``; one user message, since the bank's prompt is the whole conversation before it."""

    messages: Annotated[
        list[Annotated[UserMessage | EmptyMessage, Field(discriminator="role")]], Field(min_length=1, max_length=3)
    ]
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0)] | None = None
    response_format: Format | None = None
    tools: list[Any] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    functions: list[Any] | None = None
    function_call: str | dict[str, Any] | None = None
    modalities: list[str] | None = None
    audio: dict[str, Any] | None = None
    prediction: dict[str, Any] | None = None
    web_search_options: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    service_tier: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None

    @field_validator("messages")
    @classmethod
    def _one_has_a_text(cls, messages: list[UserMessage | EmptyMessage]) -> list[UserMessage | EmptyMessage]:
        if sum(isinstance(one, UserMessage) for one in messages) != 1:
            raise ValueError("send one message from the user")
        return messages

    @property
    def refused(self) -> Mapping[str, bool]:
        """Parameter -> whether its value asks for an answer that no prompt of a bank gives."""
        return {
            **super().refused,
            "response_format": self.response_format is not None and self.response_format.type != "text",
            "tools": bool(self.tools) and self.tool_choice != "none",
            "tool_choice": self.tool_choice not in (None, "none", "auto"),
            "functions": bool(self.functions) and self.function_call != "none",
            "function_call": self.function_call not in (None, "none", "auto"),
            "modalities": self.modalities is not None and self.modalities != ["text"],
            "web_search_options": self.web_search_options is not None,
        }

    @property
    def limit(self) -> int | None:
        """The most tokens to write, where the request says so."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def alternatives(self) -> int | None:
        """How many labels are listed with their likelihoods; None where none were asked for."""
        return (self.top_logprobs or 0) if self.logprobs else None

    @property
    def text(self) -> str:
        """The message's text; pieces follow each other directly."""
        content = next(one.content for one in self.messages if isinstance(one, UserMessage))
        return content if isinstance(content, str) else "".join(part.text for part in content)


def fields_of(text: str, names: tuple[str, ...], param: str) -> Mapping[str, str]:
    """Return field -> text of a message.

    Raises:
        Refused: the prompt has several fields, and the message is not a JSON object of exactly these.
    """
    if len(names) == 1:
        return {names[0]: text}
    wanted = f"this prompt has the fields {', '.join(names)}; send a JSON object with a text for each"
    try:
        found = checked_json(_OBJECT, text.encode("utf-8", "replace"), _FIELDS, strict=True)
    except Unfit:
        raise Refused(wanted, param=param) from None  # the text itself stays out of the message
    if set(found) != set(names):
        raise Refused(wanted, param=param)
    return found


def decoding_of(request: Request, answer: Answer) -> Decoding | None:
    """Return how text is written: as the study says, but for what the request says; None for a choice.

    Raises:
        Refused: the request asks for what this prompt does not do: drawing where a label is chosen, likelihoods of free
            text, several answers, tools; or a value lies outside its range.
    """
    for name, refused in request.refused.items():
        if refused:
            raise Refused(f"a prompt of a bank gives one fixed answer; leave '{name}' out", param=name)
    if not 0 <= (request.temperature or 0) <= 2:
        raise Refused("give a temperature of 0 to 2", param="temperature")
    if answer.type == "choice":
        if (request.temperature or 0) > ALMOST_GREEDY:
            raise Refused("the answer is the most likely label, without sampling; give 0", param="temperature")
        return None
    if request.alternatives is not None:
        raise Refused("this prompt generates free text, which has no likelihoods", param="logprobs")
    for name in ("frequency_penalty", "presence_penalty"):
        if getattr(request, name):
            raise Refused(f"text is generated without penalties; leave '{name}' out", param=name)
    if getattr(request, "best_of", None) not in (None, 1):
        raise Refused("a prompt of a bank gives one fixed answer; leave 'best_of' out", param="best_of")
    if request.limit is not None and request.limit < 1:
        name = "max_completion_tokens" if request.limit != request.max_tokens else "max_tokens"
        raise Refused("give at least 1, or leave it out", param=name)
    if not 0 <= (1 if request.top_p is None else request.top_p) <= 1:
        raise Refused("give a top_p of 0 to 1", param="top_p")
    return Decoding(
        max_tokens=answer.max_tokens if request.limit is None else min(request.limit, MOST_TOKENS),
        stop=answer.stop if request.stop is None else _stops(request.stop),
        temperature=answer.temperature if request.temperature is None else request.temperature,
        top_p=answer.top_p if request.top_p is None else max(request.top_p, LEAST_TOP_P),
        seed=answer.seed if request.seed is None else request.seed % 2**32,
    )


def _stops(given: str | list[str]) -> tuple[str, ...]:
    """Return the stops of a request; an empty one stops nothing."""
    stops = tuple(one for one in ((given,) if isinstance(given, str) else given) if one)
    if any(len(one) > LONGEST_STOP for one in stops):
        raise Refused(f"a stop has at most {LONGEST_STOP} characters", param="stop")
    return stops


def refusal(error: Unfit) -> Refused:
    """Return what is wrong with a body, without a word of it but the parameter's name."""
    first, *rest = error.place or ("",)
    told = [part for part in rest if isinstance(part, int) or part in IN_MESSAGES] if first == "messages" else []
    where = ".".join(map(str, (first, *told)))[:80] or None
    if error.kind == "json_invalid":
        return Refused("the body is not JSON", openai="invalid_json")
    if not error.kind:
        return Refused(f"the body {error.reason}", openai="request_too_large")
    if where is not None and where.startswith("messages"):
        return Refused(
            "send one message with the role 'user' and text as its content. The bank's prompt provides "
            "everything before it",
            param=where,
            openai="unsupported_value",
        )
    if where == "prompt":
        return Refused(
            "send one text as 'prompt'; lists and tokens are not supported", param=where, openai="unsupported_value"
        )
    return Refused(f"'{where}': {error.reason}", param=where, openai="unsupported_value")
