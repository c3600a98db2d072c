"""Reads a prompt-templates file of the Hugging Face Hub, YAML or JSON, ours or another's.

The library fills in Jinja unless it is told otherwise, with ``trim_blocks`` and ``lstrip_blocks``; its other readers
(``single_brace_regex``, ``double_brace_regex``) are known only by what a file declares. Invariant: the variables that
a file declares are those that its template shows, or the file is refused, as the library does. Source:
``prompt_templates`` 0.0.16, ``populators.py`` and ``prompt_templates.py``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.document_text import Document, parse_json, parse_yaml, text_of, texts_in
from fedprompt.exports.documents import KEY, left_out, name_of, revive
from fedprompt.exports.protocol import Imported
from fedprompt.exports.syntax import Part, Variable, append, f_string
from fedprompt.exports.texts.chat import read_messages, tell
from fedprompt.exports.texts.jinja_reading import ReadText, read_jinja

__all__ = ["READ_SUFFIXES", "is_templates_json", "read_templates"]

READ_SUFFIXES = (".yaml", ".yml", ".json")
MAX_TEMPLATES = 1000
_SINGLE = re.compile(r"(?<!\{)\{([^{}]+)\}(?!\})")
_READ = frozenset({"template", "messages", "template_variables", "metadata"})


def is_templates_json(content: bytes) -> bool:
    """Return whether a file's content is JSON with a template under the key ``prompt``."""
    try:
        value = json.loads(content.removeprefix(b"\xef\xbb\xbf") or b"null")
    except (ValueError, RecursionError):
        return False
    prompt = value.get("prompt") if isinstance(value, dict) else None
    return isinstance(prompt, dict) and bool({"template", "messages", "template_dictionary"} & set(prompt))


def read_templates(document: Document) -> tuple[Imported, ...]:
    """Return the prompts of a file: one, or each of its ``template_dictionary``.

    Raises:
        ExportError: no such file, a template that is a program, or a message that is no text.
    """
    where = document.where
    is_json = where.lower().endswith(".json")
    value = parse_json(document) if is_json else parse_yaml(text_of(document), where)
    prompt = value.get("prompt") if isinstance(value, Mapping) else None
    if not isinstance(prompt, Mapping):
        raise ExportError(
            f"{where} has no key 'prompt' at its top, so it is not a prompt-templates file", code="not-this-format"
        )
    beside = tuple(sorted(str(key) for key in value if key != "prompt"))
    several = prompt.get("template_dictionary")
    if several is None:
        return (_revive(prompt, where, document.stem, beside),)
    if not isinstance(several, Mapping) or not 0 < len(several) <= MAX_TEMPLATES:
        raise ExportError(f"{where}: its template_dictionary holds no templates by name", code="not-this-format")
    beside += tuple(sorted(str(key) for key in prompt if key != "template_dictionary" and prompt[key]))
    found = []
    for key, one in several.items():
        if not isinstance(one, Mapping):
            raise ExportError(
                f"{where}: '{str(key)[:60]}' of its template_dictionary is not a template", code="not-well-formed"
            )
        found.append(_revive(one, f"{where}, {str(key)[:60]}", str(key), beside))
    return tuple(found)


def _revive(prompt: Mapping[Any, Any], where: str, stem: str, beside: Sequence[str]) -> Imported:
    metadata = prompt.get("metadata") if isinstance(prompt.get("metadata"), Mapping) else {}
    assert isinstance(metadata, Mapping)
    ours = KEY in metadata
    keys = sorted(str(key) for key in prompt if key not in _READ and prompt[key])
    if any(key != "name" for key in metadata):
        keys.append("metadata")
    told = [] if ours else list(left_out(where, [*keys, *beside]))
    name = name_of(metadata.get("name"), stem)
    body = prompt.get("template", prompt.get("messages"))
    declared = _declared(prompt.get("template_variables"), where)
    single = _is_single(body, declared)
    shown: set[str] = set()

    def read(text: str, place: str) -> str:
        found = ReadText(_single(text, declared)) if single else read_jinja(text, f"{place}, template", trimmed=True)
        if found.comments:
            tell(told, f"{where}: the comments in its template were left out")
        shown.update(part.name for part in found.parts if isinstance(part, Variable))
        return f_string(found.parts)

    if single:
        told.append(f"{where}: '{{name}}' was read as a variable, since template_variables names what is in braces")
    if not isinstance(body, str | list):
        raise ExportError(f"{where}: its template is neither a text nor a list of messages", code="no-text")
    text = read(body, where) if isinstance(body, str) else None
    messages = read_messages(body, where, read, told) if isinstance(body, list) else None
    if missing := [name for name in declared if name not in shown]:
        raise ExportError(
            f"{where}: template_variables names '{missing[0][:60]}', which its template does not show as "
            f"'{{{{{missing[0][:60]}}}}}'; write it there, or take the name out of the list",
            code="variable-not-shown",
        )
    if declared and (stray := sorted(shown - set(declared))):
        told.append(f"{where}: its template shows '{stray[0][:60]}', which its template_variables does not name")
    return revive(metadata, text, messages, where, name, told)


def _declared(variables: Any, where: str) -> list[str]:
    if not variables:
        return []
    if not isinstance(variables, list) or not all(isinstance(one, str) for one in variables):
        raise ExportError(
            f"{where}: its template_variables is not a list of names; put names in quotes", code="not-well-formed"
        )
    return [str(one) for one in variables]


def _is_single(body: Any, declared: Sequence[str]) -> bool:
    """Return whether a file declares what stands in single braces, and shows nothing that Jinja would fill in."""
    texts = texts_in(body)
    if not declared or any("{{" in text or "{%" in text for text in texts):
        return False
    return set(declared) <= {match.strip() for text in texts for match in _SINGLE.findall(text)}


def _single(text: str, names: Sequence[str]) -> tuple[Part, ...]:
    found: list[Part] = []
    at = 0
    for match in _SINGLE.finditer(text):
        if (name := match[1].strip()) in names:
            append(found, text[at : match.start()])
            found.append(Variable(name))
            at = match.end()
    append(found, text[at:])
    return tuple(found)
