"""Units of a split: the smallest sets of cases that must stay together.

Two cases belong to one unit if they share an input or a group, directly or through others. A unit is known by
the HMACs of its inputs and groups under the site's key; nothing else about a case is ever stored. A case
whose input and group were put into different splits earlier fits nowhere and is left out.
"""

import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case, input_key

__all__ = ["KEY_BYTES", "Unit", "Units", "find_units", "keys_of", "unit_numbers"]

KEY_BYTES = 32


@dataclass(frozen=True)
class Unit:
    """Cases that stay together.

    Args:
        order: the hexadecimal HMAC by which units are ordered.
        keys: the hexadecimal HMACs of its inputs and groups, sorted.
        cases: its cases, in an order that the file does not decide.
        answer: the answer that most of its cases have.
        split: the split that an earlier assignment gives it, or None.
    """

    order: str
    keys: tuple[str, ...]
    cases: tuple[Case, ...]
    answer: str
    split: str | None


@dataclass(frozen=True)
class Units:
    """All units in HMAC order, and the cases that fit nowhere."""

    units: tuple[Unit, ...]
    left_out: tuple[Case, ...]


@dataclass(frozen=True)
class _Keyed:
    case: Case
    input: str
    group: str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.input,) if self.group is None else (self.input, self.group)


def find_units(
    cases: Sequence[Case], key: bytes, earlier: Mapping[str, str], fields: Sequence[str] | None = None
) -> Units:
    """Return the units of the cases.

    Args:
        cases: the cases, in any order.
        key: the site's key, 32 bytes.
        earlier: hexadecimal HMAC -> split of an earlier assignment.
        fields: the fields that make up an input; all if None.

    Raises:
        DataError: the key is not 32 bytes long.
    """
    if len(key) != KEY_BYTES:
        raise DataError(
            f"the site's key is {len(key)} bytes long, not {KEY_BYTES}; restore it from its backup", code="key-length"
        )
    keyed = [_Keyed(case, *keys_of(case, key, fields)) for case in cases]
    units: list[Unit] = []
    left_out: list[Case] = []
    for part in _parts(keyed):
        splits = {earlier[k] for each in part for k in each.keys if k in earlier}
        if len(splits) < 2:
            units.append(_unit(part, next(iter(splits), None)))
            continue
        kept, lost = _untangle(part, earlier)
        left_out.extend(each.case for each in lost)
        units.extend(_unit(again, _split(again, earlier)) for again in _parts(kept))
    return Units(tuple(sorted(units, key=lambda unit: unit.order)), tuple(left_out))


def keys_of(case: Case, key: bytes, fields: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the hexadecimal HMACs that a case is known by: of its input and, where it has one, of its group."""
    found = (_hmac(key, "input", input_key(case, fields)),)
    return found if case.group is None else (*found, _hmac(key, "group", case.group))


def unit_numbers(cases: Sequence[Case], fields: Sequence[str] | None = None) -> tuple[int, ...]:
    """Return a number for each case, the same for those of one unit, so that units can be counted.

    Args:
        fields: the fields that make up an input; all if None.
    """
    units = find_units(cases, bytes(KEY_BYTES), {}, fields).units
    numbers = {id(case): number for number, unit in enumerate(units) for case in unit.cases}
    return tuple(numbers[id(case)] for case in cases)


def _hmac(key: bytes, kind: str, text: str) -> str:
    return hmac.new(key, f"{kind}\0{text}".encode(), hashlib.sha256).hexdigest()


def _parts(keyed: Iterable[_Keyed]) -> list[list[_Keyed]]:
    """Return the cases in connected parts, by union-find over their keys."""
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    everything = list(keyed)
    for each in everything:
        for other in each.keys[1:]:
            parent[root(other)] = root(each.input)
    parts: dict[str, list[_Keyed]] = defaultdict(list)
    for each in everything:
        parts[root(each.input)].append(each)
    return list(parts.values())


def _unit(part: Sequence[_Keyed], split: str | None) -> Unit:
    inside = sorted(part, key=lambda each: (each.input, each.case.answer, each.group or ""))
    counts = Counter(each.case.answer for each in inside)
    groups = [each.group for each in inside if each.group is not None]
    return Unit(
        order=min(groups) if groups else min(each.input for each in inside),
        keys=tuple(sorted({k for each in inside for k in each.keys})),
        cases=tuple(each.case for each in inside),
        answer=min(counts, key=lambda answer: (-counts[answer], answer)),
        split=split,
    )


def _split(part: Sequence[_Keyed], earlier: Mapping[str, str]) -> str | None:
    return next((earlier[k] for each in part for k in each.keys if k in earlier), None)


def _untangle(part: Sequence[_Keyed], earlier: Mapping[str, str]) -> tuple[list[_Keyed], list[_Keyed]]:
    """Keep the cases whose keys all point to one split.

    A new key points where the earlier keys beside it point.
    """
    points: dict[str, set[str]] = defaultdict(set)
    for each in part:
        for k in each.keys:
            points[k] |= (
                {earlier[other] for other in each.keys if other in earlier} if k not in earlier else {earlier[k]}
            )
    kept: list[_Keyed] = []
    lost: list[_Keyed] = []
    for each in part:
        sure = all(points[k] for k in each.keys) and len(set().union(*(points[k] for k in each.keys))) == 1
        (kept if sure else lost).append(each)
    return kept, lost
