"""What is wrong with a value of a study, in words that say what to write instead.

Invariant: a value is quoted as it stands in the file (``NO``, ``010``), never as a parser read it (``False``, ``8``).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from fedprompt.boundary.unfit import Unfit
from fedprompt.prompts.habits import field_name_for
from fedprompt.study.plain_yaml import Document, Node

__all__ = ["as_text", "bare_key", "place_of", "reason_of", "told_otherwise"]

Place = tuple[str | int, ...]
_BARE = ("number", "truth", "date", "nothing")
_PATTERNS = {
    r"^[\w .+/:-]+$": "may have only letters, digits, spaces and the signs . + / : - _",
    r"^\w[\w +-]*$": "starts with a letter or a digit, and may have only letters, digits, spaces and the signs + - _",
}
_FIELD = r"^[A-Za-z_]\w*$"


def place_of(document: Document, given: Sequence[str | int]) -> Place:
    """Return a schema's path without its own marks (which of several forms it tried), as the file has it."""
    found: Place = ()
    for part in given:
        if part == "[key]":
            break
        _, node = document.find((*found, part))
        above = document.find(found)[1]
        scalar = above is not None and above.kind not in ("list", "mapping")
        if node is None and (scalar or part in ("text", "mapping", "options")):
            continue
        found = (*found, part)
    return found


def reason_of(document: Document, place: Place, error: Unfit) -> str:
    """Return what is wrong at a place, of the schema's error there."""
    kind, reason = error.kind, error.reason
    node = document.find(place)[1]
    if kind == "extra_forbidden":
        return "is not a field of a study; check the spelling"
    if kind == "missing":
        return "is missing"
    as_init = place[-1:] == ("init",) and kind in ("model_type", "model_attributes_type")
    if node is not None and (kind in ("string_type", "invalid-json-value") or as_init):
        return as_text(document, node, place) or "must be a text"
    if kind in ("tuple_type", "list_type"):
        return "must be a list: [a, b], or a line '- a' for each"
    if kind == "too_long":
        return re.sub(r"^\w+ should have at most (\d+) .*", r"at most \1 are read here; take some out", reason)
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "must have 'key: value' lines"
    if node is not None and kind in ("int_parsing", "int_type", "float_parsing", "float_type", "int_from_float"):
        what = "whole number" if kind.startswith("int") else "number"
        return f"{document.written(node) or 'nothing'} is not a valid {what}; write digits, such as 10"
    if kind == "string_pattern_mismatch":
        if _FIELD in reason and node is not None:
            return _no_field(str(node.value))
        return next((f"a name {told}" for pattern, told in _PATTERNS.items() if pattern in reason), reason)
    return reason


def as_text(document: Document, node: Node, place: Place = ()) -> str | None:
    """Return how to write a value as the text that it was meant to be; None where it is a text."""
    written = document.written(node)
    if node.kind in ("list", "mapping"):
        if not written.startswith(("{", "[")):
            return f"must be a text, but this is a {node.kind}; write one text, in quotes"
        whole = _quoted(written)
        return f"YAML reads {written[0]} as the start of a {node.kind}; put the whole text in quotes: {whole}"
    if node.kind not in _BARE:
        return None
    if not written:
        return "is empty, but must be a text; write it after the colon"
    others = [document.written(one) for one in _siblings(document, place) if one.kind in _BARE and one is not node]
    also = f"; the same applies to {_listed([one for one in others if one])}" if any(others) else ""
    return f"YAML reads {written} as {_read_as(node, written)}, not as text; put it in quotes: {_quoted(written)}{also}"


def bare_key(document: Document) -> tuple[int, Place, str] | None:
    """Return line, place and reason of the first key that YAML does not read as text; None where all are texts."""
    for place, node in _nodes(document.root):
        for key, _ in node.entries:
            if key.kind != "text":
                written = document.written(key)
                if not written:
                    return key.line, place, "a key is empty; write a name before the colon"
                read = _read_as(key, written)
                reason = f"YAML reads the key {written} as {read}, not as text; put it in quotes: {_quoted(written)}"
                return key.line, place, reason
    return None


def told_otherwise(document: Document, made: Any) -> tuple[int, Place, str] | None:
    """Return the first value that a schema took for another than its author meant; None where there is none.

    YAML 1.1 reads ``010`` as 8 and ``1:30`` as 90, and a schema takes ``yes`` for 1.
    """
    for place, node in _nodes(document.root):
        if node.kind not in ("number", "truth"):
            continue
        written = document.written(node)
        if node.kind == "number" and (re.match(r"[-+]?0[0-7_]+$", written) or ":" in written):
            return (
                node.line,
                place,
                f"YAML reads {written} as the number {node.value}; write {node.value} if you mean that number",
            )
        taken = _at(made, place)
        number = isinstance(taken, int | float) and not isinstance(taken, bool)
        if node.kind == "truth" and number:
            return node.line, place, f"YAML reads {written} as {str(node.value).lower()}, but this must be a number"
        if node.kind == "number" and isinstance(taken, bool):
            return node.line, place, f"{written} is a number, but this must be true or false"
    return None


def _no_field(name: str) -> str:
    near = field_name_for(name)[:80]
    plain = near if re.match(r"[A-Za-z_]", near) else "text"
    return (
        f"'{name[:60]}' is not a valid field name, which has only letters, digits and _; write {plain} here "
        f"and in the templates, and map the column with --map '{plain}={name[:60]}'"
    )


def _read_as(node: Node, written: str) -> str:
    if node.kind == "truth":
        return str(node.value).lower()
    if node.kind == "number":
        return "a number" if str(node.value) == written else f"the number {node.value}"
    return "a date" if node.kind == "date" else "nothing"


def _quoted(written: str) -> str:
    return "'" + written.replace("'", "''") + "'" if set('"\\') & set(written) else f'"{written}"'


def _siblings(document: Document, place: Place) -> Sequence[Node]:
    """Return the values of the list that a place is in; of a mapping none, since each may want something else."""
    above = document.find(place[:-1])[1] if place else None
    return () if above is None else above.items


def _listed(written: Sequence[str]) -> str:
    shown = list(dict.fromkeys(written))
    if len(shown) > 5:
        return f"{', '.join(shown[:4])} and {len(shown) - 4} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _nodes(root: Node | None) -> Iterator[tuple[Place, Node]]:
    """Yield every value with its place, in the order of the text."""
    waiting: list[tuple[Place, Node]] = [] if root is None else [((), root)]
    while waiting:
        place, node = waiting.pop()
        yield place, node
        inner = [((*place, n), one) for n, one in enumerate(node.items)]
        inner += [((*place, str(key.value)), one) for key, one in node.entries]
        waiting += reversed(inner)


def _at(made: Any, place: Place) -> Any:
    """Return what a schema made of a place; an option written beside a scorer's name lies among its options."""
    for part in place:
        if isinstance(made, BaseModel):
            known = part in type(made).model_fields
            made = getattr(made, str(part)) if known else getattr(made, "options", {}).get(part)
        elif isinstance(made, Mapping):
            made = made.get(part)
        elif isinstance(made, list | tuple) and isinstance(part, int) and part < len(made):
            made = made[part]
        else:
            return None
    return made
