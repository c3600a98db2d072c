"""What a federation of this machine does at this moment, for whoever looks on from another process.

The process that gathers keeps it in ``rounds/RUN.json`` under the home, all of it or nothing, mode 0600. It is for
looking at alone: what a run goes on from stands in the bank.
"""

import logging
import os
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from fedprompt.boundary.checked import Bounds, Unfit, checked_value
from fedprompt.boundary.closed import Closed
from fedprompt.errors import FederationError
from fedprompt.federation.gathering import Step
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import now, read_json, write_json
from fedprompt.workspace.liveness import is_running

__all__ = ["RunNow", "StepNow", "Teller", "run_now", "runs_now"]

RUN = re.compile(r"r1:[0-9a-f]{32,64}")
Site = Annotated[str, StringConstraints(max_length=100)]
Said = Annotated[str, StringConstraints(max_length=4000)]
_BOUNDS = Bounds(4 * 1024 * 1024, values=100_000, nested=50, members=10_000, depth=6)
log = logging.getLogger(__name__)


class StepNow(Closed):
    """A step that gathers: whose answers came, whose are out, since when each was asked (seconds since 1970).

    ``seconds`` is how long the sites have, None where they are waited for as long as it takes.
    """

    token: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    round: Annotated[int, Field(ge=0)]
    step: Step
    quorum: Annotated[int, Field(ge=0)]
    answered: Annotated[int, Field(ge=0)]
    seconds: Annotated[float, Field(ge=0)] | None
    asked: dict[Site, float]
    waiting: tuple[Site, ...]
    came: tuple[Site, ...]
    missing: dict[Site, Said]

    @property
    def taking_part(self) -> int:
        """How many sites were asked or will be."""
        return len(self.waiting) + len(self.came) + len(self.missing)

    @property
    def why_not_close(self) -> str | None:
        """Why it cannot be closed yet, in a sentence; None where it can."""
        if self.answered >= self.quorum:
            return None
        return f"{self.answered} of {self.taking_part} sites have answered; {self.quorum} are required"


class RunNow(Closed):
    """A run whose process lives: its id, the process, since when, and the step that gathers, if one does."""

    run: str
    pid: Annotated[int, Field(gt=0)]
    since: str
    step: StepNow | None = None


class Teller:
    """Keeps one run's file for as long as its process works on it; a context manager."""

    def __init__(self, home: Home, run: str) -> None:
        self._path = home.path / "rounds" / f"{_name(run)}.json"
        self._about: Mapping[str, Any] = {"run": run, "pid": os.getpid(), "since": now()}

    def tell(self, step: Mapping[str, Any] | None) -> None:
        """Write what gathers now."""
        try:
            write_json(self._path, {**self._about, "step": None if step is None else dict(step)})
        except OSError as error:  # the rounds are worth more than the sight of them
            log.warning("%s could not be written (%s)", self._path, error)

    def __enter__(self) -> "Teller":
        self.tell(None)
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)


def run_now(home: Home, run: str) -> RunNow | None:
    """Return what a run does now, None where no process works on it.

    Raises:
        FederationError: its file is not what fedprompt wrote.
    """
    path = home.path / "rounds" / f"{_name(run)}.json"
    body = read_json(path)
    if body is None:
        return None
    try:
        found = checked_value(RunNow, body, _BOUNDS)
    except Unfit:
        raise FederationError(
            f"{path} was not written by fedprompt; delete it, and the next run writes it again", code="damaged"
        ) from None
    return found if is_running(found.pid) else None


def runs_now(home: Home) -> tuple[RunNow, ...]:
    """Return the runs that a process works on now, the newest first."""
    ids = [f"r1:{path.stem.removeprefix('r1-')}" for path in (home.path / "rounds").glob("r1-*.json")]
    found = [one for run in ids if RUN.fullmatch(run) and (one := run_now(home, run)) is not None]
    return tuple(sorted(found, key=lambda one: one.since, reverse=True))


def _name(run: str) -> str:
    if not RUN.fullmatch(run):
        raise FederationError(
            f"'{run[:80]}' is not a run's id; 'fedprompt hub round show' lists the current runs", code="not-a-runs-id"
        )
    return run.replace(":", "-")
