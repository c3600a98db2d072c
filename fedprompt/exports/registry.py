"""The formats by name. Adding one is a file of its own and a line here.

A file is taken for the first format that recognises it, so the special come before the general.
"""

from pathlib import Path

from fedprompt.errors import ExportError, did_you_mean
from fedprompt.exports.archive import open_archive
from fedprompt.exports.bundle import Bundle
from fedprompt.exports.protocol import Format
from fedprompt.exports.scores.csv_scores import CsvScores
from fedprompt.exports.scores.parquet_scores import ParquetScores
from fedprompt.exports.texts.dotprompt import Dotprompt
from fedprompt.exports.texts.hf_templates import HFTemplates
from fedprompt.exports.texts.langchain import LangChain
from fedprompt.exports.texts.langfuse import Langfuse
from fedprompt.exports.texts.markdown import Markdown
from fedprompt.exports.texts.promptfoo import Promptfoo
from fedprompt.exports.texts.prompty import Prompty
from fedprompt.exports.vectors.any_slot import AnySlot
from fedprompt.exports.vectors.peft import Peft
from fedprompt.exports.vectors.peft_adapter import PeftAdapter
from fedprompt.exports.vectors.vllm import Vllm

__all__ = ["format_named", "format_of", "formats"]

_FORMATS: tuple[Format, ...] = (
    Bundle(),
    PeftAdapter(),
    Peft(),
    AnySlot(),
    Vllm(),
    Promptfoo(),
    Langfuse(),
    LangChain(),
    Prompty(),
    Dotprompt(),
    HFTemplates(),
    CsvScores(),
    ParquetScores(),
    Markdown(),
)
_SINGLE = (".json", ".yaml", ".yml", ".prompty", ".prompt", ".csv", ".parquet", ".md", ".txt", ".j2", ".jsonl")


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
    raise ExportError(
        f"unknown format '{name}'{did_you_mean(name, names)}; available: {', '.join(names)}", code="unknown-format"
    )


def format_of(path: Path) -> Format:
    """Return the format that a file or folder looks like.

    Raises:
        ExportError: it is not there, is hostile, or looks like none.
    """
    try:
        if path.is_dir():
            names = frozenset(entry.name for entry in path.iterdir())
        elif path.suffix.lower() in _SINGLE:
            if not path.is_file():
                raise ExportError(f"{path} does not exist", code="no-such-file")
            names = frozenset({path.name})
        else:
            with open_archive(path) as archive:
                names = frozenset(archive.names)
    except OSError as error:
        raise ExportError(f"{path} cannot be read ({error.strerror})", code="cannot-read") from error
    for known in sorted(_FORMATS, key=lambda one: one.name == "langchain"):  # which takes any JSON, so it is asked last
        if known.recognises(path, names):
            return known
    titles = ", ".join(known.title for known in _FORMATS)
    raise ExportError(
        f"{path} is not a format that fedprompt can import; its formats are {titles}", code="nothing-to-import"
    )
