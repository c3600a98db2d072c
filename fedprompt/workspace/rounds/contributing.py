"""What each site gave to a federation, and whose updates stand out, from the updates that the hub kept.

Nothing is asked of a site, so no exact question is spent. A contribution says whose updates point where the whole went;
it does not say whose cases are right. Sites that lie together and are many would look like the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import FederationError
from fedprompt.federation.contributions import Contribution, contributions
from fedprompt.strategies.registry import strategy_named
from fedprompt.strategies.strategy import Update
from fedprompt.study.schema import Strategy
from fedprompt.workspace.rounds.federation_view import UpdateRow, federation_view, federations, updates_of
from fedprompt.workspace.rounds.in_bank import BankKeeper
from fedprompt.workspace.workspace import Workspace

__all__ = ["Contributions", "SiteContribution", "contributions_of", "shares_of_updates"]

AGGREGATES = 1500  # a round
LATEST = 16  # rounds


@dataclass(frozen=True)
class SiteContribution:
    """One site over the ``rounds`` that it took part in, and how many of its updates stand out (``outliers``).

    ``value``: its Shapley value as a share of the whole's, on average over the rounds; ``error`` is its standard error.
    ``without``: how much of the whole's worth is lost without it. ``norm`` and ``cosine`` are medians over the rounds.
    """

    site: str
    rounds: int
    value: float
    error: float
    without: float
    norm: float
    cosine: float | None
    outliers: int


@dataclass(frozen=True)
class Contributions:
    """The sites of a run over its last ``rounds``, the one that contributed most first."""

    run: str
    rounds: int
    sites: tuple[SiteContribution, ...]


def contributions_of(ws: Workspace, run: str | None = None, *, seed: int = 0) -> Contributions:
    """Return what each site contributed to the last ``LATEST`` rounds of a run that kept updates.

    Args:
        ws: the workspace.
        run: its id; the newest federation that kept updates, if None.
        seed: of the orders that are drawn.

    Raises:
        FederationError: there is no federation, or it kept no updates.
        BankError: there is no such run.
    """
    runs = [row.id for row in federations(ws)] if run is None else [run]
    for one in runs:
        view = federation_view(ws, one)
        if view.keeps_updates and (rows := updates_of(ws, view)):
            study = ws.bank.study(view.run.study).study
            keeper = BankKeeper(ws.bank, view.run.id, view.run.study)
            numbers = set(sorted({row.round for row in rows})[-LATEST:])
            kept = [keeper.kept(row.number, row.prompt) for row in view.rounds if row.number in numbers]
            rounds = [updates for updates in kept if updates]
            latest = [row for row in rows if row.round in numbers]
            return Contributions(one, len(rounds), shares_of_updates(rounds, latest, study.rounds.strategy, seed))
    raise FederationError(
        "no federation here kept its sites' updates; a study with 'rounds: {keep_updates: true}' keeps them",
        code="no-updates-kept",
    )


def shares_of_updates(
    rounds: Sequence[Sequence[Update]], rows: Sequence[UpdateRow], strategy: Strategy, seed: int
) -> tuple[SiteContribution, ...]:
    """Return what each site gave to rounds, the one that gave most first."""
    chosen, found = strategy_named(strategy.name), dict[str, list[Contribution]]()
    for number, updates in enumerate(rounds):
        start = np.zeros_like(updates[0].delta)

        def aggregate(some: Sequence[Update], start: NDArray[np.float32] = start) -> NDArray[np.float64]:
            return chosen.aggregate(start, list(some), strategy.options, {}).vectors.astype(np.float64)

        orders = max(10, min(60, AGGREGATES // len(updates)))
        for one in contributions(updates, aggregate, np.random.default_rng([seed, number]), orders=orders):
            found.setdefault(one.site, []).append(one)
    told = []
    for site, given in sorted(found.items()):
        own = [row for row in rows if row.site == site]
        alike = [row.cosine for row in own if row.cosine is not None]
        told.append(
            SiteContribution(
                site=site,
                rounds=len(own),
                value=float(np.mean([one.value for one in given])),
                error=float(np.sqrt(np.mean([one.error**2 for one in given]) / len(given))),
                without=float(np.mean([one.without for one in given])),
                norm=float(np.median([row.norm for row in own])),
                cosine=float(np.median(alike)) if alike else None,
                outliers=sum(row.outlier for row in own),
            )
        )
    return tuple(sorted(told, key=lambda one: -one.value))
