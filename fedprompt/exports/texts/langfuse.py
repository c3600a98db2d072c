"""Langfuse prompts as JSON: a list of ``{name, type, prompt, config, labels, tags, commitMessage}``.

Each entry is the body of a request that creates a prompt (Langfuse 3, ``POST /api/public/v2/prompts``). Langfuse
fills in ``{{name}}`` and has no way to escape braces, so a text whose own braces would be misread is refused.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.document_text import parse_json
from fedprompt.exports.documents import (
    KEY,
    carried,
    dropped_demonstrations,
    left_out,
    peek,
    read_documents,
    read_tools_of,
    refuse_soft,
    revive,
    write_documents,
)
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.syntax import f_string, parts_of, plain, read_braces
from fedprompt.exports.texts.chat import read_messages
from fedprompt.exports.writing import json_text
from fedprompt.prompts.tools import openai_tools

__all__ = ["Langfuse"]

TITLE = "Langfuse JSON"
FILE = "langfuse.json"
SUFFIXES = (".json",)
MAX_NAME = 255
MAX_PROMPTS = 2000
_LEFT_OUT = ("config", "labels", "tags", "version", "commitMessage", "commit_message", "resolutionGraph")
_MARKS = {
    "@@@langfusePrompt:": (
        "another prompt (@@@langfusePrompt), which is not looked up; export it resolved, as Langfuse's interface does "
        "by default"
    ),
    "@@@langfuseMedia:": "a picture or another file (@@@langfuseMedia), and a template holds only texts; remove it",
}


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
        if refusal := refuse_soft(item, "Langfuse", tools=True):
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
        """Return whether it holds ``langfuse.json``, or is JSON with prompts that have a name, or a page of them."""
        if path.suffix.lower() != ".json" or path.is_dir():
            return FILE in names
        try:
            value = json.loads(peek(path) or b"null")
        except (ValueError, RecursionError):
            return False
        page = value.get("data") if isinstance(value, dict) and "prompt" not in value else None
        value = page if isinstance(page, list) else value
        first = value[0] if isinstance(value, list) and value else value
        if not isinstance(first, dict) or "name" not in first or "lc" in first:
            return False
        return "prompt" in first or "versions" in first

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read prompts back, ours or another's.

        Raises:
            ExportError: not such JSON, or a template that is a program.
        """
        found: list[Imported] = []
        for one in read_documents(path, SUFFIXES):
            entries = _entries(parse_json(one), one.where)
            names = Counter(str(entry.get("name")) for entry in entries if isinstance(entry, Mapping))
            many = frozenset(name for name, count in names.items() if count > 1)
            found += [_revive(entry, f"{one.where}, prompt {number}", many) for number, entry in enumerate(entries, 1)]
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
    if template.tools:
        config["tools"] = openai_tools(template.tools)
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


def _entries(value: Any, where: str) -> list[Any]:
    """Return the prompts of a file: one, a list, or a page of Langfuse's interface.

    Raises:
        ExportError: it lists prompts without their texts.
    """
    if isinstance(value, Mapping) and isinstance(value.get("data"), list) and "prompt" not in value:
        value = value["data"]
    found = value if isinstance(value, list) else [value]
    if not found:
        raise ExportError(f"{where} holds no prompt; its list is empty", code="no-prompt")
    if len(found) > MAX_PROMPTS:
        raise ExportError(f"{where} holds more than {MAX_PROMPTS:,} prompts; import fewer at a time", code="too-many")
    return found


def _revive(entry: Any, where: str, many: frozenset[str]) -> Imported:
    """Read one prompt; ``many`` are the names that several versions in the file share."""
    name = entry.get("name") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(name, str) or not name:
        raise ExportError(f"{where} is not a Langfuse prompt: it has no name", code="not-this-format")
    body, kind = entry.get("prompt"), entry.get("type")
    if body is None and "versions" in entry:
        raise ExportError(
            f"{where} ('{name[:60]}') is only listed, without its text; fetch each prompt from "
            "/api/public/v2/prompts/NAME and import that",
            code="listed-only",
        )
    config = entry.get("config") if isinstance(entry.get("config"), Mapping) else {}
    ours = isinstance(config, Mapping) and KEY in config
    tools = config.get("tools") if isinstance(config, Mapping) else None
    only_tools = isinstance(config, Mapping) and set(config) == {"tools"}
    left = [key for key in _LEFT_OUT if entry.get(key) and not (key == "config" and only_tools)]
    dropped = [] if ours else list(left_out(where, left))
    version = entry.get("version")
    if name in many and isinstance(version, int):
        name = f"{name[:60]} (version {version})"
    if isinstance(body, str):
        if kind not in (None, "text"):
            raise ExportError(
                f"{where} says that it is of the type {str(kind)[:40]!r}, but its prompt is a text",
                code="not-well-formed",
            )
        return revive(config, _filled(body, where), None, where, name, dropped)
    if not isinstance(body, list):
        raise ExportError(f"{where}: its prompt is neither a text nor a list of messages", code="not-well-formed")
    if kind not in (None, "chat"):
        raise ExportError(
            f"{where} says that it is of the type {str(kind)[:40]!r}, but its prompt is a list of messages",
            code="not-well-formed",
        )
    messages = read_messages(body, where, _filled, dropped)
    return revive(config, None, messages, where, name, dropped, read_tools_of(tools, where))


def _filled(text: str, where: str) -> str:
    for mark, what in _MARKS.items():
        if mark in text:
            raise ExportError(f"{where}: its text refers to {what}", code="refers-elsewhere")
    return f_string(read_braces(text, where, quotes=False, loose=True))


_CODE = """
import json, pathlib
from langfuse import get_client

for entry in json.loads(pathlib.Path("{file}").read_text("utf-8")):
    entry["commit_message"] = entry.pop("commitMessage")
    get_client().create_prompt(**entry)
"""
_NOTE = """
`config["fedprompt"]["reading"]` of each prompt holds the label words and how to read the answer. If the prompt has
tools, `config["tools"]` holds them.
"""
