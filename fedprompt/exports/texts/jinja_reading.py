"""Jinja as other tools write it, read into parts: plain variables, quoted text, raw blocks and comments.

The text is taken apart by Jinja's own parser and never rendered, so that line ends, white space control and escapes
come out as Jinja would write them. Invariant: a template that is more than variables in a text is refused by the name
of what is more.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.syntax import Part, Variable, append, offered_name

__all__ = ["ReadText", "read_jinja"]

MAX_TEMPLATE = 400_000  # characters
_PRINT = re.compile(r"\{\{-?\+?(.*?)-?\}\}", re.S)
_PLAIN = re.compile(r"\s*[^\W\d]\w*\s*|\s*'[^']*'\s*|\s*\"[^\"]*\"\s*")
_STATEMENTS = {
    "Assign": "set",
    "AssignBlock": "set",
    "Block": "block",
    "CallBlock": "call",
    "Extends": "extends",
    "FilterBlock": "filter",
    "For": "for",
    "FromImport": "from",
    "If": "if",
    "Import": "import",
    "Include": "include",
    "Macro": "macro",
    "ScopedEvalContextModifier": "autoescape",
    "With": "with",
}


@dataclass(frozen=True)
class ReadText:
    """A text's parts, and whether comments in it were left out."""

    parts: tuple[Part, ...]
    comments: bool = False


def read_jinja(text: str, where: str, *, line: int = 1, trimmed: bool = False, ends: bool = False) -> ReadText:
    """Read a text that Jinja would fill in.

    Args:
        text: what to read.
        where: begins the message of an error.
        line: the number of the text's first line in its file.
        trimmed: whether the tool sets ``trim_blocks`` and ``lstrip_blocks``.
        ends: whether the tool keeps a line break at the very end, which Jinja takes away by itself.

    Raises:
        ExportError: a tag that is more than a variable, or none that Jinja can read.
    """
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    if len(text) > MAX_TEMPLATE:
        raise ExportError(
            f"{where}: its template is longer than {MAX_TEMPLATE:,} characters, the limit for a prompt", code="too-long"
        )
    env = ImmutableSandboxedEnvironment(trim_blocks=trimmed, lstrip_blocks=trimmed, keep_trailing_newline=ends)
    try:
        body: Sequence[Any] = env.parse(text).body
        comments = any(kind == "comment_begin" for _, kind, _ in env.lex(text))
    except (TemplateError, ValueError, ArithmeticError, SyntaxError, RecursionError) as error:
        at = getattr(error, "lineno", None)
        raise _refused(text, where, at if isinstance(at, int) else 1, line, "is none that Jinja can read") from error
    found: list[Part] = []
    for node in _flat(body):
        kind = type(node).__name__
        if kind == "TemplateData":
            append(found, node.data)
        elif kind == "Const" and isinstance(node.value, str):
            append(found, node.value)
        elif kind == "Name":
            found.append(Variable(node.name))
        elif kind in _STATEMENTS:
            raise ExportError(
                f"{where}, line {line + node.lineno - 1}: its template runs '{{% {_STATEMENTS[kind]} %}}', and "
                "templates that run code are not read; write it as text with plain variables",
                code="runs-code",
            )
        else:
            what = f"uses the filter '{node.name}'" if kind == "Filter" else "is more than a variable"
            raise _refused(text, where, node.lineno, line, what)
    return ReadText(tuple(found), comments)


def _flat(body: Sequence[Any]) -> Iterator[Any]:
    for node in body:
        if type(node).__name__ == "Output":
            yield from node.nodes
        else:
            yield node


def _refused(text: str, where: str, at: int, line: int, what: str) -> ExportError:
    """Return the refusal of a tag, found again in its line, with the name that a field could have."""
    place = f"{where}, line {line + at - 1}"
    begin = sum(len(one) for one in text.splitlines(keepends=True)[: at - 1])
    tags = (match for match in _PRINT.finditer(text, begin) if not _PLAIN.fullmatch(match[1]))
    tag = next(tags, None)
    if tag is None:
        return ExportError(f"{place}: a tag {what}; close each '{{{{' and '{{%', or write plain text", code="tag-open")
    offered = offered_name(tag[1])
    do = (
        f"write {{{{{offered}}}}} and call the field '{offered}'" if offered else "write it as text or a plain variable"
    )
    return ExportError(
        f"{place}: the tag {tag[0][:60]!r} {what}, and only plain variables are read; {do}", code="not-plain-variable"
    )
