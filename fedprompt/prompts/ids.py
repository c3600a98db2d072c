"""Content ids: a tag and a blake2b-128 of canonical bytes, so that the same thing has the same name everywhere.

Canonical JSON is UTF-8 with sorted keys, no spaces, and no NaN or infinity. Two values with equal canonical bytes are
the same value; a change of one byte gives another id.
"""

import hashlib
import json
from typing import Any

__all__ = ["canonical_json", "content_id"]


def canonical_json(value: Any) -> bytes:
    """Return the one byte string that stands for a JSON value.

    Raises:
        ValueError: the value holds NaN or infinity, or is not JSON.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def content_id(tag: str, content: bytes) -> str:
    """Return ``tag:`` and 32 hexadecimal digits, the blake2b-128 of ``content`` personalised by the tag."""
    return f"{tag}:{hashlib.blake2b(content, digest_size=16, person=tag.encode()[:16]).hexdigest()}"
