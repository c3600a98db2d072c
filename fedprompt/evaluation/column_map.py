"""Which column of a file is which: ``text=note,answer=label``, by name or by place (``text=#2``).

A column whose name holds a comma or a quote stands in double quotes, quotes inside doubled. What was said of a file's
columns is one value from the command line and the pages down to the readers; a job keeps it as a mapping and a group,
and what was said of the header under the mapping's key ``#header``.

Invariant: ``read_map`` of what ``map_option`` prints, as a shell hands it over, is the mapping that was printed.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fedprompt.errors import DataError
from fedprompt.evaluation.tables.names import at_place, plausible

__all__ = ["BY_NAME", "Columns", "called", "map_option", "read_map"]

HEADER = "#header"
IN_ORDER = "#"  # as a column: the fields stand in the study's order, and the answer last


@dataclass(frozen=True)
class Columns:
    """What was said of a file's columns.

    ``named`` is study field, or ``answer``, -> column, by name or by place (``#2``); one that is not named has its own
    name's column. ``group`` is the column whose equal values stay in one split. ``header`` says whether the file names
    its columns, None where nobody said.
    """

    named: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    header: bool | None = None

    @classmethod
    def said(cls, named: Mapping[str, str] | None, group: str | None, header: bool | None) -> "Columns":
        """Return what a command was told.

        Without a header columns go by place: ``text=2`` is then ``text=#2``, and nothing named means the study's order.
        """
        if header is not False:
            return cls(dict(named or {}), group, header)
        by_place = {name: _place(column) for name, column in (named or {}).items()}
        return cls(by_place or {"answer": IN_ORDER}, None if group is None else _place(group), header)

    @classmethod
    def of(cls, mapping: Mapping[str, str] | None, group: str | None = None) -> "Columns":
        """Return what a job kept."""
        named = dict(mapping or {})
        said = named.pop(HEADER, None)
        return cls(named, group, None if said is None else said == "yes")

    @property
    def mapping(self) -> dict[str, str]:
        """What a job keeps of it beside the group."""
        return {**self.named, **({} if self.header is None else {HEADER: "yes" if self.header else "no"})}

    @property
    def in_order(self) -> bool:
        """Whether the fields stand in the study's order."""
        return IN_ORDER in self.named.values()


BY_NAME = Columns()


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
                "with a comma in double quotes, or its place: text=#2",
                code="not-a-pair",
            )
        if name in found:
            raise DataError(f"{option} names '{name}' twice; name it once", code="named-twice")
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


def _place(column: str) -> str:
    return f"#{column}" if column.isdecimal() else column


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
