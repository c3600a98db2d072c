"""Variables written in another tool's way, which a template takes for plain text: ``{{text}}``, ``<text>``, ``%s``.

Invariant: nothing is changed unasked. A text is only offered, with ``{field}`` where the other tool's variable stood,
and every other character as it was.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Offer", "double_braces", "field_name_for", "offered", "plain_name", "positional"]

# Jinja's and Handlebars' signs inside the braces, a path before the name, calls and filters after it.
_DOUBLE = (
    r"(?<!\{)\$?\{\{[-~&+]?\s*(?:\$?\w+\.)*(?:\w+\[[\"'])?(?P<name>NAME)(?:[\"']\])?"
    r"(?:\.\w+(?:\([^{}()]*\))?)*\s*(?:\|[^{}]*)?[-~+]?\}\}(?!\})"
)
_WORDS = r"(?:(?:insert|enter|paste|put|your|the)[\s_]+){0,3}"
_OTHERS = (
    r"<(?P<name>NAME)>\s*</(?P=name)>",
    r"<%[=-]?\s*@?(?P<name>NAME)\s*%>",
    r"<<\s*(?P<name>NAME)\s*>>",
    r"\[\[\s*(?P<name>NAME)\s*\]\]",
    r"\(\(\s*(?P<name>NAME)\s*\)\)",
    "[\uff5b\u00ab\u2039\u3010]+\\s*(?P<name>NAME)\\s*[\uff5d\u00bb\u203a\u3011]+",  # wide braces, guillemets
    r"%\((?P<name>NAME)\)s",
    r"\$[(\[](?P<name>NAME)[)\]]",
    r"%(?P<name>NAME)%",
    r"#(?P<name>NAME)#",
    r"\b__(?P<name>NAME)__\b",
    rf"<{_WORDS}(?P<name>NAME)(?:[\s_]+here)?\s*/?>",
    rf"\[{_WORDS}(?P<name>NAME)(?:[\s_]+here)?\]",
    r"(?<![\w$])[$@](?P<name>NAME)\b",
    r"(?<![\w:]):(?P<name>NAME)\b",
)
_POSITIONAL = re.compile(r"%s|\$1\b|(?<!\{)\{(?:0|1)?\}(?!\})")
_ANY = r"[A-Za-z_]\w*"


@dataclass(frozen=True)
class Offer:
    """The text with our fields, and the first variable of another tool that it had."""

    text: str
    found: str
    field: str


def offered(source: str, fields: Sequence[str]) -> Offer | None:
    """Return a text with ``{field}`` in place of other tools' variables, None where it has none of them.

    Args:
        source: a template's text in which no field stands.
        fields: the study's; where there is one, a variable of any name in double braces, or one without a name, is it.
    """
    if (double := double_braces(source, fields)) is not None:
        return double
    named = "|".join(map(re.escape, sorted(fields, key=len, reverse=True)))
    for pattern in _OTHERS:
        found = _replaced(pattern, named, source, _same(fields))
        if found is not None and pattern.startswith("<(?P"):
            return Offer(_elements(source, named, fields), found.found, found.field)
        if found is not None:
            return found
    if len(fields) != 1:
        return None
    others = {match["name"] for match in re.finditer(_DOUBLE.replace("NAME", _ANY), source)}
    found = positional(source, fields[0])
    return found or (_replaced(_DOUBLE, _ANY, source, lambda name: fields[0]) if len(others) == 1 else None)


def double_braces(source: str, fields: Sequence[str]) -> Offer | None:
    """Return a text with ``{field}`` in place of ``{{field}}``, ``{{ field|upper }}`` and their like, else None."""
    named = "|".join(map(re.escape, sorted(fields, key=len, reverse=True)))
    return _replaced(_DOUBLE, named, source, _same(fields))


def positional(source: str, field: str) -> Offer | None:
    """Return a text with ``{field}`` in place of its one ``%s``, ``{}`` or ``{0}``, None unless it has one."""
    found = _POSITIONAL.findall(source)
    if len(found) != 1:
        return None
    return Offer(_POSITIONAL.sub("{" + field + "}", source), found[0], field)


def plain_name(variable: str) -> str | None:
    """Return the field that was meant by a variable with spaces, hyphens, a call or a filter; None if none is seen."""
    first = re.match(r"\s*([A-Za-z_]\w*(?:[ -]+\w+)*)\s*(?:[.|!:(\[].*)?\s*$", variable, re.S)
    return None if first is None else re.sub(r"[ -]+", "_", first[1].strip())[:80]


def field_name_for(name: str) -> str:
    """Return a field's name that is near another tool's variable: letters, digits and ``_``; empty if there is none."""
    found = re.sub(r"\W+", "_", name.strip()).strip("_") or ""
    found = f"field_{found}" if found[:1].isdigit() else found
    return found if found.isidentifier() else ""


def _replaced(pattern: str, named: str, source: str, field_of: Callable[[str], str]) -> Offer | None:
    compiled = re.compile(pattern.replace("NAME", named), re.IGNORECASE)
    first = compiled.search(source)
    if first is None:
        return None
    text = compiled.sub(lambda match: "{" + field_of(match["name"]) + "}", source)
    return Offer(text, first[0], field_of(first["name"]))


def _elements(source: str, named: str, fields: Sequence[str]) -> str:
    """Return a text whose empty elements hold their field."""
    own = _same(fields)
    return re.sub(
        rf"(<({named})>)\s*(</\2>)", lambda match: f"{match[1]}{{{own(match[2])}}}{match[3]}", source, flags=re.I
    )


def _same(fields: Sequence[str]) -> Callable[[str], str]:
    """Return a function that finds the field of a name, whatever its case."""
    by_name = {field.casefold(): field for field in reversed(fields)} | {field: field for field in fields}
    return lambda name: by_name.get(name) or by_name[name.casefold()]
