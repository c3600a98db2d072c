"""The files that promptfoo reads prompts from, each in its own way: text, Markdown, Jinja, tables, JSON and YAML.

Sources: promptfoo's guide (Prompt Configuration) and the processors of its 0.123. Nothing is run. Line ends are read
as line feeds, so that a file is the same prompt on every system; where that takes something away, it is told.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.document_text import Document, json_value, parse_json, parse_yaml

__all__ = ["GUARD", "PROMPT_FILES", "Raw", "prompts_in", "value_in"]

GUARD = "{# fedprompt -#}\n"  # begins the texts that fedprompt writes; the dash takes the line feed away again
PROMPT_FILES = (".txt", ".md", ".j2", ".csv", ".json", ".jsonl", ".yaml", ".yml")


@dataclass(frozen=True)
class Raw:
    """One prompt as promptfoo holds it: its name, its text, and where it stands."""

    name: str
    text: str
    where: str


def prompts_in(document: Document, name: str, label: str | None, dropped: list[str]) -> Iterator[Raw]:
    """Yield the prompts of one file, as promptfoo's own readers find them."""
    suffix, where = PurePosixPath(name).suffix.lower(), document.where
    if suffix in (".yaml", ".yml", ".json"):
        texts = [_as_text(value_in(document, name), document)]
    elif suffix == ".txt":
        texts = _divided(_text(document, []))
    elif suffix == ".jsonl":
        texts = [line for line in _text(document, []).split("\n") if line]
    elif suffix == ".csv":
        yield from _of_csv(document, label)
        return
    elif suffix in (".md", ".j2"):
        texts = [_text(document, dropped)]
    else:
        raise ExportError(
            f"{where} is no file that prompts are read from; take {', '.join(PROMPT_FILES)}", code="unknown-ending"
        )
    if not any(text.strip() for text in texts):
        raise ExportError(f"{where} holds no prompt; it is empty", code="no-prompt")
    called = label or document.stem
    for number, text in enumerate(texts, 1):
        many = len(texts) > 1
        yield Raw(f"{called} {number}" if many else called, text, f"{where}, part {number}" if many else where)


def value_in(document: Document, name: str) -> Any:
    """Return the value of a JSON or YAML file, None where its tags leave it none, as promptfoo allows."""
    tagged = b"{{" in document.content or b"{%" in document.content
    if name.lower().endswith(".json"):
        try:
            return json_value(document.content, document.where)
        except (ValueError, RecursionError):
            return None if tagged else parse_json(document)
    try:
        return parse_yaml(_text(document, []), document.where)
    except ExportError:
        if tagged:
            return None
        raise


def _as_text(value: Any, document: Document) -> str:
    """Return the value of a JSON or YAML file as the text that promptfoo makes of it."""
    if value is None:
        return _text(document, [])
    if not isinstance(value, list | dict):
        raise ExportError(
            f"{document.where} is one value in JSON or YAML and no chat; save a text as .txt", code="not-a-chat"
        )
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ExportError(
            f"{document.where} holds values that are not texts; put them in quotes", code="not-text"
        ) from error


def _text(document: Document, dropped: list[str]) -> str:
    """Return a file's text with line feeds; that its line ends were others is told."""
    try:
        text = document.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExportError(f"{document.where} is not UTF-8 text; save it as UTF-8", code="not-utf-8") from error
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    if plain != text:
        dropped.append(
            f"{document.where}: its carriage returns were left out, so that it is the same prompt on every system"
        )
    return plain


def _divided(text: str) -> list[str]:
    """Return the prompts of a text file: ``---`` on a line of its own stands between them."""
    found: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip() == "---":
            found.append([])
        else:
            found[-1].append(line)
    return [joined for lines in found if (joined := "\n".join(lines).strip())]


def _of_csv(document: Document, label: str | None) -> Iterator[Raw]:
    """Yield the prompts of a table with a column ``prompt``, or of lines where it has no commas."""
    text = _text(document, [])
    try:
        rows = (
            [row for row in csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True) if row]
            if "," in text
            else []
        )
    except csv.Error as error:
        raise ExportError(f"{document.where}: no table of prompts ({error})", code="not-a-table") from error
    if rows:
        head = [cell.strip() for cell in rows[0]]
        if "prompt" not in head:
            raise ExportError(
                f"{document.where} has no column 'prompt', where promptfoo looks for the prompts; name it so",
                code="no-such-column",
            )
        at, named = head.index("prompt"), head.index("label") if "label" in head else -1
        found = [
            (row[at].strip() if at < len(row) else "", row[named].strip() if 0 <= named < len(row) else "")
            for row in rows[1:]
        ]
    else:
        lines = [line for line in text.split("\n") if line.strip()]
        found = [(line, "") for line in (lines[1:] if lines and lines[0].strip().lower() == "prompt" else lines)]
    found = [one for one in found if one[0]]
    if not found:
        raise ExportError(f"{document.where} holds no prompt; it is empty", code="no-prompt")
    for number, (prompt, own) in enumerate(found, 1):
        called = label or document.stem
        yield Raw(
            own or (f"{called} {number}" if len(found) > 1 else called), prompt, f"{document.where}, prompt {number}"
        )
