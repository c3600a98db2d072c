"""Dotprompt (``.prompt``): YAML front matter, then Handlebars with ``{{role "user"}}`` before each message.

Handlebars has no quoted text, so braces and a last space that it would take away are variables with a default value
(``fp_7b`` is ``{``). Dotprompt knows only chat, so a bare completion is sent as one user message and the export says
that its score does not hold there. On the way in no helper, block or partial is read.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.documents import (
    KEY,
    carried,
    dropped_demonstrations,
    fields_of,
    file_of,
    read_documents,
    refuse_soft,
    revive,
    split_front_matter,
    write_documents,
    yaml_text,
)
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.syntax import HANDLEBARS_PREFIX, Variable, f_string, handlebars, parts_of, read_braces
from fedprompt.prompts.template import Message

__all__ = ["Dotprompt"]

TITLE = "Dotprompt"
SUFFIXES = (".prompt",)
_ROLE = re.compile(r"""\{\{\s*role\s+["'](\w+)["']\s*\}\}""")
_THEIRS = {"user": "user", "system": "system", "assistant": "model"}
_OURS = {theirs: ours for ours, theirs in _THEIRS.items()}
_LEFT_OUT = ("model", "config", "tools", "output")


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
                f"'{item.name}' is a bare completion and Dotprompt knows only chat: it is sent as one user message, "
                "where its score is not promised",
            )
        return found

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why Dotprompt cannot hold a prompt, or None if it can."""
        if refusal := refuse_soft(item, "Dotprompt"):
            return refusal
        for _, content in _turns(item):
            if not content.strip():
                return Refusal("a message is blank, which Dotprompt leaves out", "langchain")
            if "<<<dotprompt:" in content:
                return Refusal("its text holds one of Dotprompt's own markers", "langchain")
        if any(name.startswith(HANDLEBARS_PREFIX) for name in item.prompt.template.variables):
            return Refusal(
                f"a field's name begins with {HANDLEBARS_PREFIX}, which stands for escapes here", "langchain"
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
            ExportError: no front matter, or a template that is a program.
        """
        found = []
        for one in read_documents(path, SUFFIXES):
            front, body = split_front_matter(one)
            found.append(_revive(front, body, one.where, one.stem))
        return tuple(found)


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


def _revive(front: Mapping[str, Any], body: str, where: str, stem: str) -> Imported:
    metadata = front.get("metadata")
    ours = isinstance(metadata, Mapping) and KEY in metadata
    named = front.get("name")
    name = named if isinstance(named, str) and named else stem
    dropped = [] if ours else [f"{where}: its {key} was left out" for key in _LEFT_OUT if front.get(key)]
    given = front.get("input")
    defaults = given.get("default") if isinstance(given, Mapping) else None
    fixed = {
        key: value
        for key, value in (defaults.items() if isinstance(defaults, Mapping) else ())
        if isinstance(key, str) and key.startswith(HANDLEBARS_PREFIX) and isinstance(value, str) and len(value) == 1
    }
    if isinstance(defaults, Mapping) and len(defaults) > len(fixed):
        dropped.append(f"{where}: the default values of its fields were left out")
    pieces = _ROLE.split(body.strip())
    turns = [("user", pieces[0]), *zip(pieces[1::2], pieces[2::2], strict=True)]
    messages = []
    for role, content in turns:
        if not content.strip():
            continue
        if role not in _OURS:
            raise ExportError(f"{where}: a message of the role '{role[:40]}' cannot be held")
        if "\\{{" in content:
            raise ExportError(f"{where}: an escaped tag cannot be read; write plain text")
        parts = read_braces(content, where, quotes=False, constant=fixed.get)
        messages.append(Message(_OURS[role], f_string(parts)))
    if not messages:
        raise ExportError(f"{where} has no message")
    return revive(metadata, None, tuple(messages), where, name, dropped)


_CODE = """
import asyncio, pathlib
from dotpromptz import Dotprompt
from dotpromptz.typing import DataArgument

source = pathlib.Path("{file}").read_text("utf-8")
filled = asyncio.run(Dotprompt().render(source, DataArgument(input={fields})))
print(filled.messages)
"""
_NOTE = "`metadata.fedprompt.reading` in the file holds the label words and how to read the answer."
