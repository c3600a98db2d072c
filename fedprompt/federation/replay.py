"""Rounds told again without a site: its updates are left out, those of the others are added up anew.

The first round in which the site took part is then exactly what it would have been without it. From the next on it is
an estimate: the others' kept updates were made from prompts that the site had a share in, and they are added to the
new prompts as they are (Liu et al. 2021, arXiv 2012.13891, "FedEraser", without its calibration).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from fedprompt.errors import FederationError
from fedprompt.federation.kept_updates import UpdateKeeper
from fedprompt.federation.round_record import RoundRecord
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.tensors import Tensors
from fedprompt.strategies.registry import strategy_named
from fedprompt.strategies.strategy import State
from fedprompt.study.schema import Strategy

__all__ = ["Replayed", "replay"]


@dataclass(frozen=True)
class Replayed:
    """A round told again.

    ``prompt`` is what it makes without the sites, ``before`` the id of what it made with them, ``sites`` whose updates
    it is made of. ``exact``: it is what the round itself would have made, had they not taken part.
    """

    number: int
    prompt: Prompt
    before: str
    sites: tuple[str, ...]
    exact: bool


def replay(
    records: Sequence[RoundRecord],
    keeper: UpdateKeeper,
    start: Tensors,
    strategy: Strategy,
    without: Collection[str],
) -> tuple[Replayed, ...]:
    """Return the rounds as they are without some sites.

    Args:
        records: the rounds, in order.
        keeper: what kept their updates.
        start: what the first of them began with.
        strategy: the study's.
        without: the sites to leave out; one that took part in nothing changes nothing.

    Raises:
        FederationError: a round's updates were not kept, or too few are left for the strategy; names the round.
    """
    begin, exact = start.values, True
    state: State = {}
    found: list[Replayed] = []
    for record in records:
        updates = keeper.kept(record.number, record.prompt.id)
        if updates is None:
            raise FederationError(
                f"round {record.number} kept no updates, so no site can be removed from it; 'rounds: "
                "{keep_updates: true}' in the study keeps those of later runs",
                code="no-updates-kept",
            )
        left = [update for update in updates if update.site not in without]
        try:
            made = strategy_named(strategy.name).aggregate(begin, left, strategy.options, state)
        except FederationError as error:
            raise FederationError(
                f"round {record.number} without {', '.join(sorted(without))}: {error}", code=error.code
            ) from error
        if not np.isfinite(made.vectors).all():
            raise FederationError(
                f"round {record.number}: the aggregate is not finite without these sites", code="not-finite"
            )
        prompt = Prompt(record.prompt.template, start.with_values(made.vectors))
        found.append(Replayed(record.number, prompt, record.prompt.id, tuple(sorted({u.site for u in left})), exact))
        begin, state = made.vectors, made.state
        exact = exact and len(left) == len(updates)
    return tuple(found)
