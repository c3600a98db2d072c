"""Where long work is and how long it will still take, from what was planned and what has passed."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.progress import Progress, Report

__all__ = ["Clock"]

SKIPPED = 0.2
FASTEST, SLOWEST = 0.5, 10.0
KNOWN_SECONDS, KNOWN_SHARE = 1.0, 0.03  # of a stage, before its pace says how long the rest will take


class Clock:
    """``planned``: stage -> seconds it is expected to take, in order. Measured times end up in ``seconds``.

    ``stop`` is the work's; it is looked at before a stage. With ``paced``, the name of a stage, ``planned`` holds
    weights and no seconds: the time left is told once so much of that stage is done that its pace is known.
    """

    def __init__(
        self, report: Report, planned: Mapping[str, float], stop: StopToken = NEVER, *, paced: str | None = None
    ) -> None:
        self.stop = stop
        self._paced, self._pace, self._first = paced, None if paced is None else 0.0, 0.0
        self._report, self._planned = report, {name: max(0.01, s) for name, s in planned.items()}
        self._started = time.monotonic()
        self._stage_started = self._started
        self._stage = next(iter(self._planned), "")
        self._done = 0.0
        self.seconds: dict[str, float] = {}

    @property
    def total(self) -> float:
        """Seconds planned in all."""
        return sum(self._planned.values())

    @contextmanager
    def stage(self, name: str, message: str) -> Iterator[None]:
        """Time one stage and tell its beginning.

        Raises:
            Stopped: the work was to end before it.
        """
        self.stop.check()
        self._stage, self._stage_started, self._first = name, time.monotonic(), -1.0
        self._planned.setdefault(name, 1.0)
        self.tell(message, 0.0)
        yield
        took = time.monotonic() - self._stage_started
        self.seconds[name] = round(took, 3)
        if took < SKIPPED * self._planned[name]:
            self._planned[name] = max(0.01, took)  # an earlier run had done it; it says nothing of this one's pace
        self._done += self._planned[name]

    def tell(self, message: str, fraction: float, **detail: Any) -> None:
        """Report ``fraction`` of the present stage."""
        now = time.monotonic()
        # A stage that is over is among what is done.
        planned_here = 0.0 if self._stage in self.seconds else self._planned.get(self._stage, 1.0)
        covered = min(self.total, self._done + planned_here * min(1.0, fraction))
        passed = now - self._started
        left = max(0.0, self.total - covered)
        if self._paced is not None:
            self._measure(now, fraction)
            told = left * self._pace if self._pace else 0.0 if left == 0 else None
        else:
            # The plan is scaled by how this run has gone so far, once there is enough of it to tell.
            told = left * (min(SLOWEST, max(FASTEST, passed / covered)) if covered > 0.05 * self.total else 1.0)
        self._report(Progress(self._stage, message, covered, self.total, told, detail))

    def _measure(self, now: float, fraction: float) -> None:
        """Take the pace of the stage that is paced: seconds for what is planned as one."""
        if self._stage != self._paced or self._stage in self.seconds:
            return
        if self._first < 0 and fraction > 0:
            self._first = fraction  # where an earlier run had come to
        took, share = now - self._stage_started, fraction - max(0.0, self._first)
        if took >= KNOWN_SECONDS and share >= KNOWN_SHARE:
            self._pace = took / (share * self._planned[self._stage])
