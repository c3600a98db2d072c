"""What right each kind of job asks for; a kind that stands nowhere asks for the highest role."""

from collections.abc import Mapping

from fedprompt.workspace.acting import require
from fedprompt.workspace.people import Deed

__all__ = ["JOBS", "READING", "deed_of", "require_job"]

READING = ("data", "export-preview", "map", "nearest-words", "ranking-csv", "roster", "search")
JOBS: Mapping[str, Deed] = {
    "adapt": "tune",
    "audit": "tune",
    "compare-pairs": "tune",
    "assets": "tune",
    "demo": "tune",
    "dry-run": "tune",
    "export": "exchange",
    "export-try": "exchange",
    "federate": "federate",
    "federate-flare": "federate",
    "forecast": "tune",
    "harden": "tune",
    "model-test": "try",
    "rehearse": "tune",
    "score": "tune",
    "trial": "try",
    "tune": "tune",
    "tune-time": "tune",
}


def deed_of(kind: str) -> Deed | None:
    """Return what starting or stopping a job of a kind is; None where everybody who is let in may."""
    return None if kind in READING else JOBS.get(kind, "federate")


def require_job(kind: str) -> None:
    """Let whoever acts start or stop a job of a kind, or refuse it.

    Raises:
        FedPromptError: they may not.
    """
    if (deed := deed_of(kind)) is not None:
        require(deed)
