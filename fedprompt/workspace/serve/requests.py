"""What a request to ``fedprompt serve`` may say, in OpenAI's words.

Invariant: a parameter is obeyed, has no effect by its meaning, or is refused; none is dropped in silence.

The message's text is the prompt's one field; where a prompt has several, it is a JSON object of them.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from fedprompt.boundary.checked import Bounds, Unfit, checked_json
from fedprompt.errors import PromptError
from fedprompt.models.protocols import Decoding
from fedprompt.study.schema import Answer, Closed

__all__ = ["REQUEST", "ChatRequest", "CompletionRequest", "Refused", "Request", "decoding_of", "fields_of", "refusal"]

MOST_STOPS = 16
MOST_TOKENS = 4096

Stop = Annotated[str, Field(min_length=1, max_length=80)]
_OBJECT = TypeAdapter(dict[str, str])
REQUEST = Bounds(1024 * 1024, values=5_000, nested=500, members=200, depth=16)
_FIELDS = Bounds(1024 * 1024, values=300, nested=1, members=100, depth=1)


class Refused(PromptError):
    """A request that is not answered: status, a sentence, OpenAI's code, and the parameter that it is about."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param, self.code, self.status = param, code, status


class StreamOptions(Closed):
    """What comes with a stream."""

    include_usage: bool = False
    include_obfuscation: Literal[False] = False


class Request(Closed):
    """What both kinds of requests have.

    ``user`` names the client's own user and changes nothing; the parameters with one value allowed are those that
    clients send by habit.
    """

    model: Annotated[str, Field(max_length=500)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=MOST_STOPS)] | None = None
    n: Literal[1] | None = None
    frequency_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    presence_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    user: Annotated[str, Field(max_length=500)] | None = None

    @property
    def limit(self) -> int | None:
        """The most tokens to write, where the request says so."""
        return self.max_tokens

    @property
    def alternatives(self) -> int | None:
        """How many labels are listed with their likelihoods; None where none were asked for."""
        raise NotImplementedError


class CompletionRequest(Request):
    """``POST /v1/completions``."""

    prompt: str
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    echo: Literal[False] | None = None
    best_of: Literal[1] | None = None
    suffix: Literal[""] | None = None

    @property
    def alternatives(self) -> int | None:
        """How many labels are listed with their likelihoods; None where none were asked for."""
        return self.logprobs


class TextPart(Closed):
    """One piece of a message."""

    type: Literal["text"]
    text: str


class UserMessage(Closed):
    """The one message."""

    role: Literal["user"]
    content: str | Annotated[list[TextPart], Field(min_length=1, max_length=64)]
    name: Annotated[str, Field(max_length=500)] | None = None


class TextFormat(Closed):
    """Plain text."""

    type: Literal["text"]


class ChatRequest(Request):
    """``POST /v1/chat/completions``; one user message, since the bank's prompt is the whole conversation before it."""

    messages: Annotated[list[UserMessage], Field(min_length=1, max_length=1)]
    max_completion_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: TextFormat | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    store: Literal[False] | None = None

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
        content = self.messages[0].content
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
        Refused: the request asks for drawing or stopping where a label is chosen, or for likelihoods of free text.
    """
    stops = [request.stop] if isinstance(request.stop, str) else request.stop
    if answer.type == "choice":
        if request.temperature:
            raise Refused("the likeliest label is the answer and none is drawn; give 0", param="temperature")
        if stops:
            raise Refused("a label is given whole; leave 'stop' out", param="stop")
        return None
    if request.alternatives is not None:
        raise Refused("this prompt writes free text, which comes without likelihoods", param="logprobs")
    return Decoding(
        max_tokens=answer.max_tokens if request.limit is None else request.limit,
        stop=answer.stop if stops is None else tuple(stops),
        temperature=answer.temperature if request.temperature is None else request.temperature,
        top_p=answer.top_p if request.top_p is None else request.top_p,
        seed=answer.seed if request.seed is None else request.seed,
    )


def refusal(error: Unfit) -> Refused:
    """Return what is wrong with a body, without a word of it but the parameter's name."""
    where = ".".join(map(str, error.place[:4]))[:80] or None
    if error.kind == "json_invalid":
        return Refused("the body is not JSON", code="invalid_json")
    if not error.kind:
        return Refused(f"the body {error.reason}", code="request_too_large")
    if error.kind == "extra_forbidden":
        return Refused(f"the parameter '{where}' is not supported", param=where, code="unsupported_parameter")
    if where is not None and where.startswith("messages"):
        return Refused(
            "send one message, with the role 'user' and text as its content: the bank's prompt is everything before it",
            param=where,
            code="unsupported_value",
        )
    return Refused(f"'{where}': {error.reason}", param=where, code="unsupported_value")
