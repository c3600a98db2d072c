"""Which column of a file is which: ``text=note,answer=label``, by name or by place (``text=#2``).

A column whose name holds a comma or a quote stands in double quotes, quotes inside doubled. Whether the file has a
header travels under the key ``#header``, so that whoever passes a mapping on passes that on too.

Invariant: ``read_map`` of what ``map_option`` prints, as a shell hands it over, is the mapping that was printed.
"""

import shlex
from collections.abc import Mapping, Sequence

from fedprompt.errors import DataError
from fedprompt.evaluation.tables.names import at_place, plausible

__all__ = ["HEADER", "IN_ORDER", "called", "map_option", "read_map", "with_header", "without_header"]

HEADER = "#header"
IN_ORDER = "#"  # as a column: the fields stand in the study's order, and the answer last


def read_map(text: str, option: str = "--map") -> dict[str, str]:
    """Return ``a=b,c="d, e"`` as a mapping.

    Raises:
        DataError: it is not made of such pairs, or names something twice.
    """
    found: dict[str, str] = {}
    at = 0
    while at <= len(text):
        name, equals, _ = text[at:].partition("=")
        begin = at + len(name) + 1
        name = name.strip()
        value, at = _value(text, begin) if equals else ("", at)
        if not (name and equals and value) or "," in name:
            shown = f"'{name}'" if plausible(name) and "," not in name else "a part"
            raise DataError(
                f"{option}: {shown} is not name=column; write for example {option} text=note,answer=label, a column "
                "with a comma in double quotes, or its place: text=#2"
            )
        if name in found:
            raise DataError(f"{option} names '{name}' twice; name it once")
        found[name] = value
    return found


def map_option(pairs: Mapping[str, str]) -> str:
    """Return ``--map ...`` as it can be pasted into a shell."""
    text = ",".join(f"{name}={_quoted(column)}" for name, column in pairs.items())
    return f"--map {shlex.quote(text)}"


def called(column: str, columns: Sequence[str]) -> str:
    """Return what a column is called in messages and maps: its name, or its place where the name cannot be shown."""
    if plausible(column) or column not in columns:
        return column if plausible(column) else "(a name that is not shown)"
    return at_place(list(columns).index(column))


def with_header(mapping: Mapping[str, str] | None, header: bool | None) -> dict[str, str] | None:
    """Return the mapping with what was said of the header; None where nothing was said of anything.

    Without a header columns go by place: ``text=2`` is then ``text=#2``, and no mapping means the study's order.
    """
    if header is None:
        return None if mapping is None else dict(mapping)
    if header:
        return {**(mapping or {}), HEADER: "yes"}
    given = {name: f"#{column}" if column.isdecimal() else column for name, column in (mapping or {}).items()}
    return {**(given or {"answer": IN_ORDER}), HEADER: "no"}


def without_header(mapping: Mapping[str, str]) -> tuple[dict[str, str], bool | None]:
    """Return a mapping's columns, and whether it says that the file has a header; None where it does not say."""
    columns = dict(mapping)
    said = columns.pop(HEADER, None)
    return columns, None if said is None else said == "yes"


def _value(text: str, begin: int) -> tuple[str, int]:
    """Return the column that begins there, and where the next pair begins."""
    rest = text[begin:]
    if not rest.lstrip().startswith('"'):
        value, _, _ = rest.partition(",")
        return value.strip(), begin + len(value) + 1
    at = begin + len(rest) - len(rest.lstrip()) + 1
    found = ""
    while at < len(text):
        if text[at] != '"':
            found += text[at]
        elif text[at + 1 : at + 2] == '"':
            found += '"'
            at += 1
        else:
            after = text[at + 1 :].lstrip()
            if after and not after.startswith(","):
                return "", at
            return found, len(text) + 1 if not after else len(text) - len(after) + 1
        at += 1
    return "", at


def _quoted(column: str) -> str:
    if any(sign in column for sign in ',"') or column != column.strip():
        return '"' + column.replace('"', '""') + '"'
    return column
