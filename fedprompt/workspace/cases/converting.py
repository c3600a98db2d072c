"""Text written for another tool, as a template of ours: ``{{x}}``, Jinja, promptfoo's YAML, and JSON's own braces.

Nothing is converted unasked: a page shows what would come of it first. The reading is that of the import formats.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from fedprompt.errors import ExportError, FedPromptError, PromptError
from fedprompt.exports.protocol import ImportContext
from fedprompt.exports.registry import format_named
from fedprompt.exports.syntax import f_string, read_braces
from fedprompt.prompts.template import Template

__all__ = ["Conversion", "conversion_of"]

MAX_CHARACTERS = 200_000
_DOUBLE = re.compile(r"\{\{\s*[A-Za-z_]\w*\s*\}\}|\{%|\{#")
_PROMPTFOO = re.compile(r"^prompts\s*:", re.M)
_FIELD = re.compile(r"\{[A-Za-z_]\w*\}")


@dataclass(frozen=True)
class Conversion:
    """What the text seems to be written for, and the templates it would become; else ``problem``, why it cannot."""

    origin: str
    templates: tuple[Template, ...]
    problem: str | None = None
    notes: tuple[str, ...] = ()


def conversion_of(text: str) -> Conversion | None:
    """Return how a text would become a template, None where it is one already or nothing is known to do."""
    if len(text) > MAX_CHARACTERS:
        return None
    if _PROMPTFOO.search(text):
        return _promptfoo(text)
    if _DOUBLE.search(text):
        return _double(text)
    try:
        Template("pasted", text=text)
    except PromptError:
        return _json(text)
    return None


def _promptfoo(text: str) -> Conversion:
    origin = "promptfoo's YAML"
    with TemporaryDirectory(prefix="fedprompt-") as folder:  # mode 0700
        path = Path(folder) / "pasted.yaml"
        path.write_text(text, encoding="utf-8", errors="replace")
        try:
            found = format_named("promptfoo").read(path, ImportContext())
        except ExportError as error:
            return Conversion(origin, (), str(error).replace(str(path), "the pasted text"))
    notes = dict.fromkeys(note.replace(str(path), "the pasted text") for one in found for note in one.dropped)
    return Conversion(origin, tuple(one.prompt.template for one in found), notes=tuple(notes))


def _double(text: str) -> Conversion:
    origin = "Jinja, Handlebars or Langfuse"
    try:
        return Conversion(origin, (Template("pasted", text=f_string(read_braces(text, "the pasted text"))),))
    except FedPromptError as error:
        return Conversion(origin, (), str(error))


def _json(text: str) -> Conversion | None:
    """Return the text with every brace doubled that is not a field's."""
    doubled = "".join(_doubled(part, field) for part, field in _parts(text))
    try:
        template = Template("pasted", text=doubled)
    except PromptError:
        return None
    return Conversion("JSON or other text with braces", (template,))


def _parts(text: str) -> Sequence[tuple[str, bool]]:
    parts: list[tuple[str, bool]] = []
    at = 0
    for match in _FIELD.finditer(text):
        parts += [(text[at : match.start()], False), (match[0], True)]
        at = match.end()
    return [*parts, (text[at:], False)]


def _doubled(part: str, field: bool) -> str:
    return part if field else part.replace("{", "{{").replace("}", "}}")
