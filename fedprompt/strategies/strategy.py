"""What a strategy is: a way to make the next numbers out of the sites' updates.

What the numbers stand for, a soft prompt or an adapter, is not its concern: they are arrays of one shape.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedprompt.boundary.closed import Closed
from fedprompt.errors import FederationError

__all__ = ["Aggregate", "AtSite", "Liars", "Options", "Rate", "Share", "State", "Strategy", "Update", "in_site_order"]

Liars = Annotated[int, Field(ge=0, le=100_000)]
Share = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0, le=10)]

State = Mapping[str, NDArray[np.float64]]
"""What a server keeps from one round to the next: float64 arrays, of the shape of the updates, by name."""


@dataclass(frozen=True, eq=False)
class Update:
    """One site's answer: ``delta`` float32 from the round's start, over ``cases`` cases."""

    site: str
    delta: NDArray[np.float32]
    cases: int


@dataclass(frozen=True, eq=False)
class Aggregate:
    """The next global numbers (float32), and what the next round's aggregation goes on from."""

    vectors: NDArray[np.float32]
    state: State = field(default_factory=dict)


class Options(Closed):
    """What a study may say to a strategy: numbers with bounds and defaults, all of them named here.

    A strategy without options takes this as it is: any number of sites will do.
    """

    def least(self) -> int:
        """Return how many updates the strategy needs to hold what it promises."""
        return 1


@dataclass(frozen=True)
class AtSite:
    """What a strategy asks of the sites' own steps: ``proximal``, the pull towards the round's start (mu)."""

    proximal: float = 0.0


class Strategy(Protocol):
    """One algorithm; a new one is one file and one line in ``registry``.

    It keeps nothing between calls: what the next round needs is in ``Aggregate.state``, which is stored with the
    round, so that a run that stopped goes on with the same numbers.

    ``needs`` says what of the updates it reads: their ``sum``, weighted or not, or ``each`` of them. ``schedule`` names
    how the sites are asked: in ``rounds``, or ``buffered``, where nobody waits. A ``robust`` one is there for sites
    that lie, so that what single sites score has a bound too where the best round is chosen.
    """

    name: str
    options: type[Options] = Options
    needs: Literal["sum", "each"] = "each"
    schedule: Literal["rounds", "buffered"] = "rounds"
    robust: bool = False

    def at_site(self, options: Mapping[str, float]) -> AtSite:
        """Return what runs at the sites, from the options of the study that they accepted."""
        return AtSite()

    @abstractmethod
    def aggregate(
        self,
        start: NDArray[np.float32],
        updates: Iterable[Update],
        options: Mapping[str, float],
        state: State,
    ) -> Aggregate:
        """Return what follows from ``start`` (float32) and the updates.

        Args:
            start: what the sites tuned from.
            updates: read once. A list may be in any order; an iterator gives site after site, so that what can be
                summed as it comes is.
            options: the study's, with the defaults filled in.
            state: what the last round returned, empty in the first.

        Raises:
            FederationError: no updates, too few of them, or shapes that differ.
        """
        ...


def in_site_order(start: NDArray[np.float32], updates: Iterable[Update]) -> Iterable[Update]:
    """Yield the updates by site, so that sums do not depend on who came first.

    Raises:
        FederationError: an update has another shape than ``start``, or a site sent two.
    """
    ordered: Iterable[Update] = sorted(updates, key=lambda u: u.site) if isinstance(updates, Sequence) else updates
    seen: set[str] = set()
    for update in ordered:
        if update.delta.shape != start.shape:
            raise FederationError(
                f"the update of site '{update.site}' has another shape than what it was tuned from", code="wrong-shape"
            )
        if update.site in seen:
            raise FederationError(f"site '{update.site}' sent two updates in one round", code="two-updates")
        seen.add(update.site)
        yield update
