"""The options that a study may give its strategy: closed, with defaults, so that a change of one changes the digest.

Only names, bounds and how many sites are needed; what a strategy does is in ``federation.strategies``. A name that is
not listed here is refused when the study is read, before any site is asked for anything.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, ValidationError

from fedprompt.errors import did_you_mean
from fedprompt.study.closed import Closed
from fedprompt.study.unfit import first_fault

__all__ = ["OPTIONS", "filled_options", "least_sites"]

Liars = Annotated[int, Field(ge=0, le=100_000)]
Share = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0, le=10)]


class Options(Closed):
    """No options; any number of sites will do."""

    def least(self) -> int:
        """How many updates the strategy needs."""
        return 1


class Momentum(Options):
    """FedAvgM's server learning rate and momentum."""

    lr: Rate = 1.0
    momentum: Share = 0.9


class Proximal(Options):
    """FedProx's pull towards the round's start."""

    mu: Annotated[float, Field(ge=0, le=1000)] = 0.01


class Adaptive(Options):
    """FedAdam's and FedYogi's server learning rate, decay of both moments, and what keeps the divisor from zero."""

    lr: Rate = 0.01
    beta1: Share = 0.9
    beta2: Share = 0.99
    tau: Annotated[float, Field(gt=0, le=1)] = 0.001


class Trimmed(Options):
    """How many sites may lie: as many values are left out at each end."""

    liars: Liars = 1

    def least(self) -> int:
        """One value is left between those cut off."""
        return 2 * self.liars + 1


class Weiszfeld(Options):
    """Steps of the smoothed Weiszfeld algorithm, and the distance below which an update counts as near."""

    iterations: Annotated[int, Field(ge=1, le=1000)] = 10
    smoothing: Annotated[float, Field(gt=0, le=1)] = 1e-6


class Krum(Options):
    """How many sites may lie, and how many updates are averaged (0: all but ``liars`` and two)."""

    liars: Liars = 1
    keep: Annotated[int, Field(ge=0, le=1_000_000)] = 0

    def least(self) -> int:
        """Blanchard et al. 2017, proposition 1: n >= 2f + 3."""
        return 2 * self.liars + 3


class Bulyan(Options):
    """How many sites may lie."""

    liars: Liars = 1

    def least(self) -> int:
        """El Mhamdi et al. 2018, section 4: n >= 4f + 3."""
        return 4 * self.liars + 3


class Bounded(Options):
    """The longest an update may be (Euclidean norm)."""

    norm: Annotated[float, Field(gt=0, le=1e6)] = 1.0


class Buffered(Options):
    """FedBuff's updates a step (K) and the server's learning rate."""

    buffer: Annotated[int, Field(ge=1, le=100_000)] = 3
    lr: Rate = 1.0


OPTIONS: Mapping[str, type[Options]] = {
    "fedavg": Options,
    "fedavgm": Momentum,
    "fedprox": Proximal,
    "fedadam": Adaptive,
    "fedyogi": Adaptive,
    "median": Options,
    "trimmed-mean": Trimmed,
    "geometric-median": Weiszfeld,
    "multi-krum": Krum,
    "bulyan": Bulyan,
    "norm-bounded-mean": Bounded,
    "fedbuff": Buffered,
}
"""Every strategy that a study may name, and what it may say to it."""


def filled_options(name: str, given: Mapping[str, float]) -> dict[str, float]:
    """Return a strategy's options with the defaults filled in.

    Raises:
        ValueError: no such strategy, with the nearest name; an option that the strategy does not have, or a value out
            of its bounds; says which.
    """
    if name not in OPTIONS:
        raise ValueError(f"unknown strategy '{name}'{did_you_mean(name, OPTIONS)}")
    try:
        found = OPTIONS[name].model_validate(dict(given))
    except ValidationError as error:
        fault = first_fault(error)
        option = str(fault.place[0])
        if fault.kind == "extra_forbidden":
            known = ", ".join(OPTIONS[name].model_fields) or "none"
            raise ValueError(f"{name} has no option '{option}'; its options: {known}") from None
        raise ValueError(f"{name}'s option '{option}': {fault.reason}") from None
    return {option: float(value) for option, value in found.model_dump().items()}


def least_sites(name: str, options: Mapping[str, float]) -> int:
    """Return how many sites must answer a round for the strategy to hold what it promises.

    Raises:
        ValueError: no such strategy.
    """
    filled = filled_options(name, options)
    return OPTIONS[name].model_validate(filled).least()
