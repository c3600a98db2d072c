"""The base of everything that comes from outside: frozen, closed, finite, bounded, and refused at the first error.

Invariant: no list, dictionary, text or number of such a model is without a bound (those that a field does not name are
here), and no list or dictionary collects an error for each of its members.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema

__all__ = ["MOST_CHARACTERS", "MOST_MEMBERS", "Closed"]

MOST_MEMBERS = 100_000
MOST_CHARACTERS = 4_000_000
WHOLE = 2**63
# What says how a value is written, and what is a value itself, is no schema of what is read.
_KEPT = frozenset({"serialization", "metadata", "default", "expected", "config", "cls"})
_NAMED = frozenset({"fields", "choices"})  # name -> schema, whatever the name
_MANY = frozenset({"list", "tuple", "set", "frozenset", "dict"})


def _bounded(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_bounded(one) for one in schema]
    if isinstance(schema, tuple):
        return tuple(_bounded(one) for one in schema)
    if not isinstance(schema, dict):
        return schema
    found = {
        key: {name: _bounded(one) for name, one in value.items()}
        if key in _NAMED and isinstance(value, dict)
        else value
        if key in _KEPT
        else _bounded(value)
        for key, value in schema.items()
    }
    kind = found.get("type")
    if kind in _MANY:
        found["fail_fast"] = True
        if not (kind == "tuple" and "variadic_item_index" not in found):
            found.setdefault("max_length", MOST_MEMBERS)
    elif kind in ("int", "float"):
        most = WHOLE if kind == "int" else float(WHOLE)
        if not found.keys() & {"le", "lt"}:
            found["le"] = most
        if not found.keys() & {"ge", "gt"}:
            found["ge"] = -most
    return found


class Closed(BaseModel):
    """A frozen model that refuses fields it does not know, and NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_max_length=MOST_CHARACTERS)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return pydantic's schema with the bounds that fields leave open."""
        found: CoreSchema = _bounded(handler(source))
        return found
