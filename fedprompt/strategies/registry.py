"""The strategies that a study may name."""

from fedprompt.errors import FederationError, did_you_mean
from fedprompt.strategies.adaptive import FedAdam, FedYogi
from fedprompt.strategies.bulyan import Bulyan
from fedprompt.strategies.diloco import DiLoCo
from fedprompt.strategies.fedavg import FedAvg
from fedprompt.strategies.fedavgm import FedAvgM
from fedprompt.strategies.fedbuff import FedBuff
from fedprompt.strategies.fedprox import FedProx
from fedprompt.strategies.flame import Flame
from fedprompt.strategies.geometric_median import GeometricMedian
from fedprompt.strategies.median import Median
from fedprompt.strategies.multi_krum import MultiKrum
from fedprompt.strategies.nearest_mixing import NearestMixing
from fedprompt.strategies.norm_bounded_mean import NormBoundedMean
from fedprompt.strategies.strategy import Strategy
from fedprompt.strategies.trimmed_mean import TrimmedMean

__all__ = ["register", "strategy_named", "strategy_names"]

_known: dict[str, Strategy] = {}


def register(strategy: Strategy) -> Strategy:
    """Make a strategy known by its name, and return it.

    Raises:
        FederationError: the name is taken.
    """
    if strategy.name in _known:
        raise FederationError(
            f"the strategy name '{strategy.name}' is already used; choose another name",
            code="strategy-name-taken",
        )
    _known[strategy.name] = strategy
    return strategy


def strategy_named(name: str) -> Strategy:
    """Return the strategy of that name.

    Raises:
        FederationError: there is none; suggests the nearest name.
    """
    if name not in _known:
        raise FederationError(f"unknown strategy '{name}'{did_you_mean(name, _known)}", code="unknown-strategy")
    return _known[name]


def strategy_names() -> tuple[str, ...]:
    """Return all known names, in the order in which people are shown them."""
    return tuple(_known)


register(FedAvg())
register(FedAvgM())
register(DiLoCo())
register(FedProx())
register(FedAdam())
register(FedYogi())
register(Median())
register(TrimmedMean())
register(GeometricMedian())
register(MultiKrum())
register(Bulyan())
register(NearestMixing())
register(Flame())
register(NormBoundedMean())
register(FedBuff())
