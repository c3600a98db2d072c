"""A template's text as parts, and the ways in which other tools write a variable.

A part is literal text or a :class:`Variable`. f-strings (fedprompt, LangChain), Jinja (Prompty, promptfoo's Nunjucks,
Hugging Face prompt-templates) and Handlebars (Dotprompt) can write every text, given an escape for what would be
taken for a tag; plain ``{{name}}`` (Langfuse) cannot, and :func:`plain` says so. Invariant: reading what was written
gives the same parts. On the way in only plain variables and quoted text are read: any other tag is a program.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.prompts.habits import field_name_for

__all__ = [
    "MAX_TEXT",
    "Part",
    "Variable",
    "append",
    "f_string",
    "field_name_for",
    "handlebars",
    "jinja",
    "offered_name",
    "parts_of",
    "plain",
    "read_braces",
    "tags_of",
]


@dataclass(frozen=True)
class Variable:
    """A place that a field's text goes to."""

    name: str


Part = str | Variable

MAX_TEXT = 400_000  # characters before tags are read; a template has fewer

_OPENS = re.compile(r"\{[{%#]")
_CLOSES = {"{{": "}}", "{%": "%}", "{#": "#}"}
_NAME = re.compile(r"\s*([^\W\d]\w*(?:-\w+)*)\s*")  # a hyphen is told by documents.revive, which renames the field
_LOOSE = re.compile(r"\s*(\w(?:[\w .-]*\w)?)\s*")
_CONSTANTS = frozenset({"true", "false", "none", "null", "True", "False", "None"})
_NAMELIKE = re.compile(r"[\w\s.\-/\[\]'\"$]+")
_QUOTED = re.compile(r"\s*'((?:[^'\\]|\\.)*)'\s*|\s*\"((?:[^\"\\]|\\.)*)\"\s*", re.S)
_ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t", "\\\\": "\\", "\\'": "'", '\\"': '"'}
# What would be taken for a tag's brace or a comment's end, and a carriage return, which Jinja makes a line feed.
_JINJA = re.compile(r"\{(?=[{%#\r]|\Z)|\A\}|#(?=\})|\r")
_JINJA_LAST = re.compile(r"\{(?=\n\Z)|" + _JINJA.pattern + r"|\n\Z")  # and a last line feed, which it takes away
# Every brace and carriage return, a backslash before a tag, and a last space, which Dotprompt takes away.
_HANDLEBARS = re.compile(r"[{}\r]|\\(?=\\*(?:[{}]|\Z))")
_HANDLEBARS_LAST = re.compile(r"\\(?=\\*\s\Z)|" + _HANDLEBARS.pattern + r"|\s\Z")
HANDLEBARS_PREFIX = "fp_"


def parts_of(text: str) -> tuple[Part, ...]:
    """Return the parts of an f-string text whose braces match."""
    found: list[Part] = []
    for literal, name, _, _ in Formatter().parse(text):
        append(found, literal)
        if name is not None:
            found.append(Variable(name))
    return tuple(found)


def f_string(parts: Sequence[Part]) -> str:
    """Write parts as an f-string text."""
    return "".join(
        "{" + part.name + "}" if isinstance(part, Variable) else part.replace("{", "{{").replace("}", "}}")
        for part in parts
    )


def jinja(parts: Sequence[Part]) -> str:
    """Write parts for Jinja or Nunjucks; what would be taken for a tag stands in quotes, ``{{ '{' }}``."""

    def quoted(match: re.Match[str]) -> str:
        return "{{ '" + match[0].replace("\r", "\\r").replace("\n", "\\n") + "' }}"

    patterns = [*[_JINJA] * (len(parts) - 1), _JINJA_LAST]
    return "".join(
        "{{ " + part.name + " }}" if isinstance(part, Variable) else pattern.sub(quoted, part)
        for part, pattern in zip(parts, patterns, strict=False)
    )


def handlebars(parts: Sequence[Part], defaults: dict[str, str]) -> str:
    """Write parts for Handlebars; what would be taken for a tag, or be stripped, becomes a variable in ``defaults``."""

    def named(match: re.Match[str]) -> str:
        name = f"{HANDLEBARS_PREFIX}{ord(match[0]):x}"
        defaults[name] = match[0]
        return "{{" + name + "}}"

    patterns = [*[_HANDLEBARS] * (len(parts) - 1), _HANDLEBARS_LAST]
    return "".join(
        "{{" + part.name + "}}" if isinstance(part, Variable) else pattern.sub(named, part)
        for part, pattern in zip(parts, patterns, strict=False)
    )


