"""Text written for another tool, as a template of ours: ``{{x}}``, Jinja, ``<x>``, promptfoo's YAML, JSON's own braces.

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
from fedprompt.prompts.habits import Offer, double_braces, offered, positional
from fedprompt.prompts.template import Demonstrations, Template

__all__ = ["Conversion", "conversion_of", "fieldless", "rewriting_of"]

MAX_CHARACTERS = 200_000
_DOUBLE = re.compile(r"\{\{\s*[A-Za-z_]\w*\s*\}\}|\{%|\{#")
_NAMED = re.compile(r"\{\{[^{}\w]*(?:\w+\.)*([A-Za-z_]\w*)")
_PROMPTFOO = re.compile(r"^prompts\s*:", re.M)
_COMMON = ("text", "input", "question", "review", "sentence", "document", "message", "query", "content", "context")
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
        template = Template("pasted", text=text)
    except PromptError:
        return _json(text)
    found = None if template.variables else offered(text, _COMMON) or positional(text, _COMMON[0])
    return None if found is None else Conversion("a text for another tool", (Template("pasted", text=found.text),))


def rewriting_of(text: str, fields: Sequence[str]) -> Offer | None:
    """Return how a study's template would show the case, None where it does or nothing is seen that was meant to.

    Args:
        text: of a template that is read by itself, or of its only message.
        fields: the study's.
    """
    try:
        shows = any(name in fields for name in Template("asked", text=text, demonstrations=_shots(text)).variables)
    except PromptError:
        return None
    return double_braces(text, fields) if shows else offered(text, fields)


def fieldless(template: Template) -> str | None:
    """Return why a prompt shows no text of a row, None where it has a field."""
    if template.variables:
        return None
    sources = [template.text or ""] if template.messages is None else [one.content for one in template.messages]
    names = dict.fromkeys(match[1] for source in sources for match in _NAMED.finditer(source))
    found = next(filter(None, (double_braces(source, tuple(names)) for source in sources)), None) if names else None
    if found is not None:
        return (
            f"the prompt '{template.name}' shows no text: {found.found[:80]} is plain text here; write a field "
            f"as {{{found.field}}}"
        )
    return f"the prompt '{template.name}' has no field, so it asks the same of every row"


def _shots(text: str) -> Demonstrations | None:
    return Demonstrations(1) if "{demonstrations}" in text else None


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
