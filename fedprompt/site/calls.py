"""Calls to a chat model on another machine leave the site too: one ledger entry a run, on disk before the first call.

The entry names the host, how many cases and calls, and how many bytes of text, with their digest; never a text. What a
retry sends again is not counted again.
"""

import hashlib
from collections.abc import Iterable, Sequence

from fedprompt.models.chat.protocol import ChatTurn
from fedprompt.site.ledger import Entry, Ledger, Sent

__all__ = ["record_calls"]


def record_calls(
    ledger: Ledger, *, study: str, host: str, cases: int, conversations: Iterable[Sequence[ChatTurn]]
) -> Entry:
    """Write what is about to be sent.

    Raises:
        LedgerError: the ledger cannot be written, so nothing may be sent.
    """
    digest, size, calls = hashlib.sha256(), 0, 0
    for conversation in conversations:
        calls += 1
        for turn in conversation:
            text = turn.text.encode("utf-8", "surrogatepass")
            size += len(text)
            digest.update(b"%d:%s" % (len(text), text))
    return ledger.append(
        decision="call",
        study=study,
        message={"verb": "call", "host": host, "cases": cases, "calls": calls, "bytes": size},
        arrays={},
        data=Sent(size, digest.hexdigest()),
    )
