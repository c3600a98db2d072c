"""Prompty (``.prompty``, version 2): YAML front matter, then chat messages under ``system:``, ``user:`` lines in Jinja.

Prompty knows only chat, so a bare completion is sent as one user message and the export says that its score does not
hold there. Prompty takes away line breaks at either end of a message and finds roles by looking at lines, so texts
that this would change are refused. The way in is :mod:`fedprompt.exports.texts.prompty_reading`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from fedprompt.exports.document_text import yaml_text
from fedprompt.exports.documents import (
    KEY,
    carried,
    dropped_demonstrations,
    fields_of,
    file_of,
    read_documents,
    refuse_soft,
    write_documents,
)
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.syntax import Variable, jinja, parts_of
from fedprompt.exports.texts.prompty_reading import REFERENCE, read_prompty

__all__ = ["Prompty"]

TITLE = "Prompty"
SUFFIXES = (".prompty",)
_ROLE = re.compile(r"^\s*#?\s*(system|user|assistant|developer|tools?|function)\s*(\[[^\]]*\])?\s*:\s*$", re.I)
_OTHER_BREAKS = re.compile("[\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\r]")


class Prompty:
    """Holds templates as chat messages."""

    name = "prompty"
    title = TITLE
    description = "A template as chat messages in a .prompty file, for Prompty and its editors."
    suffix = ".prompty"
    many = True
    needs_model = False

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return what is lost: demonstrations, and that a bare completion is none."""
        found = dropped_demonstrations(item)
        if item.prompt.template.messages is None:
            found += (
                f"'{item.name}' is a bare completion and Prompty knows only chat: it is sent as one user "
                "message, so its score may differ",
            )
        return found

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why Prompty cannot hold a prompt, or None if it can."""
        if refusal := refuse_soft(item, "Prompty"):
            return refusal
        told = (item.name, *item.reading.words, *item.reading.words.values())
        if any(REFERENCE.search(text) for text in told):
            return Refusal("its name or a label word looks like a reference, which Prompty would follow", "langchain")
        for _, content in _turns(item):
            if not content or content.strip("\n") != content:
                return Refusal("a message starts or ends with a line break, which Prompty removes", "langchain")
            if _OTHER_BREAKS.search(content):
                return Refusal("its text holds line breaks that Prompty would change", "langchain")
            if any(_ROLE.match(line) for line in content.split("\n")):
                return Refusal("a line of its text looks like one of Prompty's roles", "langchain")
        return None

    def use(self, items: Sequence[Exported], name: str) -> Snippet:
        """Return lines that fill in the first prompt."""
        code = _CODE.format(file=file_of(items, name, SUFFIXES[0]), fields=json.dumps(fields_of(items[0])))
        return Snippet("python", code, _NOTE)

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write one ``.prompty`` file, or a folder or zip with one a prompt and the model card.

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
        """Return whether it is a ``.prompty`` file or holds one."""
        return path.suffix.lower() in SUFFIXES or any(name.endswith(SUFFIXES) for name in names)

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read prompts back, ours or another's with plain variables.

        Raises:
            ExportError: a reference to the environment or a file in what is read, or a template that is a program.
        """
        return tuple(read_prompty(one) for one in read_documents(path, SUFFIXES))


def _turns(item: Exported) -> list[tuple[str, str]]:
    template = item.prompt.template
    if template.messages is None:
        return [("user", template.text or "")]
    return [(message.role, message.content) for message in template.messages]


def _text(item: Exported, context: ExportContext) -> str:
    turns = _turns(item)
    names = dict.fromkeys(part.name for _, content in turns for part in parts_of(content) if isinstance(part, Variable))
    front: dict[str, Any] = {
        "name": item.name,
        "description": f"Written by fedprompt, {item.prompt.id}",
        "metadata": {KEY: carried(item, context)},
        "inputs": [{"name": name, "kind": "string", "required": True} for name in names],
        "template": {"format": {"kind": "jinja2"}, "parser": {"kind": "prompty"}},
    }
    if not item.reading.words:
        front["model"] = {
            "apiType": "chat",
            "options": {"temperature": 0, "maxOutputTokens": item.reading.decoding["max_tokens"]},
        }
    body = "\n".join(f"{role}:\n{jinja(parts_of(content))}" for role, content in turns)
    return f"---\n{_unmarked(front)}---\n{body}\n"


def _unmarked(front: Mapping[str, Any]) -> str:
    """Return YAML without ``---`` and ``+++``, which Prompty takes for its end wherever they stand."""
    text = yaml_text(dict(front))
    if "---" not in text and "+++" not in text:
        return text
    quoted = yaml.safe_dump(dict(front), sort_keys=True, allow_unicode=True, width=2**31, default_style='"')
    return str(quoted).replace("---", r"\x2d\x2d\x2d").replace("+++", r"\x2b\x2b\x2b")


_CODE = """
import prompty

agent = prompty.load("{file}")
print(prompty.prepare(agent, {fields}))
"""
_NOTE = """`agent.metadata["fedprompt"]["reading"]` holds the label words and how to read the answer."""
