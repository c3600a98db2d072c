"""Langfuse prompts as JSON: a list of ``{name, type, prompt, config, labels, tags, commitMessage}``.

Each entry is the body of a request that creates a prompt (Langfuse 3, ``POST /api/public/v2/prompts``). Langfuse
fills in ``{{name}}`` and has no way to escape braces, so a text whose own braces would be misread is refused.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.documents import (
    KEY,
    carried,
    dropped_demonstrations,
    parse_json,
    peek,
    read_documents,
    refuse_soft,
    revive,
    write_documents,
)
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.syntax import f_string, parts_of, plain, read_braces
from fedprompt.exports.writing import json_text
from fedprompt.prompts.template import Message

__all__ = ["Langfuse"]

TITLE = "Langfuse JSON"
FILE = "langfuse.json"
SUFFIXES = (".json",)
ROLES = ("system", "user", "assistant")
MAX_NAME = 255


class Langfuse:
    """Holds templates."""

    name = "langfuse"
    title = TITLE
    description = "Templates as a list of prompts, for Langfuse's prompt store."
    suffix = ".json"
    many = True
    needs_model = False

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return what is lost: demonstrations."""
        return dropped_demonstrations(item)

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why Langfuse cannot hold a prompt, or None if it can."""
        if refusal := refuse_soft(item, "Langfuse"):
            return refusal
        template = item.prompt.template
        texts = [template.text or ""] if template.messages is None else [one.content for one in template.messages]
        if any(plain(parts_of(text)) is None for text in texts):
            return Refusal("its text holds braces that Langfuse would take for a variable", "langchain")
        if any("@@@langfuse" in text for text in texts):
            return Refusal("its text holds a mark that Langfuse would follow to another prompt or file", "langchain")
        return None

    def use(self, items: Sequence[Exported], name: str) -> Snippet:
        """Return lines that put the prompts into Langfuse."""
        return Snippet("python", _CODE.format(file=name if name.lower().endswith(SUFFIXES) else FILE), _NOTE)

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write one ``.json`` file with all prompts, or a folder or zip with it and the model card.

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
            text=lambda some: json_text([_body(item, context) for item in some]),
            one_file=FILE,
        )

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether it holds ``langfuse.json``, or is a JSON list of prompts with a name."""
        if path.suffix.lower() != ".json" or path.is_dir():
            return FILE in names
        try:
            value = json.loads(peek(path) or b"null")
        except (ValueError, RecursionError):
            return False
        first = value[0] if isinstance(value, list) and value else value
        return isinstance(first, dict) and {"name", "prompt"} <= set(first) and "lc" not in first

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read prompts back, ours or another's.

        Raises:
            ExportError: not such JSON, or a template that is a program.
        """
        found: list[Imported] = []
        for one in read_documents(path, SUFFIXES):
            value = parse_json(one)
            entries = value if isinstance(value, list) else [value]
            found += [_revive(entry, f"{one.where}, prompt {number}") for number, entry in enumerate(entries, 1)]
        return tuple(found)


def _body(item: Exported, context: ExportContext) -> dict[str, Any]:
    template = item.prompt.template
    body: Any = plain(parts_of(template.text or ""))
    if template.messages is not None:
        body = [
            {"type": "chatmessage", "role": one.role, "content": plain(parts_of(one.content))}
            for one in template.messages
        ]
    config: dict[str, Any] = {KEY: carried(item, context)}
    if not item.reading.words:
        config |= {"temperature": 0, "max_tokens": item.reading.decoding["max_tokens"]}
    return {
        "name": item.name[:MAX_NAME],
        "type": "text" if template.messages is None else "chat",
        "prompt": body,
        "config": config,
        "labels": [],
        "tags": [KEY],
        "commitMessage": f"fedprompt {item.prompt.id}",
    }


def _revive(entry: Any, where: str) -> Imported:
    name = entry.get("name") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(name, str) or not name:
        raise ExportError(f"{where} is no Langfuse prompt: it has no name")
    config = entry.get("config") if isinstance(entry.get("config"), Mapping) else {}
    ours = isinstance(config, Mapping) and KEY in config
    dropped = [] if ours else [f"{where}: its {key} were left out" for key in ("config", "labels") if entry.get(key)]
    body = entry.get("prompt")
    if isinstance(body, str):
        return revive(config, f_string(read_braces(body, where, quotes=False)), None, where, name, dropped)
    if not isinstance(body, list) or not body:
        raise ExportError(f"{where}: its prompt is neither a text nor a list of messages")
    messages = []
    for one in body:
        role = one.get("role") if isinstance(one, Mapping) else None
        content = one.get("content") if isinstance(one, Mapping) else None
        if role not in ROLES or not isinstance(content, str):
            raise ExportError(
                f"{where}: a message needs a role among {', '.join(ROLES)} and a text; placeholders are not read"
            )
        messages.append(Message(str(role), f_string(read_braces(content, where, quotes=False))))
    return revive(config, None, tuple(messages), where, name, dropped)


_CODE = """
import json, pathlib
from langfuse import get_client

for entry in json.loads(pathlib.Path("{file}").read_text("utf-8")):
    entry["commit_message"] = entry.pop("commitMessage")
    get_client().create_prompt(**entry)
"""
_NOTE = """`config["fedprompt"]["reading"]` of each prompt holds the label words and how to read the answer."""
