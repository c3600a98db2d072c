"""What a hub keeps in its home: the federation's address, who takes part, and where its engine runs now."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedprompt.errors import FederationError
from fedprompt.workspace.acting import needs
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import now, read_json, write_json
from fedprompt.workspace.liveness import is_running

__all__ = ["NAME", "HubFolder"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


@dataclass(frozen=True)
class HubFolder:
    """The folder ``hub`` of a home, mode 0700."""

    home: Home

    @property
    def path(self) -> Path:
        """The folder."""
        return self.home.path / "hub"

    @property
    def about(self) -> dict[str, Any]:
        """The federation's ``federation``, ``host``, ``port``, ``admin_port`` and ``authority`` (a fingerprint).

        Raises:
            FederationError: this home is no hub.
        """
        found = read_json(self.path / "hub.json")
        if found is None:
            raise FederationError(
                f"{self.home.path} is not a hub; create one with 'fedprompt hub init NAME'", code="not-a-hub"
            )
        return found

    @property
    def members(self) -> dict[str, dict[str, Any]]:
        """Site -> its ``state`` (invited, admitted, revoked or removed), ``org``, ``fingerprint`` and ``since``."""
        return read_json(self.path / "members.json") or {}

    @needs("federate")
    def set_member(self, site: str, **changes: Any) -> None:
        """Change what is kept of a site."""
        members = self.members
        members[site] = {**members.get(site, {}), **changes, "since": now()}
        write_json(self.path / "members.json", members)

    def sites(self, state: str = "admitted") -> tuple[str, ...]:
        """The sites in a state, by name."""
        return tuple(sorted(site for site, member in self.members.items() if member["state"] == state))

    @property
    def running(self) -> dict[str, Any] | None:
        """``pid`` and ``sockets`` of the ``hub run`` that lives now, or None."""
        found = read_json(self.path / "running.json")
        return found if found is not None and is_running(int(found["pid"])) else None

    @property
    def jobs(self) -> Path:
        """The table of jobs, a line for each change."""
        return self.path / "jobs.jsonl"
