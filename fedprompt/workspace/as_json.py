"""What an action returns, as JSON: a value's fields are the keys. ``--json``, jobs and the bank take this way alone.

Invariant: of what the bank keeps, ``from_json(type(found), as_json(found)) == found``. A field of ``metadata=ABSENT``
has no key where it is None, one of ``metadata=INLINE`` gives its own fields as keys of the whole, and a name that is a
word of Python ends with an underscore, which its key has not.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

__all__ = ["ABSENT", "INLINE", "as_json", "from_json"]

T = TypeVar("T")
ABSENT: Mapping[str, bool] = {"absent": True}
INLINE: Mapping[str, bool] = {"inline": True}


def as_json(found: Any) -> Any:
    """Return a value as JSON; what is neither a typed value nor a collection is left as it is."""
    if isinstance(found, BaseModel):
        return found.model_dump(mode="json")
    if is_dataclass(found) and not isinstance(found, type):
        told: dict[str, Any] = {}
        for one in fields(found):
            value = getattr(found, one.name)
            if one.metadata.get("inline"):
                told |= {} if value is None else as_json(value)
            elif value is not None or not one.metadata.get("absent"):
                told[_key(one.name)] = as_json(value)
        return told
    if isinstance(found, Mapping):
        return {key: as_json(value) for key, value in found.items()}
    return [as_json(value) for value in found] if isinstance(found, list | tuple) else found


def from_json(kind: type[T], found: Mapping[str, Any]) -> T:
    """Return the typed value that was kept as JSON; what an earlier version did not write is empty."""
    read: T = _read(kind, dict(found))
    return read


def _read(kind: Any, found: Any) -> Any:
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if found is None and type(None) in inside:
            return None
        arms = [one for one in inside if one is not type(None)]
        return _read(next((one for one in arms if is_dataclass(one) == isinstance(found, Mapping)), arms[0]), found)
    if origin is tuple:
        return tuple(_read(inside[0], value) for value in found or ())
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: _read(inside[1], value) for key, value in (found or {}).items()}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind.model_validate(found)
    if not is_dataclass(kind):
        return found
    found, known, there = found or {}, get_type_hints(kind), {}
    for one in fields(kind):
        if one.metadata.get("inline"):
            there[one.name] = _inside(known[one.name], found)
        elif _key(one.name) in found or one.default is MISSING:
            there[one.name] = _read(known[one.name], found.get(_key(one.name)))
    return kind(**there)  # type: ignore[operator]


def _inside(kind: Any, found: Mapping[str, Any]) -> Any:
    """Return what stands inline in a whole; None where it may be missing and none of its keys is there."""
    if type(None) not in (inside := get_args(kind)):
        return _read(kind, found)
    one = next(one for one in inside if one is not type(None))
    return _read(one, found) if {_key(part.name) for part in fields(one)} & set(found) else None


def _key(name: str) -> str:
    return name.removesuffix("_")
