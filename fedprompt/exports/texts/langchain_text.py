"""LangChain's template texts in each of its three syntaxes, read into parts; bound variables become text.

Sources: ``prompts/string.py``, ``utils/mustache.py`` and ``utils/formatting.py`` of langchain-core 1.7. Nothing is
rendered. Invariant: the parts, filled in, are what LangChain writes for the same case, or the text is refused by the
name of what a field cannot do; where LangChain changes a case's text on the way, that is told.
"""

import html
import re
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.syntax import Part, Variable
from fedprompt.exports.texts.chat import tell
from fedprompt.exports.texts.jinja_reading import read_jinja
from fedprompt.prompts.template import MAX_TEMPLATE_CHARACTERS

__all__ = ["bound_of", "read_text"]

MAX_BOUND = 1000
_NAME = re.compile(r"\w(?:[\w -]*\w)?")
_KINDS = {
    "!": "comment",
    "#": "section",
    "^": "inverted section",
    "/": "section's end",
    ">": "partial",
    "=": "change of delimiters",
    "{": "variable",
    "&": "variable",
}


def bound_of(value: Any, where: str) -> dict[str, Any]:
    """Return what ``partial_variables`` bind, which is asked to be text only where a template names it.

    Raises:
        ExportError: it is no mapping.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > MAX_BOUND:
        raise ExportError(f"{where}: its partial_variables are not a mapping of names to texts", code="not-well-formed")
    return {str(name): one for name, one in value.items()}


def _bound_text(bound: Mapping[str, Any], name: str, where: str) -> str:
    """Return the text that a variable is bound to, as LangChain would write it."""
    value = bound[name]
    if isinstance(value, str | int | float) or value is None:
        return str(value)
    made = isinstance(value, Mapping) and value.get("type") == "not_implemented"
    what = "a function, which no file holds" if made else "something that is not a text"
    raise ExportError(
        f"{where}: the variable {name[:60]!r} is bound to {what}; bind it to a text, or leave it open",
        code="bound-to-no-text",
    )


def read_text(template: Any, syntax: Any, bound: Mapping[str, Any], where: str, dropped: list[str]) -> list[Part]:
    """Return the parts of a template.

    Args:
        template: its text.
        syntax: ``f-string``, ``mustache`` or ``jinja2``; None is the first.
        bound: name -> what a variable is bound to.
        where: begins the message of an error.
        dropped: takes a sentence for what LangChain would do besides.

    Raises:
        ExportError: no text, or one that holds more than plain variables.
    """
    if not isinstance(template, str):
        raise ExportError(f"{where} has no text where its template should be", code="no-text")
    if len(template) > MAX_TEMPLATE_CHARACTERS:
        raise ExportError(
            f"{where}: its template is longer than {MAX_TEMPLATE_CHARACTERS:,} characters", code="too-long"
        )
    if syntax in (None, "f-string"):
        found = _f_string(template, bound, where)
    elif syntax == "mustache":
        found = _mustache(template, bound, where, dropped)
    elif syntax == "jinja2":
        found = _jinja(template, bound, where, dropped)
    else:
        raise ExportError(
            f"{where} is written in {str(syntax)[:40]!r}; only f-string, mustache and jinja2 templates are read",
            code="unread-syntax",
        )
    # A bound text may be named very often; so the sum is known before anything is joined.
    if sum(len(part) for part in found if isinstance(part, str)) > MAX_TEMPLATE_CHARACTERS:
        raise ExportError(
            f"{where}: with what is bound in it, it is longer than {MAX_TEMPLATE_CHARACTERS:,} characters",
            code="too-long",
        )
    return found


def _jinja(template: str, bound: Mapping[str, Any], where: str, dropped: list[str]) -> list[Part]:
    read = read_jinja(template, f"{where}: its template")
    if read.comments:
        tell(dropped, f"{where}: its template's comments were left out")
    return [
        _bound_text(bound, part.name, where) if isinstance(part, Variable) and part.name in bound else part
        for part in read.parts
    ]


def _f_string(template: str, bound: Mapping[str, Any], where: str) -> list[Part]:
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise ExportError(
            f"{where}: its braces do not match ({error}); write {{{{ and }}}} for plain braces", code="braces"
        ) from error
    found: list[Part] = []
    for literal, name, spec, conversion in parsed:
        found.append(literal)
        if name is None:
            continue
        written = "{" + name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "") + "}"
        shown = repr(written[:60])
        if conversion or spec:
            kind = "a format" if spec else "a conversion"
            raise ExportError(
                f"{where}: {shown} has {kind}, and a field's text is inserted unchanged; write {{{name[:60]}}} "
                "and prepare the field",
                code="not-plain-variable",
            )
        if "." in name or "[" in name or "]" in name:
            raise ExportError(
                f"{where}: {shown} looks inside a value, and a field is one text; give that text a field",
                code="not-plain-variable",
            )
        if not name.strip() or name.isdigit():
            raise ExportError(
                f"{where}: {shown} has a number or nothing for a name; give the variable a name",
                code="not-plain-variable",
            )
        found.append(_bound_text(bound, name, where) if name in bound else Variable(name))
    return found


def _mustache(template: str, bound: Mapping[str, Any], where: str, dropped: list[str]) -> list[Part]:
    found: list[Part] = []
    for kind, key in _tokens(template, where):
        if kind == "literal":
            found.append(key)
        elif kind not in ("", "&", "{"):
            raise ExportError(
                f"{where}: its mustache tag {key[:40]!r} is a {_KINDS[kind]}, which is more than a variable; write the "
                "text out",
                code="not-plain-variable",
            )
        elif "." in key:
            raise ExportError(
                f"{where}: the mustache tag {key[:40]!r} looks inside a value, and a field is one text; name a field",
                code="not-plain-variable",
            )
        elif not _NAME.fullmatch(key):
            raise ExportError(
                f"{where}: the mustache tag {key[:40]!r} is not a variable's name; give the variable a name",
                code="not-plain-variable",
            )
        elif key in bound:
            text = _bound_text(bound, key, where)
            found.append(text if kind else html.escape(text, quote=False).replace('"', "&quot;"))
        else:
            found.append(Variable(key))
            if not kind:
                tell(
                    dropped,
                    f"{where}: mustache writes &, <, > and quotes of a case as HTML (&amp; and so on); here they go in "
                    "as they are",
                )
    return found


def _tokens(template: str, where: str) -> Iterator[tuple[str, str]]:
    """Yield literals and (sign, key) of tags; a comment is left out, with its line where it stands there alone."""
    at, alone = 0, True
    while (begin := template.find("{{", at)) >= 0:
        literal = template[at:begin]
        end = template.find("}}", begin + 2)
        inner = template[begin + 2 : end] if end >= 0 else ""
        if not inner:
            line = template.count("\n", 0, begin) + 1
            raise ExportError(
                f"{where}: a mustache tag in line {line} of its template has no name or no end; close it",
                code="tag-open",
            )
        kind = inner[0] if inner[0] in _KINDS else ""
        at = end + 2
        if kind == "{":
            if not template.startswith("}", at):
                raise ExportError(
                    f"{where}: its mustache tag {inner[:40]!r} opens three braces and closes two", code="tag-open"
                )
            at += 1
        before = literal.rsplit("\n", 1)[-1]
        alone = ("\n" in literal or alone) and not before.strip() and kind not in ("", "&", "{")
        rest = template.find("\n", at)
        alone = alone and not template[at : rest if rest >= 0 else len(template)].strip()
        if alone:
            literal = literal.rstrip(" ")
            at = rest + 1 if rest >= 0 else at
        if literal:
            yield "literal", literal
        if kind != "!":
            yield kind, (inner[1:] if kind else inner).strip()
    if template[at:]:
        yield "literal", template[at:]
