"""How values stand in the bank's columns: JSON and ISO 8601 times in UTC as text, vectors as safetensors."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.bank.rows import JSON
from fedprompt.errors import BankError
from fedprompt.prompts.ids import canonical_json

__all__ = ["MAX_JSON_CHARACTERS", "from_blob", "from_json", "from_time", "now", "plain", "to_blob", "to_json"]

MAX_JSON_CHARACTERS = 64 * 1024 * 1024
TENSOR = "vectors"


def now() -> str:
    """Return the time as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def from_time(text: str) -> datetime:
    """Return a stored time."""
    return datetime.fromisoformat(text)


def plain(text: str) -> str:
    """Return text for a column that people search, without the NUL that PostgreSQL takes in no text."""
    return text.replace("\0", "\ufffd")


def to_json(value: Mapping[str, JSON] | list[Any], what: str) -> str:
    """Return canonical JSON; ``what`` names the value in the message.

    Raises:
        BankError: it is not JSON, holds NaN or infinity, or is too large.
    """
    try:
        text = canonical_json(dict(value) if isinstance(value, Mapping) else value).decode()
    except (TypeError, ValueError) as error:
        raise BankError(
            f"{what} cannot be saved in the bank: it is not plain JSON ({error})", code="not-json"
        ) from error
    if len(text) > MAX_JSON_CHARACTERS:
        raise BankError(
            f"{what} cannot be saved in the bank: it is longer than {MAX_JSON_CHARACTERS:,} characters",
            code="too-large",
        )
    return text


def from_json(text: str | None) -> Any:
    """Return a stored value, None where there is none."""
    return None if text is None else json.loads(text)


def to_blob(vectors: NDArray[np.float32]) -> bytes:
    """Return [tokens, width] float32 vectors as a safetensors file."""
    from safetensors.numpy import save

    return bytes(save({TENSOR: np.ascontiguousarray(vectors)}))


def from_blob(blob: bytes, what: str) -> NDArray[np.float32]:
    """Return the [tokens, width] float32 vectors of a safetensors file.

    Raises:
        BankError: it is not one, or holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(blob)
    except (SafetensorError, ValueError, KeyError) as error:
        raise BankError(
            f"{what}: its vectors are damaged; 'fedprompt bank verify' lists the damage", code="damaged"
        ) from error
    if set(tensors) != {TENSOR} or tensors[TENSOR].dtype != np.float32:
        raise BankError(f"{what}: its vectors are damaged; 'fedprompt bank verify' lists the damage", code="damaged")
    return np.asarray(tensors[TENSOR], np.float32)
