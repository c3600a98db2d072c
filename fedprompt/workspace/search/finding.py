"""Searching by meaning from a page: the encoder runs in the job process, and the page gets ids and likeness."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fedprompt.errors import FedPromptError
from fedprompt.models.assets.catalogue import installed
from fedprompt.models.sentence_encoder import ENCODER
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.home import Home
from fedprompt.workspace.progress import Report, quiet
from fedprompt.workspace.search.searching import Found, search
from fedprompt.workspace.workspace import Workspace

__all__ = ["LONGEST_QUERY", "FoundPrompt", "FoundPrompts", "can_search", "run_search"]

LONGEST_QUERY, MOST = 500, 100


def can_search(home: Home) -> bool:
    """Return whether the encoder is there; looks at names alone."""
    return ENCODER in installed(home.path)


@dataclass(frozen=True)
class FoundPrompt:
    """A prompt and its likeness to what was searched for, 1 for the same."""

    id: str
    similarity: float


@dataclass(frozen=True)
class FoundPrompts:
    """The prompts that were found, the nearest first."""

    found: tuple[FoundPrompt, ...]


def run_search(
    ws: Workspace, arguments: Mapping[str, Any], report: Report = quiet, stop: StopToken = NEVER
) -> FoundPrompts:
    """Return the prompts nearest to a text or to a prompt.

    Args:
        ws: the workspace.
        arguments: ``text`` or ``like`` (a prompt's id), and ``limit`` of 1 to 100.
        report: hears how far the indexing is.
        stop: looked at while it goes on.

    Raises:
        FedPromptError: the text is empty or too long, or a limit out of bounds.
        AssetError, ModelError: the encoder is not there, or cannot be loaded.
    """
    limit = int(arguments["limit"])
    if arguments.get("like") is not None and 1 <= limit <= MOST:
        found = search(ws, like=str(arguments["like"]), limit=limit, report=report, stop=stop)
        return _told(found)
    text = str(arguments.get("text", "")).strip()
    if not 1 <= len(text) <= LONGEST_QUERY or not 1 <= limit <= MOST:
        raise FedPromptError(
            f"search with 1 to {LONGEST_QUERY} characters, for 1 to {MOST} prompts", code="search-bounds"
        )
    found = search(ws, text, limit=limit, report=report, stop=stop)
    return _told(found)


def _told(found: Sequence[Found]) -> FoundPrompts:
    return FoundPrompts(tuple(FoundPrompt(one.prompt.id, one.similarity) for one in found))
