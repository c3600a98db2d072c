"""Answers in OpenAI's shapes. The key ``fedprompt`` beside them says which prompt answered and how sure it is.

A choice is one token to a client: its label, with the logarithm of the label's share as its likelihood.
"""

import json
import math
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fedprompt.workspace.answers.answering import Given

__all__ = ["Answered", "error_body", "model_list", "reply", "stream"]

LEAST = 1e-300  # a share that underflowed is no minus infinity, which JSON cannot hold

Kind = Literal["chat", "text"]


@dataclass(frozen=True)
class Answered:
    """One answered request.

    ``model``: the name that the client asked for; ``told``: prompt, name and model that answered; ``top``: how many
    alternatives are listed, None where no likelihoods were asked for.
    """

    kind: Kind
    model: str
    given: Given
    told: Mapping[str, Any]
    prompt_tokens: int
    written_tokens: int
    cut: bool
    top: int | None


def reply(answered: Answered) -> dict[str, Any]:
    """Return the body of an answer that comes in one piece."""
    choice = {"index": 0, "finish_reason": _finish(answered), "logprobs": _logprobs(answered)}
    if answered.kind == "chat":
        choice["message"] = {"role": "assistant", "content": answered.given.text, "refusal": None}
    else:
        choice["text"] = answered.given.text
    head = _head(answered, "chat.completion" if answered.kind == "chat" else "text_completion")
    return {**head, "choices": [choice], "usage": _usage(answered), "fedprompt": _told(answered)}


def stream(answered: Answered, usage: bool) -> Iterator[bytes]:
    """Yield the same as server-sent events: the whole text in one chunk, then why it ended, then ``[DONE]``."""
    head = _head(answered, "chat.completion.chunk" if answered.kind == "chat" else "text_completion")
    whole: dict[str, Any] = {"index": 0, "finish_reason": None, "logprobs": _logprobs(answered)}
    last: dict[str, Any] = {"index": 0, "finish_reason": _finish(answered), "logprobs": None}
    if answered.kind == "chat":
        whole["delta"], last["delta"] = {"role": "assistant", "content": answered.given.text}, {}
    else:
        whole["text"], last["text"] = answered.given.text, ""
    none = {"usage": None} if usage else {}
    yield _event({**head, "choices": [whole], **none, "fedprompt": _told(answered)})
    yield _event({**head, "choices": [last], **none})
    if usage:
        yield _event({**head, "choices": [], "usage": _usage(answered)})
    yield b"data: [DONE]\n\n"


def model_list(names: tuple[str, ...], made: int) -> dict[str, Any]:
    """Return the body of ``/v1/models``."""
    rows = [{"id": name, "object": "model", "created": made, "owned_by": "fedprompt"} for name in names]
    return {"object": "list", "data": rows}


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Return the body of a refusal."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _head(answered: Answered, kind: str) -> dict[str, Any]:
    start = "chatcmpl-" if answered.kind == "chat" else "cmpl-"
    return {
        "id": start + secrets.token_hex(12),
        "object": kind,
        "created": int(time.time()),
        "model": answered.model,
    }


def _told(answered: Answered) -> dict[str, Any]:
    shares = answered.given.probabilities
    return {**answered.told, "probabilities": None if shares is None else dict(shares)}


def _finish(answered: Answered) -> str:
    return "length" if answered.cut else "stop"


def _usage(answered: Answered) -> dict[str, int]:
    read, written = answered.prompt_tokens, answered.written_tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _logprobs(answered: Answered) -> dict[str, Any] | None:
    shares = answered.given.probabilities
    if answered.top is None or shares is None:
        return None
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    logs = [(label, math.log(max(share, LEAST))) for label, share in ranked]
    text, top = answered.given.text, logs[: answered.top]
    own = dict(logs)[text]
    if answered.kind == "text":
        return {"tokens": [text], "token_logprobs": [own], "top_logprobs": [dict(top)], "text_offset": [0]}
    return {"content": [{**_token(text, own), "top_logprobs": [_token(*one) for one in top]}], "refusal": None}


def _token(label: str, log: float) -> dict[str, Any]:
    return {"token": label, "logprob": log, "bytes": list(label.encode())}


def _event(body: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"
