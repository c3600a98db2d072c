"""The strategies that a study may name."""

from fedprompt.errors import FederationError, did_you_mean
from fedprompt.federation.strategies.fedavg import FedAvg
from fedprompt.federation.strategies.strategy import Strategy

__all__ = ["register", "strategy_named", "strategy_names"]

_known: dict[str, Strategy] = {}


def register(strategy: Strategy) -> Strategy:
    """Make a strategy known by its name, and return it.

    Raises:
        FederationError: the name is taken.
    """
    if strategy.name in _known:
        raise FederationError(f"the strategy name '{strategy.name}' is taken; give the new strategy another name")
    _known[strategy.name] = strategy
    return strategy


def strategy_named(name: str) -> Strategy:
    """Return the strategy of that name.

    Raises:
        FederationError: there is none; suggests the nearest name.
    """
    if name not in _known:
        raise FederationError(f"unknown strategy '{name}'{did_you_mean(name, _known)}")
    return _known[name]


def strategy_names() -> tuple[str, ...]:
    """Return all known names, sorted."""
    return tuple(sorted(_known))


register(FedAvg())
