"""The model card by itself: a Markdown page about prompts, for a repository or a wiki."""

from collections.abc import Sequence
from pathlib import Path

from fedprompt.errors import ExportError
from fedprompt.exports.card import card
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.writing import publishing, write_one, write_text

__all__ = ["Markdown"]


class Markdown:
    """Tells of any prompts."""

    name = "card"
    title = "Model card"
    description = "A Markdown page: purpose, tuning data, scores, privacy, and how to load."
    suffix = ".md"
    many = True
    needs_model = False

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return what is lost: vectors and tools."""
        if item.prompt.template.tools:
            return (f"'{item.name}': a page does not list its tools; take a bundle with it",)
        if item.prompt.soft is None:
            return ()
        return (f"'{item.name}': a page has no vectors; also export a bundle",)

    def refuses(self, item: Exported) -> Refusal | None:
        """Return None: a page tells of every prompt."""
        return None

    def use(self, items: Sequence[Exported], name: str) -> Snippet:
        """Return lines that write what the page is about."""
        prompt = items[0].prompt.id if items else "ID"
        return Snippet("bash", f"fedprompt export {prompt} --format bundle --out prompts.zip", _NOTE)

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write one ``.md`` file, or a folder or zip with it as README.md.

        Raises:
            ExportError: no prompts, or the destination cannot be written.
        """
        if not items:
            raise ExportError(f"{destination}: there is no prompt to write", code="no-prompt")
        text = card(items[0].name if len(items) == 1 else "Prompts", self.use(items, ""), items, context)
        if destination.suffix.lower() == self.suffix:
            write_one(destination, text.encode())
            return destination
        with publishing(destination) as folder:
            write_text(folder / "README.md", text)
        return destination

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether it is a ``.md`` file or holds README.md alone."""
        return path.suffix.lower() == self.suffix or names == {"README.md"}

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Refuse: a page is for people.

        Raises:
            ExportError: always.
        """
        raise ExportError(f"{path}: a model card is only for people; import its bundle instead", code="no-prompt")


_NOTE = "This page is for people; its bundle has the prompt."
