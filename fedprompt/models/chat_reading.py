"""Reads a provider's message and a provider's exception; what is not of the form expected is a malformed answer."""

import math
from typing import Any

from fedprompt.models.chat import ChatReply, Failure, Options, Usage

__all__ = ["MOST_TOP", "failure_of", "read_reply"]

MOST_TOP = 20  # what the chat completions protocol allows


def read_reply(message: Any, options: Options) -> ChatReply:
    """Return what a LangChain message says, or why it says nothing."""
    meta = message.response_metadata or {}
    content = message.content
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content if isinstance(part, dict))
    if not isinstance(content, str):
        return ChatReply("", failure="malformed answer")
    if meta.get("finish_reason") == "content_filter" or message.additional_kwargs.get("refusal"):
        return ChatReply("", failure="answer withheld")
    for mark in options.stop:  # what the server did not stop at
        content = content.split(mark, 1)[0]
    counted = message.usage_metadata
    usage = None if not counted else Usage(int(counted["input_tokens"]), int(counted["output_tokens"]))
    return ChatReply(content, usage, _first(meta.get("logprobs")) if options.top else None)


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
    if any("Refusal" in name or "ContentFilter" in name for name in names):
        return "answer withheld"
    return "malformed answer"
