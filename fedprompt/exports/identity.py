"""The prompt itself as JSON, beside or inside a format that would otherwise forget its text.

So a format that other tools read gives back the same prompt, id and all, when fedprompt reads it.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints

from fedprompt.boundary.checked import Bounds, Unfit, checked_json, checked_value
from fedprompt.errors import ExportError, PromptError
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.schema import Closed

__all__ = ["FILE", "MAX_IDENTITY_BYTES", "Identity", "identity_of", "prompt_of"]

FILE = "fedprompt.json"
MAX_IDENTITY_BYTES = 4 * 1024 * 1024
_ONE_PROMPT = Bounds(MAX_IDENTITY_BYTES, values=20_000, nested=4_000, members=1_000, depth=32)


class Identity(Closed):
    """A prompt's id, name and canonical JSON; the vectors stand elsewhere."""

    version: Literal[1]
    id: Annotated[str, Field(pattern=r"^p1:[0-9a-f]{32}$")]
    name: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    canonical: dict[str, Any]


def identity_of(prompt: Prompt, name: str) -> dict[str, Any]:
    """Return the JSON value."""
    return {"version": 1, "id": prompt.id, "name": name, "canonical": prompt.canonical()}


def prompt_of(
    found: Mapping[str, Any] | bytes,
    vectors: NDArray[np.float32] | None,
    where: str,
    arrays: Mapping[str, NDArray[np.float32]] | None = None,
) -> Prompt:
    """Return the prompt of a JSON value or its text.

    Args:
        found: it.
        vectors: [tokens, width] float32 of a soft prompt, or None.
        where: begins the message of an error.
        arrays: of an adapter, or None.

    Raises:
        ExportError: it is not one, or its id is not that of its content; ``where`` begins the message.
    """
    try:
        if isinstance(found, bytes):
            identity = checked_json(Identity, found, _ONE_PROMPT, strict=True)
        else:
            identity = checked_value(Identity, dict(found), _ONE_PROMPT, strict=True)
    except Unfit as error:
        raise ExportError(
            f"{where}: its description of the prompt is not valid ({error}); refused", code="not-well-formed"
        ) from None
    try:
        prompt = Prompt.from_canonical(identity.name, identity.canonical, vectors, arrays)
    except (PromptError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ExportError(f"{where}: its prompt is not valid ({error})", code="not-well-formed") from error
    if prompt.id != identity.id:
        raise ExportError(
            f"{where}: its prompt does not match its id {identity.id}; refused",
            code="another-content",
        )
    return prompt
