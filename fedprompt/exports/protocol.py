"""What an export format is, and the values that cross its seam.

Invariant: a format either holds a prompt so that it answers the same elsewhere, or refuses it with a reason
and the name of the format to take.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from fedprompt.prompts.prompt import Prompt
from fedprompt.study.schema import Study

__all__ = ["ExportContext", "Exported", "Format", "ImportContext", "Imported", "Reading", "Refusal"]


@dataclass(frozen=True)
class Reading:
    """How an answer is read, and the score the prompt gets read that way.

    ``words``: label -> the continuation that means it, empty where the answer is free text; ``how``:
    sentences; ``scores``: site -> value on ``split``; ``mean`` over the sites with its 95 % interval ``low``
    to ``high``. All of the score is empty or None where there is none.
    """

    words: Mapping[str, str]
    how: str
    metric: str
    scores: Mapping[str, float] = field(default_factory=dict)
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    split: str | None = None


@dataclass(frozen=True)
class Exported:
    """One prompt to be written, the study it comes from if any, and how its answers are read."""

    prompt: Prompt
    name: str
    study: Study | None
    reading: Reading


@dataclass(frozen=True)
class ExportContext:
    """The model that the prompts run on: its folder if it is on this machine, its name and its digest."""

    model_folder: Path | None
    model_name: str
    model_digest: str


@dataclass(frozen=True)
class Refusal:
    """Why a format cannot hold a prompt, and the name of one that can."""

    reason: str
    instead: str


@dataclass(frozen=True)
class Imported:
    """One prompt that was read, what the file says besides, and a sentence for each thing left out."""

    prompt: Prompt
    notes: Mapping[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportContext:
    """``digest_of``: the digest of a model by name, None where the model is not on this machine."""

    digest_of: Callable[[str], str | None] = lambda name: None


class Format(Protocol):
    """One format.

    ``many``: whether one file holds several prompts; ``needs_model``: whether the model is copied with it.
    """

    name: str
    title: str
    description: str
    suffix: str
    many: bool
    needs_model: bool

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why this format cannot hold a prompt, or None if it can."""
        ...

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write prompts to a folder, or to a file where the destination ends in ``.zip``; return where.

        Raises:
            ExportError: a prompt is refused, the destination is taken, or the disk is full.
        """
        ...

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether a file or folder, with these names in it, looks like this format."""
        ...

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read prompts back.

        Raises:
            ExportError: the file is damaged, hostile, or of a newer version.
        """
        ...
