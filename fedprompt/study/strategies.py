"""What a study says to its strategy: closed options with defaults, so that a change of one changes the digest.

A name or an option that there is not is refused when the study is read, before any site is asked for anything.
"""

from collections.abc import Mapping

from pydantic import ValidationError

from fedprompt.boundary.unfit import first_fault
from fedprompt.errors import FederationError
from fedprompt.strategies.registry import strategy_named
from fedprompt.strategies.strategy import Options, Strategy

__all__ = ["filled_options", "least_sites"]


def filled_options(name: str, given: Mapping[str, float]) -> dict[str, float]:
    """Return a strategy's options with the defaults filled in.

    Raises:
        ValueError: no such strategy, with the nearest name; an option that the strategy does not have, or a value out
            of its bounds; says which.
    """
    return {option: float(value) for option, value in _read(_named(name), given).model_dump().items()}


def least_sites(name: str, options: Mapping[str, float]) -> int:
    """Return how many sites must answer a round for the strategy to hold what it promises.

    Raises:
        ValueError: as :func:`filled_options`.
    """
    return _read(_named(name), options).least()


def _named(name: str) -> Strategy:
    try:
        return strategy_named(name)
    except FederationError as error:
        raise ValueError(str(error)) from None


def _read(strategy: Strategy, given: Mapping[str, float]) -> Options:
    try:
        return strategy.options.model_validate(dict(given))
    except ValidationError as error:
        fault = first_fault(error)
        option = str(fault.place[0])
        if fault.kind == "extra_forbidden":
            known = ", ".join(strategy.options.model_fields) or "none"
            raise ValueError(f"{strategy.name} has no option '{option}'; its options: {known}") from None
        raise ValueError(f"{strategy.name}'s option '{option}': {fault.reason}") from None
