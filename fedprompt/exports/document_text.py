"""A prompt's file as text, JSON, YAML or front matter, read within bounds and with the same line ends everywhere.

Invariant: a key that is given twice is refused, not read with the last of its values.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from fedprompt.errors import ExportError
from fedprompt.study.plain_yaml import YamlProblem, read_yaml

__all__ = [
    "Document",
    "FrontMatter",
    "json_value",
    "parse_json",
    "parse_yaml",
    "split_front_matter",
    "text_of",
    "texts_in",
    "yaml_text",
]

MAX_DEPTH = 100


@dataclass(frozen=True)
class Document:
    """One file of prompts: where it lies for messages, its name without suffix, and its bytes."""

    where: str
    stem: str
    content: bytes


@dataclass(frozen=True)
class FrontMatter:
    """``front``: what stands in YAML, empty if it is not ``given``; ``body``: the rest; ``line``: its first line."""

    front: Mapping[str, Any]
    body: str
    line: int
    given: bool


def parse_json(document: Document) -> Any:
    """Return the JSON value of a file.

    Raises:
        ExportError: it is not JSON, or gives a key twice.
    """
    try:
        return json_value(text_of(document), document.where)
    except (ValueError, RecursionError) as error:
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise ExportError(f"{document.where}{line} is not JSON", code="not-json") from error


def json_value(content: bytes | str, where: str) -> Any:
    """Return the value of JSON.

    Raises:
        ExportError: a key is given twice, of which a reader would keep the last alone.
        ValueError: it is not JSON.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise ExportError(f"{where}: the key {key[:60]!r} is given twice; keep one of them", code="key-twice")
            found[key] = value
        return found

    return json.loads(content, object_pairs_hook=once)


def parse_yaml(content: bytes | str, where: str, *, aliases: bool = False) -> Any:
    """Return the YAML value of a text, bounded by :func:`read_yaml`; aliases are refused unless they are asked for.

    Raises:
        ExportError: it is not plain YAML.
    """
    try:
        return read_yaml(content, aliases=aliases).value
    except YamlProblem as error:
        raise ExportError(f"{where}, line {error.line}: {error.reason}", code="not-yaml") from error


def yaml_text(value: Any) -> str:
    """Return YAML with sorted keys and unfolded lines; the same value gives the same text."""
    return str(yaml.dump(value, Dumper=_Plain, sort_keys=True, allow_unicode=True, width=2**31))


class _Plain(yaml.SafeDumper):
    """Writes a value that occurs twice twice, instead of referring to the first."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def text_of(document: Document) -> str:
    """Return a file's text, without a byte order mark and with the same line ends whatever system wrote it.

    Raises:
        ExportError: not UTF-8.
    """
    try:
        text = document.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExportError(f"{document.where} is not UTF-8 text; save it as UTF-8", code="not-utf-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def split_front_matter(document: Document, marks: Sequence[str] = ("---",)) -> FrontMatter:
    """Return the YAML between two lines of ``marks``, and the text after them; both are there in a file of text only.

    Lines that are blank or begin with ``#``, such as a licence, may stand before the first mark.

    Raises:
        ExportError: not UTF-8, a front matter without an end, or one that is no mapping.
    """
    lines = text_of(document).split("\n")
    begin = next((at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if begin is None or lines[begin].strip() not in marks:
        return FrontMatter({}, "\n".join(lines), 1, given=False)
    end = next((at for at, line in enumerate(lines[begin + 1 :], begin + 1) if line.rstrip() in marks), None)
    if end is None:
        raise ExportError(
            f"{document.where}, line {begin + 1}: its front matter has no end; the file is incomplete, or a "
            f"line '{marks[0]}' is missing after it",
            code="front-matter",
        )
    # Line feeds stand for what comes before, so that an error names the line of the file.
    front = parse_yaml("\n" * (begin + 1) + "\n".join(lines[begin + 1 : end]), document.where)
    if front is not None and not (isinstance(front, Mapping) and all(isinstance(key, str) for key in front)):
        raise ExportError(
            f"{document.where}, line {begin + 2}: its front matter is not a mapping of names; write lines such "
            "as 'name: mood', a name in quotes where YAML takes it for something else",
            code="front-matter",
        )
    return FrontMatter(front or {}, "\n".join(lines[end + 1 :]), end + 2, given=True)


def texts_in(value: Any, depth: int = 0) -> list[str]:
    """Return each text in a value of JSON or YAML, keys included, as deep as such a file goes."""
    if isinstance(value, str):
        return [value]
    if depth > MAX_DEPTH:
        return []
    inner = [*value, *value.values()] if isinstance(value, Mapping) else value if isinstance(value, list) else []
    return [text for one in inner for text in texts_in(one, depth + 1)]
