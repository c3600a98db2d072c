"""Reads a provider's message and a provider's exception; what is not of the form expected is a malformed answer."""

import json
import math
from collections.abc import Sequence
from typing import Any

from fedprompt.models.chat.protocol import ChatReply, Failure, Options, ToolCall, Usage

__all__ = ["MOST_TOP", "content_text", "failure_of", "read_reply", "until_stop"]

MOST_CALLS, LONGEST_ARGUMENTS = 64, 100_000
MOST_TOP = 20  # what the chat completions protocol allows


def read_reply(message: Any, options: Options) -> ChatReply:
    """Return what a LangChain message says, or why it says nothing."""
    meta = message.response_metadata or {}
    content = content_text(message.content)
    if content is None:
        return ChatReply("", failure="malformed answer")
    if meta.get("finish_reason") == "content_filter" or message.additional_kwargs.get("refusal"):
        return ChatReply("", failure="answer withheld")
    content = until_stop(content, options.stop)
    counted = message.usage_metadata
    usage = None if not counted else Usage(int(counted["input_tokens"]), int(counted["output_tokens"]))
    first = _first(meta.get("logprobs")) if options.top else None
    return ChatReply(content, usage, first, calls=_calls(message) if options.tools else ())


def _calls(message: Any) -> tuple[ToolCall, ...]:
    """Return the tools that the model asks for; arguments that are no JSON stay the text that they are."""
    found = []
    for one in getattr(message, "tool_calls", None) or ():
        found.append(ToolCall(str(one.get("name") or "")[:200], _shown(one.get("args"))))
    for one in getattr(message, "invalid_tool_calls", None) or ():
        found.append(ToolCall(str(one.get("name") or "")[:200], _shown(one.get("args"))))
    return tuple(found[:MOST_CALLS])


def _shown(arguments: Any) -> str:
    if isinstance(arguments, str):
        return arguments[:LONGEST_ARGUMENTS]
    return json.dumps(arguments, ensure_ascii=False, default=str)[:LONGEST_ARGUMENTS]


def content_text(content: Any) -> str | None:
    """Return the text of a message's content, None where it is of no form that is known."""
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else None


def until_stop(text: str, marks: Sequence[str]) -> str:
    """Return a text up to the first stop string in it, where the server did not stop."""
    for mark in marks:
        text = text.split(mark, 1)[0]
    return text


def _first(logprobs: Any) -> tuple[tuple[str, float], ...] | None:
    """Return the first token's likeliest candidates, None where the server gave none that can be read."""
    try:
        listed = logprobs["content"][0]["top_logprobs"]
        found = [(entry["token"], float(entry["logprob"])) for entry in listed[:MOST_TOP]]
    except (TypeError, KeyError, IndexError, ValueError):
        return None
    usable = tuple(
        (token, min(value, 0.0)) for token, value in found if isinstance(token, str) and not math.isnan(value)
    )
    return usable or None


def failure_of(error: Exception) -> Failure:
    """Return what kind of failure an exception of a provider's client is; its text is not looked at."""
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int):
        if status in (401, 403):
            return "key refused"
        if status == 404:
            return "model unknown"
        if status == 408:
            return "timeout"
        if status == 429:
            return "rate limit"
        return "server error" if status >= 500 else "request refused"
    names = {kind.__name__ for kind in type(error).__mro__}
    if any("Timeout" in name for name in names):
        return "timeout"
    if names & {"APIConnectionError", "ConnectionError", "ConnectError", "NetworkError", "TransportError"}:
        return "no connection"
    if type(error).__name__ == "APIError":  # an error that the server told in the middle of its answer
        return "server error"
    if any("Refusal" in name or "ContentFilter" in name for name in names):
        return "answer withheld"
    return "malformed answer"