def plain(parts: Sequence[Part]) -> str | None:
    """Write parts with ``{{name}}`` and no way to escape; None where the text's own braces would be misread."""
    text = "".join("{{" + part.name + "}}" if isinstance(part, Variable) else part for part in parts)
    at = 0
    found: list[Part] = []
    while (begin := text.find("{{", at)) >= 0 and (end := text.find("}}", begin)) >= 0:
        found += [text[at:begin], Variable(text[begin + 2 : end])]
        at = end + 2
    merged: list[Part] = []
    for part in (*found, text[at:]):
        if isinstance(part, str):
            append(merged, part)
        else:
            merged.append(part)
    return text if merged == list(parts) else None


def read_braces(
    text: str,
    where: str,
    *,
    quotes: bool = True,
    constant: Callable[[str], str | None] = lambda name: None,
    loose: bool = False,
) -> tuple[Part, ...]:
    """Read a text with ``{{name}}`` in it.

    Args:
        text: what to read.
        where: begins the message of an error.
        quotes: whether ``{{ 'text' }}`` is text, as in Jinja; otherwise ``{%`` and ``{#`` are plain text too.
        constant: the text that stands for a variable, None where it is a field.
        loose: whether a name may hold spaces, dots and hyphens, as in Langfuse, where it is no expression.

    Raises:
        ExportError: a tag that is more than a variable, or a text without end.
    """
    if len(text) > MAX_TEXT:
        raise ExportError(
            f"{where}: its text is longer than {MAX_TEXT:,} characters, the limit for a prompt", code="too-long"
        )
    found: list[Part] = []
    at = 0
    for begin, end in tags_of(text):
        inner = text[begin + 2 : end - 2]
        if text[begin + 1] != "{":
            if not quotes:
                continue
            raise ExportError(f"{where}: {_why_not(text[begin:end])}", code="not-plain-variable")
        append(found, text[at:begin])
        at = end
        name = (_LOOSE if loose else _NAME).fullmatch(inner)
        if name is not None and quotes and name[1] in _CONSTANTS:
            name = None
        quoted = _QUOTED.fullmatch(inner) if quotes else None
        if name is not None:
            fixed = constant(name[1])
            if fixed is None:
                found.append(Variable(name[1]))
            else:
                append(found, fixed)
        elif quoted is not None:
            said = quoted[1] if quoted[1] is not None else quoted[2]
            append(found, re.sub(r"\\.", lambda m: _ESCAPES.get(m[0], m[0]), said, flags=re.S))
        else:
            raise ExportError(f"{where}: {_why_not(text[begin:end])}", code="not-plain-variable")
    append(found, text[at:])
    return tuple(found)


def tags_of(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each ``{{ }}``, ``{% %}`` and ``{# #}`` begins and ends; one that never ends is text."""
    at, endless = 0, set[str]()
    while (opened := _OPENS.search(text, at)) is not None:
        end = -1 if opened[0] in endless else text.find(_CLOSES[opened[0]], opened.end())
        if end < 0:
            endless.add(opened[0])
            at = opened.start() + 1
            continue
        yield opened.start(), end + 2
        at = end + 2


def _why_not(tag: str) -> str:
    """Return what a tag is that is no plain variable, and what to do about it."""
    shown, inner = repr(tag[:60]), tag[2:-2].strip(" \t\r\n-")
    if tag.startswith("{#"):
        return f"{shown} is a comment of the template; remove it"
    if tag.startswith("{%"):
        return (
            f"the block {shown} is more than a variable, and templates that run code are not supported; write "
            "the text out"
        )
    if inner.startswith("env."):
        return f"the tag {shown} reads this machine's environment; write its text instead"
    if inner in _CONSTANTS:
        return f"the tag {shown} is a constant; write its text instead"
    if "|" in inner:
        return (
            f"the tag {shown} has a filter, which would change the case's text; use the variable alone and "
            "prepare the field"
        )
    return (
        f"the tag {shown} is more than a variable, and templates that run code are not supported; write it as "
        "text or a plain variable"
    )


def offered_name(tag: str) -> str:
    """Return the name of a field to offer where a tag is another tool's name (``user.name``), else an empty text."""
    found = field_name_for(tag) if _NAMELIKE.fullmatch(tag) else ""
    return found if len(found) <= 60 else ""


def append(found: list[Any], literal: str) -> None:
    """Add literal text to a list of parts, so that no two texts stand beside each other and none is empty."""
    if not literal:
        return
    if found and isinstance(found[-1], str):
        found[-1] += literal
    else:
        found.append(literal)
