"""What a hub keeps in its home: the federation's address, who takes part, and where its engine runs now."""

import json
import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fedprompt.boundary.checked import Bounds, Unfit, plain_json
from fedprompt.errors import FederationError
from fedprompt.private_file import write_private
from fedprompt.workspace.acting import needs
from fedprompt.workspace.home import Home

__all__ = ["NAME", "HubFolder", "now", "pid_lives", "read_json", "write_json"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
MAX_JSON_BYTES = 4 * 1024 * 1024
_BOUNDS = Bounds(MAX_JSON_BYTES, values=200_000, nested=20_000, members=10_000)


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
            raise FederationError(f"{self.home.path} is no hub; begin with 'fedprompt hub init NAME'")
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
        return found if found is not None and pid_lives(int(found["pid"])) else None

    @property
    def jobs(self) -> Path:
        """The table of jobs, a line for each change."""
        return self.path / "jobs.jsonl"


def now() -> str:
    """Return the time as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def pid_lives(pid: int) -> bool:
    """Say whether a process of this user lives."""
    try:
        os.kill(pid, signal.SIG_DFL)
    except (ProcessLookupError, PermissionError, OverflowError):
        return False
    return True


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object in a file, None where there is no file.

    Raises:
        FederationError: it is too large or not a JSON object.
    """
    try:
        if path.exists() and not path.is_file():
            raise FederationError(f"{path}: is not a regular file; give the file that you were sent")
        with path.open("rb") as file:
            data = file.read(MAX_JSON_BYTES + 1)
        found = plain_json(data, _BOUNDS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FederationError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    except Unfit as error:
        raise FederationError(f"{path}: {error}; restore a backup") from None
    if not isinstance(found, dict):
        raise FederationError(f"{path}: not what fedprompt wrote there; restore a backup")
    return found


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write an object, mode 0600, all of it or nothing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, json.dumps(dict(value), indent=1, ensure_ascii=False))
