"""The formats by name. Adding one is a file of its own and a line here."""

from pathlib import Path

from fedprompt.errors import ExportError, did_you_mean
from fedprompt.exports.any_slot import AnySlot
from fedprompt.exports.archive import open_archive
from fedprompt.exports.bundle import Bundle
from fedprompt.exports.langchain import LangChain
from fedprompt.exports.peft import Peft
from fedprompt.exports.protocol import Format

__all__ = ["format_named", "format_of", "formats"]

_FORMATS: tuple[Format, ...] = (Bundle(), Peft(), AnySlot(), LangChain())


def formats() -> tuple[Format, ...]:
    """Return every format."""
    return _FORMATS


def format_named(name: str) -> Format:
    """Return one format.

    Raises:
        ExportError: there is no such format.
    """
    for known in _FORMATS:
        if known.name == name:
            return known
    names = [known.name for known in _FORMATS]
    raise ExportError(f"unknown format '{name}'{did_you_mean(name, names)}; there are {', '.join(names)}")


def format_of(path: Path) -> Format:
    """Return the format that a file or folder looks like.

    Raises:
        ExportError: it is not there, is hostile, or looks like none.
    """
    if path.is_dir():
        try:
            names = frozenset(entry.name for entry in path.iterdir())
        except OSError as error:
            raise ExportError(f"{path}: cannot be read ({error.strerror})") from error
    elif path.suffix.lower() == ".json":
        names = frozenset({path.name})
    else:
        with open_archive(path) as archive:
            names = frozenset(archive.names)
    for known in _FORMATS:
        if known.recognises(path, names):
            return known
    raise ExportError(
        f"{path}: nothing that fedprompt can import; it reads bundles, PEFT folders with "
        "safetensors, its own any-slot folders and LangChain JSON"
    )
