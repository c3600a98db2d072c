"""Dotprompt (``.prompt``): YAML front matter, then Handlebars with ``{{role "user"}}`` before each message.

Handlebars has no quoted text, so braces and a last space that it would take away are variables with a default value
(``fp_7b`` is ``{``). Dotprompt knows only chat, so a bare completion is sent as one user message and the export says
that its score does not hold there. On the way in no block, partial or helper but ``role`` is read.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.document_text import Document, split_front_matter, yaml_text
from fedprompt.exports.documents import (
    KEY,
    carried,
    dropped_demonstrations,
    fields_of,
    file_of,
    left_out,
    name_of,
    read_documents,
    refuse_soft,
    revive,
    write_documents,
)
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.syntax import HANDLEBARS_PREFIX, Part, Variable, f_string, handlebars, parts_of
from fedprompt.exports.texts.handlebars_reading import Role, read_handlebars
from fedprompt.prompts.template import Message

__all__ = ["Dotprompt"]

TITLE = "Dotprompt"
SUFFIXES = (".prompt",)
_THEIRS = {"user": "user", "system": "system", "assistant": "model"}
_OURS = {theirs: ours for ours, theirs in _THEIRS.items()}
_READ = frozenset({"name", "input"})
_MARKERS = ("<<<dotprompt:role:", "<<<dotprompt:history", "<<<dotprompt:media:", "<<<dotprompt:section")


class Dotprompt:
    """Holds templates as chat messages."""

    name = "dotprompt"
    title = TITLE
    description = "A template as chat messages in a .prompt file, for Dotprompt and Genkit."
    suffix = ".prompt"
    many = True
    needs_model = False

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return what is lost: demonstrations, and that a bare completion is none."""
        found = dropped_demonstrations(item)
        if item.prompt.template.messages is None:
            found += (
                f"'{item.name}' is a bare completion and Dotprompt knows only chat: it is sent as one user "
                "message, so its score may differ",
            )
        return found

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why Dotprompt cannot hold a prompt, or None if it can."""
        if refusal := refuse_soft(item, "Dotprompt"):
            return refusal
        for _, content in _turns(item):
            if not content.strip():
                return Refusal("a message is blank, which Dotprompt removes", "langchain")
            if "<<<dotprompt:" in content:
                return Refusal("its text contains one of Dotprompt's own markers", "langchain")
        if any(name.startswith(HANDLEBARS_PREFIX) for name in item.prompt.template.variables):
            return Refusal(
                f"a field's name starts with {HANDLEBARS_PREFIX}, which is used for escapes here", "langchain"
            )
        return None

    def use(self, items: Sequence[Exported], name: str) -> Snippet:
        """Return lines that fill in the first prompt."""
        code = _CODE.format(file=file_of(items, name, SUFFIXES[0]), fields=json.dumps(fields_of(items[0])))
        return Snippet("python", code, _NOTE)

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write one ``.prompt`` file, or a folder or zip with one a prompt and the model card.

        Raises:
            ExportError: a prompt is refused, or the destination cannot be written.
        """
        return write_documents(
            items,
            destination,
            context,
            title=TITLE,
            suffixes=SUFFIXES,
            use=self.use,
            refuses=self.refuses,
            text=lambda some: _text(some[0], context),
        )

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether it is a ``.prompt`` file or holds one."""
        return path.suffix.lower() in SUFFIXES or any(name.endswith(SUFFIXES) for name in names)

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read prompts back, ours or another's with plain variables.

        Raises:
            ExportError: a template that is a program, or that shows what is no text.
        """
        return tuple(_revive(one) for one in read_documents(path, SUFFIXES))


def _turns(item: Exported) -> list[tuple[str, str]]:
    template = item.prompt.template
    if template.messages is None:
        return [("user", template.text or "")]
    return [(message.role, message.content) for message in template.messages]


def _text(item: Exported, context: ExportContext) -> str:
    turns = _turns(item)
    names = dict.fromkeys(part.name for _, content in turns for part in parts_of(content) if isinstance(part, Variable))
    defaults: dict[str, str] = {}
    body = "".join(f'{{{{role "{_THEIRS[role]}"}}}}' + handlebars(parts_of(text), defaults) for role, text in turns)
    front: dict[str, Any] = {
        "name": item.name,
        "description": f"Written by fedprompt, {item.prompt.id}",
        "input": {"schema": {name: "string" for name in [*names, *sorted(defaults)]}},
        "metadata": {KEY: carried(item, context)},
    }
    if defaults:
        front["input"]["default"] = defaults
    if not item.reading.words:
        front["config"] = {"temperature": 0, "maxOutputTokens": item.reading.decoding["max_tokens"]}
    return f"---\n{yaml_text(front)}---\n{body}\n"


