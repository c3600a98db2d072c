"""``site join``: puts the hub's kit and the site's own key together, and writes the site's hardened policy."""

from pathlib import Path
from typing import Any

from fedprompt.errors import FederationError
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home

__all__ = ["site_join"]


def site_join(home: Home, kit: Path, *, site: str | None = None) -> dict[str, Any]:
    """Join the federation whose hub made ``kit``.

    Raises:
        FederationError: the kit is for another key, of another authority than invited, or the site joined before.
    """
    from fedprompt.federation.transports.flare.enrol import install

    chosen = enrolled(home, site)
    if chosen.kit.exists():
        raise FederationError(f"{chosen.kit}: '{chosen.name}' has joined already; move the folder away to join anew")
    about = chosen.about
    install(kit, chosen.requested, about["authority"], chosen.kit, "client")
    return {"site": chosen.name, "federation": about["federation"], "hub": f"{about['host']}:{about['port']}"}
