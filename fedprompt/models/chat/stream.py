"""One call to a chat model whose answer comes piece by piece.

Invariant: an answer that breaks off is never taken for a whole one. The client's own retries end where an answer
begins, so one that breaks off later is asked for again here, as often as the settings say, from its start.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from fedprompt.models.chat.protocol import Options
from fedprompt.models.chat.reading import content_text, failure_of, until_stop
from fedprompt.stopping import NEVER, StopToken

__all__ = ["stream_reply"]

FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 8.0
MOST_CHARACTERS_A_TOKEN = 64  # a server that goes on past what was asked for is left


def stream_reply(
    client: Any,
    messages: list[Any],
    options: Options,
    more: Mapping[str, Any],
    told: Callable[[str], None],
    *,
    retries: int,
    ends: bool,
    stop: StopToken = NEVER,
) -> Any:
    """Return the whole message of a LangChain client, which was told piece by piece.

    Args:
        told: gets the text so far, without what follows a stop string.
        retries: how often an answer that breaks off after it began is asked for again.
        ends: whether the protocol says at the end of an answer that it has ended.
        stop: looked at between two pieces, and while an answer is waited for again.

    Raises:
        Exception: what the provider's client raises; see :func:`~fedprompt.models.chat.reading.failure_of`.
    """
    attempt = 0
    while True:
        pieces: list[Any] = []
        try:
            return _once(client, messages, options, more, told, pieces, ends, stop)
        except Exception as error:
            again = failure_of(error) in ("no connection", "timeout", "server error")
            if not (pieces and again) or attempt == retries:
                raise
        told("")
        stop.sleep(min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**attempt))
        attempt += 1


def _once(
    client: Any,
    messages: list[Any],
    options: Options,
    more: Mapping[str, Any],
    told: Callable[[str], None],
    pieces: list[Any],
    ends: bool,
    stop: StopToken,
) -> Any:
    text, bound = "", max(4096, options.max_tokens * MOST_CHARACTERS_A_TOKEN)
    with closing(client.stream(messages, config={"callbacks": []}, **more)) as stream:
        for piece in stream:
            stop.check()
            pieces.append(piece)
            if said := content_text(piece.content) or "":
                text += said
                told(until_stop(text, options.stop))
            if len(text) > bound:
                raise ValueError("the answer does not end")
    whole = pieces[0] + pieces[1:] if len(pieces) > 1 else pieces[0]
    if ends and not (whole.response_metadata or {}).get("finish_reason"):
        raise ValueError("the answer may be incomplete")
    return whole
