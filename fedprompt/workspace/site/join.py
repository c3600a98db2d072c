"""``site join``: puts the hub's kit and the site's own key together, and writes the site's hardened policy."""

from dataclasses import dataclass
from pathlib import Path

from fedprompt.errors import FederationError
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home

__all__ = ["Joined", "site_join"]


@dataclass(frozen=True)
class Joined:
    """A site that has joined a federation; ``hub`` is ``host:port``."""

    site: str
    federation: str
    hub: str


def site_join(home: Home, kit: Path, *, site: str | None = None) -> Joined:
    """Join the federation whose hub made ``kit``.

    Raises:
        FederationError: the kit is for another key, of another authority than invited, or the site joined before.
    """
    from fedprompt.federation.transports.flare.enrol import install

    chosen = enrolled(home, site)
    if chosen.kit.exists():
        raise FederationError(
            f"{chosen.kit}: '{chosen.name}' has already joined; move the folder away to join again",
            code="joined-already",
        )
    about = chosen.about
    install(kit, chosen.requested, about["authority"], chosen.kit, "client")
    return Joined(chosen.name, about["federation"], f"{about['host']}:{about['port']}")
