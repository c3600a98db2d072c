"""The scorers that a study may name. Invariant: a name means one scorer; it is refused a second time.

What is registered is a scorer with its default options, or the class of one that has none to begin with.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from fedprompt.boundary.unfit import first_fault
from fedprompt.errors import DataError, did_you_mean
from fedprompt.evaluation.scorers.scorer import Scorer

__all__ = [
    "OptionError",
    "is_shipped",
    "option_names",
    "register",
    "scorer_named",
    "scorer_names",
    "scorer_options",
    "scorer_with",
]

S = TypeVar("S", bound="Scorer | type[Scorer]")
_known: dict[str, Scorer | type[Scorer]] = {}
_adapters: dict[type[Any], TypeAdapter[Any]] = {}


class OptionError(DataError):
    """A scorer cannot be had with these options; ``field`` names the option, or is ``name``."""

    code = "scorer-option"

    def __init__(self, field: str, reason: str, *, code: str | None = None) -> None:
        super().__init__(reason if field == "name" else f"{field}: {reason}", code=code)
        self.field, self.reason = field, reason


def register(scorer: S) -> S:
    """Make a scorer, or a class whose ``name`` has a default, known by its name, and return it.

    Raises:
        DataError: the name is taken or empty.
    """
    name = str(getattr(scorer, "name", ""))
    if not name or name in _known:
        raise DataError(
            f"the scorer name '{name}' is empty or taken; give the new scorer another name", code="scorer-name-taken"
        )
    _known[name] = scorer
    return scorer


def scorer_named(name: str) -> Scorer:
    """Return the scorer of that name with its default options.

    Raises:
        DataError: there is none, or it has an option without a default; suggests the nearest name.
    """
    return scorer_with(name, {})


def scorer_with(name: str, options: Mapping[str, object]) -> Scorer:
    """Return the scorer of that name with these options; those not given have their defaults.

    Raises:
        OptionError: no such scorer, no such option, or a value out of its bounds.
    """
    found = _found(name)
    if not options and not isinstance(found, type):
        return found
    known = option_names(name)
    if unknown := [option for option in options if option not in known]:
        told = f"its options are {', '.join(known)}" if known else "it has none"
        raise OptionError(
            unknown[0],
            f"is not an option of the scorer '{name}'{did_you_mean(unknown[0], known)}; {told}",
            code="unknown-option",
        )
    start = {"name": name} if isinstance(found, type) else {f: getattr(found, f) for f in _fields(found)}
    try:
        made: Scorer = _adapter(_class(found)).validate_python({**start, **options})
    except ValidationError as error:
        fault = first_fault(error)
        place, reason = str(fault.place[0]) if fault.place else "name", fault.reason
        if fault.kind == "missing":
            reason = f"is missing; the scorer '{name}' needs it"
        raise OptionError(place, reason, code="option-missing" if fault.kind == "missing" else None) from None
    return made


def scorer_options(scorer: Scorer) -> dict[str, Any]:
    """Return a scorer's options as JSON values, defaults filled in."""
    found: dict[str, Any] = _adapter(type(scorer)).dump_python(scorer, mode="json") if _fields(scorer) else {}
    return {option: value for option, value in found.items() if option != "name"}


def scorer_names() -> tuple[str, ...]:
    """Return all known names, sorted."""
    return tuple(sorted(_known))


def is_shipped(name: str) -> bool:
    """Return whether a name is that of one of fedprompt's own scorers, whose reasons tests hold to quote no case."""
    return name in _known and _class(_known[name]).__module__.startswith(f"{__package__}.")


def option_names(name: str) -> tuple[str, ...]:
    """Return a scorer's options in the order of its file.

    Raises:
        OptionError: no such scorer.
    """
    return tuple(option for option in _fields(_found(name)) if option != "name")


def _found(name: str) -> Scorer | type[Scorer]:
    if name not in _known:
        told = f"unknown scorer '{name}'{did_you_mean(name, _known)}; available: {', '.join(scorer_names())}"
        raise OptionError("name", told, code="unknown-scorer")
    return _known[name]


def _class(found: Scorer | type[Scorer]) -> type[Any]:
    return found if isinstance(found, type) else type(found)


def _fields(found: Scorer | type[Scorer]) -> tuple[str, ...]:
    return tuple(getattr(found, "__dataclass_fields__", ()))


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]
