"""Several prompts in a format that holds one at a time: a zip or a folder with a folder for each prompt."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fedprompt.errors import ExportError
from fedprompt.exports.documents import document_name
from fedprompt.exports.protocol import ExportContext, Exported, Format, Snippet
from fedprompt.exports.writing import publishing

__all__ = ["goes_alone", "use_each", "write_each"]


def goes_alone(known: Format, items: Sequence[Exported]) -> bool:
    """Return whether these prompts need a folder each."""
    return len(items) > 1 and not known.many


def write_each(known: Format, items: Sequence[Exported], destination: Path, contexts: Sequence[ExportContext]) -> Path:
    """Write each prompt into a folder of its own, called after its id; ``contexts`` are those of the prompts in order.

    Raises:
        ExportError: a prompt is refused, or the destination cannot be written or is a single file.
    """
    if destination.suffix and destination.suffix.lower() != ".zip":
        raise ExportError(
            f"{destination}: {known.title} holds one prompt per file, but {len(items)} are chosen; give a "
            "folder or a .zip, which gets a folder for each",
            code="one-prompt-only",
        )
    with publishing(destination) as folder:
        for item, context in zip(items, contexts, strict=True):
            known.write([item], folder / document_name(item, ""), context)
    return destination


def use_each(known: Format, items: Sequence[Exported], name: str) -> Snippet:
    """Return the lines that use the first prompt, and where the others lie."""
    first = known.use(items[:1], document_name(items[0], ""))
    where = f"Each prompt has a folder, named after its id. These lines are for `{document_name(items[0], '')}`."
    return replace(first, note=f"{where} {first.note.strip()}".strip(), inside=True)
