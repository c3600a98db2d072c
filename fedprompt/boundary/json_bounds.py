"""Counts what JSON from elsewhere holds before anything is built of it: bytes, values, lists, members, depth, digits.

A parser makes up to 500 bytes of memory out of three bytes (``{},``), and a schema makes an error out of each unknown
field. Invariant: :func:`measure` allocates a number for each member that an open object may have and no more, and ends
at the first bound that is passed; so what is refused costs no more than what is taken. A key that an object has twice
is refused here too: two readers would take two values (RFC 8259, section 4).
"""

import contextlib
import json
import re
from dataclasses import dataclass

from fedprompt.boundary.unfit import Unfit

__all__ = ["Bounds", "measure"]

# A string (with the colon behind it, where it is a key), or its beginning where its end is missing.
# The last is filler.
_TOKEN = re.compile(
    rb'("(?:[^"\\]++|\\.)*+(?:"(?:\s*+:)?|\\?\Z))|([\[{])|([\]}])|([^\s\[\]{},:"]++)|[\s,:]{8,}+', re.DOTALL
)
_STRING, _OPEN, _CLOSE = 1, 2, 3
_COLON = ord(":")


@dataclass(frozen=True)
class Bounds:
    """The most that one kind of message holds.

    ``values`` counts texts, keys and numbers, ``nested`` lists and objects, ``members`` those of a single object;
    ``digits`` is how long a number is written.
    """

    size: int
    values: int = 20_000
    nested: int = 2_000
    members: int = 1_000
    depth: int = 32
    digits: int = 40


def measure(data: bytes, bounds: Bounds, key: str = "") -> tuple[str, ...]:
    """Return the texts and numbers that the outermost object holds under ``key``, every one that is written.

    Syntax is left to the parser: what is not JSON passes here if it is small.

    Raises:
        Unfit: a bound is passed, or an object has a key twice; says which.
    """
    if len(data) > bounds.size:
        raise Unfit((), f"has {len(data):,} bytes, and at most {bounds.size:,} are taken")
    wanted, awaited = f'"{key}"'.encode(), False
    found: list[str] = []
    values = nested = 0
    members: list[set[int]] = []  # of each object or list that is open, its keys by their hashes
    for match in _TOKEN.finditer(data):
        kind, (start, end) = match.lastindex, match.span()
        if kind is None:
            continue
        if kind == _OPEN:
            nested += 1
            members.append(set())
            awaited = False
            if nested > bounds.nested:
                raise Unfit((), f"holds more than {bounds.nested:,} lists and objects; refused")
            if len(members) > bounds.depth:
                raise Unfit((), f"is nested deeper than {bounds.depth}; refused")
        elif kind == _CLOSE:
            if members:
                members.pop()
        else:
            values += 1
            if values > bounds.values:
                raise Unfit((), f"holds more than {bounds.values:,} values; refused")
            if kind != _STRING and end - start > bounds.digits:
                raise Unfit((), f"holds a number of more than {bounds.digits} digits; refused")
            if awaited and end - start < 200:
                found.append(data[start:end].strip(b'"').decode("utf-8", "replace"))
            awaited = False
            if members and kind == _STRING and data[end - 1] == _COLON:
                if (name := _named(match[_STRING])) in members[-1]:
                    raise Unfit((), "holds an object that has one key twice; refused")
                members[-1].add(name)
                if len(members[-1]) > bounds.members:
                    raise Unfit((), f"holds an object with more than {bounds.members:,} fields; refused")
                awaited = len(members) == 1 and bool(key) and data[start : start + len(wanted)] == wanted
    return tuple(found)


def _named(key: bytes) -> int:
    """Return the hash of a key, however its characters are written."""
    if b"\\" in key:
        with contextlib.suppress(ValueError):  # the parser says what is wrong with it
            return hash(json.loads(key[:-1]))
    return hash(key[1 : key.rindex(b'"')].decode("utf-8", "surrogateescape"))