def _revive(document: Document) -> Imported:
    found, where = split_front_matter(document), document.where
    front = found.front
    metadata = front.get("metadata")
    ours = isinstance(metadata, Mapping) and KEY in metadata
    given = front.get("input")
    defaults = given.get("default") if isinstance(given, Mapping) else None
    defaults = defaults if isinstance(defaults, Mapping) else {}
    fixed = {
        key: value
        for key, value in defaults.items()
        if isinstance(key, str) and key.startswith(HANDLEBARS_PREFIX) and isinstance(value, str) and len(value) == 1
    }
    # Dotprompt strips a text under a front matter; the line break at the end of a file without one is its editor's.
    body = found.body.strip()
    line = found.line + found.body[: found.body.index(body)].count("\n")
    parts, comments = read_handlebars(body, where, line=line, constant=fixed.get)
    told = [] if ours else list(left_out(where, [key for key in sorted(front) if key not in _READ and front[key]]))
    if comments:
        told.append(f"{where}: the comments in its template were left out")
    valued = sorted(str(key)[:60] for key in defaults if key not in fixed)
    if valued and not ours:
        shown = ", ".join(f"'{name}'" for name in valued[:5]) + (" and others" if len(valued) > 5 else "")
        told.append(f"{where}: the default values of its fields ({shown}) were left out: a case must give each")
    used = {part.name for part in parts if isinstance(part, Variable)}
    if not ours and (other := sorted(used & _no_texts(given.get("schema") if isinstance(given, Mapping) else None))):
        shown = ", ".join(f"'{name}'" for name in other[:5])
        told.append(f"{where}: {shown} is declared as something else than text, and is a text here")
    messages = _messages(parts, where)
    return revive(metadata, None, messages, where, name_of(front.get("name"), document.stem), told)


def _messages(parts: Sequence[Part | Role], where: str) -> tuple[Message, ...]:
    turns: list[tuple[str, list[Part]]] = [("user", [])]
    for part in parts:
        if isinstance(part, Role):
            turns.append((part.name, []))
        else:
            turns[-1][1].append(part)
    messages = []
    for role, pieces in turns:
        content = f_string(pieces)
        if not content.strip():
            continue
        if role not in _OURS:
            raise ExportError(
                f"{where}: a message of the role '{role[:40]}' cannot be held; Dotprompt's roles are "
                f"{', '.join(sorted(_OURS))}, so write one of them, or remove the message",
                code="message-role",
            )
        if any(marker in content for marker in _MARKERS):
            raise ExportError(
                f"{where}: its text holds one of Dotprompt's own markers, '<<<dotprompt:'; remove it",
                code="reserved-name",
            )
        messages.append(Message(_OURS[role], content))
    if not messages:
        raise ExportError(f"{where} has no message; write a text below its front matter", code="no-message")
    return tuple(messages)


def _no_texts(schema: Any) -> set[str]:
    """Return the names that a Picoschema or a JSON schema declares as something else than text."""
    if not isinstance(schema, Mapping):
        return set()
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        kinds = {key: one.get("type") if isinstance(one, Mapping) else None for key, one in properties.items()}
        return {str(key) for key, kind in kinds.items() if kind not in (None, "string")}
    found = set()
    for key, value in schema.items():
        name, _, form = str(key).partition("(")
        kind = str(value).partition(",")[0].strip() if isinstance(value, str) else "object"
        if form.startswith(("array", "object")) or (
            not form and kind in ("integer", "number", "boolean", "object", "null")
        ):
            found.add(name.removesuffix("?"))
    return found


_CODE = """
import asyncio, pathlib
from dotpromptz import Dotprompt
from dotpromptz.typing import DataArgument

source = pathlib.Path("{file}").read_text("utf-8")
filled = asyncio.run(Dotprompt().render(source, DataArgument(input={fields})))
print(filled.messages)
"""
_NOTE = "`metadata.fedprompt.reading` in the file holds the label words and how to read the answer."
