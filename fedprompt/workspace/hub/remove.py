"""``hub remove``: a site left. It is asked no more, and if it wishes, what it scored counts no more.

Nothing in the bank is taken away: an event, signed by this home, marks each prompt that the site scored, rankings and
means leave the site out from then on, and the rounds are told again without its updates where those were kept.
"""

from dataclasses import dataclass

from fedprompt.bank.removed import REMOVED
from fedprompt.errors import FederationError
from fedprompt.workspace.hub.leave import Left, hub_leave
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.rounds.recomputing import Recomputed, recompute_without
from fedprompt.workspace.workspace import Workspace

__all__ = ["Removed", "hub_remove"]


@dataclass(frozen=True)
class Removed(Left):
    """A site that left, and what ``--recompute`` did.

    ``prompts`` is how many lost its score, ``recomputed`` the rounds without it, or ``not_recomputed`` why
    it does not.
    """

    prompts: int
    recomputed: Recomputed | None
    not_recomputed: str | None


def hub_remove(ws: Workspace, site: str, *, recompute: bool = False) -> Removed:
    """Bar a site that left, and with ``recompute`` take its scores and updates out of what is shown.

    Raises:
        FederationError: there is no such site.
        BankError: the bank cannot be written.
    """
    found = hub_leave(ws.home, site, "removed")
    marked, told, why = 0, None, None
    if recompute:
        try:  # before its scores are gone: they say in which federation it took part
            told = recompute_without(ws, site)
        except FederationError as error:
            why = str(error)
        marked = _take_out(ws, site)
    return Removed(found.site, found.state, found.packs, marked, told, why)


def _take_out(ws: Workspace, site: str) -> int:
    rows = [row.score.prompt for row in ws.bank.scores() if row.site == site]
    rows += [row.comparison.first for row in ws.bank.comparisons() if row.site == site]
    signer = home_signer(ws.home)
    prompts = [prompt for prompt in dict.fromkeys(rows) if prompt.startswith("p1:")]
    for prompt in prompts:
        ws.bank.record_event(REMOVED, prompt, {"site": site}, by="", signer=signer)
    if prompts:
        ws.bank.rederive()
    return len(prompts)
