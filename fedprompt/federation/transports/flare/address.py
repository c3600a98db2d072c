"""Where the processes of one machine find each other, and what the engine's files name; imports nothing of it."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fedprompt.errors import FederationError
from fedprompt.extras import pip_command

__all__ = [
    "ENGINE",
    "HUB_CLASS",
    "HUB_SOCKETS",
    "LAUNCHERS",
    "LEDGER",
    "RECEIVED",
    "SITE_CLASS",
    "SITE_FILTER",
    "WORKER_SOCKET",
    "RunningHub",
    "require_engine",
    "socket_of",
]

# Set by whoever starts the engine, read by what runs in its job processes.
WORKER_SOCKET, LEDGER, HUB_SOCKETS = "FEDPROMPT_WORKER_SOCKET", "FEDPROMPT_LEDGER", "FEDPROMPT_HUB_SOCKETS"
ENGINE = "FEDPROMPT_ENGINE"  # the process id of the engine itself
HUB_CLASS = "fedprompt.federation.transports.flare.hub_side.HubRelay"
SITE_CLASS = "fedprompt.federation.transports.flare.site_side.Relay"
SITE_FILTER = "fedprompt.federation.transports.flare.site_side.EgressFilter"
RECEIVED = "RECEIVED"  # the code that a site answers a release with; nothing else leaves with it
LAUNCHERS = {
    "server": "fedprompt.federation.transports.flare.job.ServerLauncher",
    "client": "fedprompt.federation.transports.flare.job.ClientLauncher",
}


@dataclass(frozen=True)
class RunningHub:
    """Where the hub's engine runs: its admin kit, the folder of its sockets, and the table of jobs."""

    kit: Path
    sockets: Path
    jobs: Path


def socket_of(folder: str | Path, job: str) -> Path:
    """Return where a job's relay listens; short, since the path of a socket has a bound of about 100 bytes."""
    return Path(folder) / f"{job[:8]}.sock"


def require_engine() -> None:
    """Say how to install NVFLARE where it is missing.

    Raises:
        FederationError: it is.
    """
    if find_spec("nvflare") is None:
        raise FederationError(
            f"sites on other machines need NVFLARE; run: {pip_command('flare')}", code="package-missing"
        )
