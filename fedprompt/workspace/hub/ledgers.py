"""``hub sites``: what this hub last saw of each site's ledger, and an operator's word that one of them began anew."""

from dataclasses import dataclass

from fedprompt.errors import FederationError
from fedprompt.federation.ledgers import Seen
from fedprompt.workspace.acting import acting
from fedprompt.workspace.enrolled.seen_ledgers import Restart, accept_restart, seen_ledgers
from fedprompt.workspace.home import Home

__all__ = ["KnownLedgers", "hub_sites"]


@dataclass(frozen=True)
class KnownLedgers:
    """The ledgers that were seen, and the new beginnings that were accepted, oldest first."""

    sites: tuple[Seen, ...]
    restarts: tuple[Restart, ...]


def hub_sites(home: Home, site: str | None = None, *, ledger_restarted: bool = False) -> KnownLedgers:
    """Return what is known of all ledgers, or of one site's.

    Args:
        ledger_restarted: accept that this site's ledger begins anew, under another key if need be, and keep that for
            good.

    Raises:
        FederationError: no ledger of such a site was seen, or none is named to be accepted.
    """
    if ledger_restarted:
        if site is None:
            raise FederationError(
                "give the site whose ledger was restarted: fedprompt hub sites SITE --ledger-restarted",
                code="which-site",
            )
        accept_restart(home, site, acting().label)
    known, restarts = seen_ledgers(home)
    if site is not None:
        known = tuple(one for one in known if one.site == site)
        restarts = tuple(one for one in restarts if one.site == site)
        if not known:
            raise FederationError(
                f"no ledger of a site '{site}' has been seen; 'fedprompt hub sites' lists the ledgers",
                code="unknown-site",
            )
    return KnownLedgers(known, restarts)
