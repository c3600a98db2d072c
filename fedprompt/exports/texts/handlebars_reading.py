"""Handlebars as Dotprompt's files write it, read into parts and roles; nothing of it is run.

Plain variables (two braces, three, or ``&``), ``{{role "user"}}``, comments, escaped braces and white space control
are read as Handlebars reads them. Invariant: any other tag is refused by the name of what it is. Source: the grammar
``spec/handlebars`` and the helpers of github.com/google/dotprompt.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from fedprompt.errors import ExportError
from fedprompt.exports.syntax import Part, Variable, append, offered_name

__all__ = ["Role", "read_handlebars"]

_OPENING = re.compile(r"(\\*)\{\{")
_TAGS = (
    re.compile(r"\{\{(~?)(!--.*?)--(~?)\}\}", re.S),
    re.compile(r"\{\{(~?)\{(.*?)\}(~?)\}\}", re.S),
    re.compile(r"\{\{(~?)(.*?)(~?)\}\}", re.S),
)
_NAME = re.compile(r"([^\W\d][\w-]*)|\[([\w .-]+)\]")  # documents.revive gives a field's name to what is none
_ROLE = re.compile(r"""role\s+(?:"([^"]*)"|'([^']*)')""")
_HELPERS = {
    "history": "stands for the earlier messages of a conversation, which no field holds; remove it",
    "json": "writes a value as JSON; write a plain variable",
    "media": "shows a picture or another file, and fields are text; remove it",
    "role": 'needs a role in quotes, such as {{role "user"}}',
    "section": "stands for text that a program puts in; remove it",
    "lookup": "looks a value up; write a plain variable",
    "log": "writes to a log; remove it",
    "this": "is the whole input; write the name of a field",
}
_KEYWORDS = frozenset({"else", "false", "null", "true", "undefined"})


@dataclass(frozen=True)
class Role:
    """From here on a message of this role."""

    name: str


@dataclass
class _Tag:
    body: str
    line: int
    before: bool
    after: bool


def read_handlebars(
    text: str, where: str, *, line: int = 1, constant: Callable[[str], str | None] = lambda name: None
) -> tuple[tuple[Part | Role, ...], bool]:
    """Return what a text is made of, and whether comments in it were left out.

    Args:
        text: what to read.
        where: begins the message of an error.
        line: the number of the text's first line in its file.
        constant: the text that stands for a variable, None where it is a field.

    Raises:
        ExportError: a tag that is more than a variable, or one that never ends.
    """
    tokens = _without_comment_lines(_stripped(_tokens(text, where, line)))
    found: list[Part | Role] = []
    comments = False
    for token in tokens:
        if isinstance(token, str):
            append(found, token)
        elif token.body.startswith("!"):
            comments = True
        elif (role := _ROLE.fullmatch(token.body)) is not None:
            found.append(Role(role[1] if role[1] is not None else role[2]))
        else:
            name = _field(token, where)
            fixed = constant(name)
            if fixed is None:
                found.append(Variable(name))
            else:
                append(found, fixed)
    return tuple(found), comments


def _tokens(text: str, where: str, line: int) -> list[str | _Tag]:
    found: list[str | _Tag] = []
    kept, at = "", 0
    while (opening := _OPENING.search(text, at)) is not None:
        slashes = len(opening[1])
        literal = text[at : opening.start()]
        if slashes == 1:  # \{{ is two braces
            kept += literal + "{{"
            at = opening.end()
            continue
        found.append(kept + literal + "\\" * max(0, slashes - 1))
        kept = ""
        begin = opening.end() - 2
        number = line + text.count("\n", 0, begin)
        if text.startswith("{{{{", begin):
            raise ExportError(
                f"{where}, line {number}: a raw block ('{{{{{{{{') is not read; write it as plain text",
                code="not-plain-variable",
            )
        tag = next(filter(None, (pattern.match(text, begin) for pattern in _TAGS)), None)
        if tag is None:
            raise ExportError(
                f"{where}, line {number}: a tag begins with '{{{{' and never ends; close it with '}}}}'",
                code="tag-open",
            )
        body = tag[2].strip()
        body = body[1:].strip() if body.startswith("&") else body
        found.append(_Tag(body, number, bool(tag[1]), bool(tag[3])))
        at = tag.end()
    return [*found, kept + text[at:]]


