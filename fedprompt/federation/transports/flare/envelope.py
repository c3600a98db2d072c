"""What NVFLARE carries back: a dictionary with a reply's bytes, and its ledger's head and trail."""

import re
from collections.abc import Mapping
from typing import Any

from fedprompt.errors import EgressRefused
from fedprompt.trust.chain import MAX_TRAIL
from fedprompt.verbs.wire import MAX_REPLY_BYTES

__all__ = ["checked_reply"]

_HASH = re.compile(r"[0-9a-f]{64}")


def checked_reply(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a new dictionary with exactly ``data``, ``head`` and ``trail``.

    Raises:
        EgressRefused: something else is there, or one of them is not what it should be.
    """
    if set(found) != {"data", "head", "trail"}:
        raise EgressRefused("a reply's envelope has something other than data, head and trail", code="not-an-envelope")
    data, head, trail = found["data"], found["head"], found["trail"]
    if not isinstance(data, bytes) or len(data) > MAX_REPLY_BYTES:
        raise EgressRefused("a reply's envelope has no bytes, or too many", code="not-an-envelope")
    if not isinstance(trail, list) or len(trail) > MAX_TRAIL:
        raise EgressRefused("a reply's trail is not a list, or too long", code="not-an-envelope")
    if not all(isinstance(word, str) and _HASH.fullmatch(word) for word in (head, *trail)):
        raise EgressRefused("a reply's head or trail is not a hash", code="not-an-envelope")
    return {"data": data, "head": head, "trail": list(trail)}
