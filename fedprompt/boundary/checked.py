"""The one way in for JSON from elsewhere: measured, parsed, and made a frozen value, or refused with one sentence.

Replies, tasks, bundles, releases, invitations, requests, settings and records of runs all come through here.
Invariant: what is refused takes no more memory and time than what is taken, whatever the message says.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from fedprompt.boundary.json_bounds import Bounds, measure
from fedprompt.boundary.unfit import Unfit, first_fault

__all__ = ["Bounds", "Unfit", "checked_json", "checked_value", "first_fault", "plain_json"]

Value = TypeVar("Value")
Model = TypeVar("Model", bound=BaseModel)


def checked_json(
    kind: type[Value] | TypeAdapter[Value],
    data: bytes,
    bounds: Bounds,
    *,
    strict: bool = False,
    by: tuple[str, Mapping[str, Bounds]] | None = None,
) -> Value:
    """Return the value in JSON.

    Args:
        kind: a :class:`~fedprompt.boundary.closed.Closed` model, or a choice among some.
        data: UTF-8.
        bounds: what any message of the kind may hold.
        strict: whether a number in a text and the like is refused.
        by: a field and the bounds that its value gives; a message that lacks it has the least of them.

    Raises:
        Unfit: it is not JSON, not of the kind, or holds too much; no text of it is told but keys.
    """
    named = measure(data, bounds, "" if by is None else by[0])
    if by is not None:
        of = by[1].get(named[0]) if len(named) == 1 else None
        measure(data, of or min(by[1].values(), key=lambda one: one.values))
    try:
        adapter = kind if isinstance(kind, TypeAdapter) else TypeAdapter(kind)
        return adapter.validate_json(data, strict=strict)
    except ValidationError as error:
        fault = first_fault(error)
    except RecursionError:
        fault = Unfit((), "is nested too deep")
    raise fault


def checked_value(kind: type[Model], value: object, bounds: Bounds, *, strict: bool = False) -> Model:
    """Return the model of a value that was parsed already, as of YAML or TOML; ``bounds.size`` is not looked at.

    Raises:
        Unfit: as for :func:`checked_json`.
    """
    _measure_value(value, bounds)
    try:
        return kind.model_validate(value, strict=strict)
    except ValidationError as error:
        fault = first_fault(error)
    raise fault


def plain_json(data: bytes, bounds: Bounds) -> Any:
    """Return JSON that has no schema: an object, a list, a text or a finite number.

    Raises:
        Unfit: it is not JSON, holds half a character or NaN, or too much.
    """
    measure(data, bounds)
    try:
        return from_json(data, allow_inf_nan=False)
    except (ValueError, RecursionError):
        raise Unfit((), "is not JSON", "json_invalid") from None


def _measure_value(value: object, bounds: Bounds) -> None:
    values = nested = 0
    waiting: list[tuple[object, int]] = [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        values += 1
        if isinstance(one, Mapping | Sequence) and not isinstance(one, str | bytes):
            nested += 1
            if depth > bounds.depth:
                raise Unfit((), f"is nested deeper than {bounds.depth}; refused")
            if isinstance(one, Mapping) and len(one) > bounds.members:
                raise Unfit((), f"holds an object with more than {bounds.members:,} fields; refused")
            inner = one.values() if isinstance(one, Mapping) else one
            values += len(one) if isinstance(one, Mapping) else 0
            if values + len(one) + len(waiting) > bounds.values:
                raise Unfit((), f"holds more than {bounds.values:,} values; refused")
            waiting.extend((part, depth + 1) for part in inner)
        elif isinstance(one, int) and not isinstance(one, bool) and one.bit_length() > 3 * bounds.digits:
            raise Unfit((), f"holds a number of more than {bounds.digits} digits; refused")
        if values > bounds.values or nested > bounds.nested:
            raise Unfit((), f"holds more than {bounds.values:,} values; refused")