def _stripped(tokens: list[str | _Tag]) -> list[str | _Tag]:
    """Take away the white space beside ``{{~`` and ``~}}``."""
    for at, token in enumerate(tokens):
        before, after = tokens[at - 1] if at else None, tokens[at + 1] if at + 1 < len(tokens) else None
        if not isinstance(token, _Tag):
            continue
        if token.before and isinstance(before, str):
            tokens[at - 1] = before.rstrip()
        if token.after and isinstance(after, str):
            tokens[at + 1] = after.lstrip()
    return tokens


def _without_comment_lines(tokens: list[str | _Tag]) -> list[str | _Tag]:
    """Take away the lines that hold nothing but one comment, as Dotprompt's Handlebars does.

    To it such a line ends, too, where a comment and then only white space come before the next tag.
    """
    # Texts and tags alternate, since _tokens puts a text, perhaps an empty one, before each tag and at the end. Which
    # comments stand alone is told by the text as it was, before any line of it is taken away.
    alone = []
    for at, token in enumerate(tokens):
        if not isinstance(token, _Tag) or not token.body.startswith("!"):
            continue
        end = re.match(r"[ \t]*(?:\n|\Z)", _text(tokens, at + 1))
        last = at + 2 >= len(tokens)
        if _begins_line(tokens, at) and end is not None and (end[0] or last):
            alone.append((at, end.end()))
    for at, end_at in alone:
        for back in range(at - 1, -1, -1):
            before = tokens[back]
            if not isinstance(before, str):
                break
            tokens[back] = before[: before.rfind("\n") + 1]
            if "\n" in before:
                break
        tokens[at + 1] = _text(tokens, at + 1)[end_at:]
    return tokens


def _text(tokens: list[str | _Tag], at: int) -> str:
    token = tokens[at]
    return token if isinstance(token, str) else ""


def _begins_line(tokens: list[str | _Tag], at: int) -> bool:
    for back in range(at - 1, -1, -1):
        before = tokens[back]
        if not isinstance(before, str):
            return False
        line = before[before.rfind("\n") + 1 :]
        if line.strip(" \t"):
            return False
        if "\n" in before:
            return True
    return True


def _field(tag: _Tag, where: str) -> str:
    """Return the field that a tag names.

    Raises:
        ExportError: it names none; the message says what it is instead.
    """
    shown = " ".join("".join(one if one.isprintable() else " " for one in tag.body[:60]).split())
    place = f"{where}, line {tag.line}: the tag '{{{{{shown}}}}}'"
    name = _NAME.fullmatch(tag.body)
    if name is not None and tag.body not in _HELPERS and tag.body not in _KEYWORDS:
        return name[1] or name[2]
    word = re.match(r"[^\W\d]\w*", tag.body)
    if word is not None and word[0] in _HELPERS:
        raise ExportError(f"{place} {_HELPERS[word[0]]}", code="not-plain-variable")
    for begin, what in (
        ("#>", "puts in another file's text; write that text in its place"),
        (">", "puts in another file's text; write that text in its place"),
        ("#", "begins a block that depends on the input, which is not read; write plain variables"),
        ("^", "begins a block that depends on the input, which is not read; write plain variables"),
        ("/", "ends a block that depends on the input, which is not read; write plain variables"),
        ("*", "is a decorator, which is not read; remove it"),
        ("@", "is a value that the calling program gives and no case has; remove it, or write a field's name"),
    ):
        if tag.body.startswith(begin):
            raise ExportError(f"{place} {what}", code="not-plain-variable")
    offered = offered_name(tag.body)
    do = (
        f"write {{{{{offered}}}}} and call the field '{offered}'" if offered else "write it as text or a plain variable"
    )
    raise ExportError(
        f"{place} is more than a variable, and only plain variables are read; {do}", code="not-plain-variable"
    )
